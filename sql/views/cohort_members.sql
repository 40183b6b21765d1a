-- name: cohort_members
-- description: One row per patient who is at present a member of a Group that a pipeline exports; a patient whom the server has deleted is none. What cohort queries join.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM _members WHERE left_export IS NULL AND (patient_id IN (SELECT id FROM Patient) OR patient_id NOT IN (SELECT id FROM _deletions WHERE resource_type = 'Patient'))
-- columns:
--   pipeline STRING: name of the pipeline
--   group_id STRING: id of the Group
--   patient_id STRING: id of the Patient
--   first_export STRING: id of the export that brought the patient first
--   last_export STRING: id of the last export that brought the patient
WITH deleted AS (
  -- `_members` is the record of what each run brought. That a patient was deleted, or is there again, may come by any
  -- pipeline and needs no run of the Group, so it is looked up here.
  SELECT id FROM _deletions WHERE resource_type = 'Patient'
  EXCEPT
  SELECT id FROM Patient
)
SELECT
  pipeline,
  group_id,
  patient_id,
  first_export,
  last_export
FROM _members
LEFT ANTI JOIN deleted ON deleted.id = patient_id
WHERE left_export IS NULL
