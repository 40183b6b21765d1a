-- name: conditions
-- description: One row per condition: problems, diagnoses and health concerns.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM Condition
-- columns:
--   condition_id STRING: id of the Condition
--   patient_id STRING: id of the Patient; NULL where the subject is a Group or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was recorded
--   status STRING: clinical status: active, recurrence, relapse, inactive, remission, resolved
--   verification_status STRING: unconfirmed, provisional, differential, confirmed, refuted, entered-in-error
--   category_code STRING: first coding of the first category, such as problem-list-item or encounter-diagnosis
--   severity_code STRING: first coding of the severity
--   code_system STRING: system of the first coding
--   code STRING: code of the first coding
--   code_display STRING: display of the first coding, else the text of the concept
--   start_time TIMESTAMP: onset, from a date or a period; a partial date counts from its first moment
--   end_time TIMESTAMP: abatement, from a date or a period; a partial date counts to its last moment
--   recorded_time TIMESTAMP: when the condition was first recorded
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS condition_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  encounter.__reference_id AS encounter_id,
  clinicalStatus.coding[1]['code'] AS status,
  verificationStatus.coding[1]['code'] AS verification_status,
  category[1]['coding'][1]['code'] AS category_code,
  severity.coding[1]['code'] AS severity_code,
  code.coding[1]['system'] AS code_system,
  code.coding[1]['code'] AS code,
  coalesce(code.coding[1]['display'], code.text) AS code_display,
  coalesce(__onsetDateTime_start, onsetPeriod.__start_start) AS start_time,
  CASE
    WHEN abatementDateTime LIKE '%T%' THEN __abatementDateTime_start
    WHEN abatementDateTime IS NOT NULL THEN __abatementDateTime_end
    WHEN abatementPeriod.end LIKE '%T%' THEN abatementPeriod.__end_start
    ELSE abatementPeriod.__end_end
  END AS end_time,
  __recordedDate_start AS recorded_time,
  meta.__lastUpdated_start AS last_updated
FROM Condition
