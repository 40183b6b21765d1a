-- Files by themselves bring no members: only exports of a Group do.
CREATE VIEW cohort_members AS
SELECT
  CAST(NULL AS VARCHAR) AS pipeline, CAST(NULL AS VARCHAR) AS group_id, CAST(NULL AS VARCHAR) AS patient_id,
  CAST(NULL AS VARCHAR) AS first_export, CAST(NULL AS VARCHAR) AS last_export
WHERE false;
