-- name: cohort_members
-- description: One row per patient who is at present a member of a Group that a pipeline exports; what cohort queries join.
-- grain: SELECT count(*) FROM _members WHERE left_export IS NULL
-- columns:
--   pipeline STRING: name of the pipeline
--   group_id STRING: id of the Group
--   patient_id STRING: id of the Patient
--   first_export STRING: id of the export that brought the patient first
--   last_export STRING: id of the last export that brought the patient
SELECT
  pipeline,
  group_id,
  patient_id,
  first_export,
  last_export
FROM _members
WHERE left_export IS NULL
