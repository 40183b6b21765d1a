-- name: conditions
-- description: One row per condition: problems, diagnoses and health concerns.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM Condition
-- key: condition_id of Condition
-- columns:
--   condition_id STRING: id of the Condition
--   patient_id STRING: id of the Patient; NULL where the subject is a Group or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was recorded
--   status STRING: clinical status: active, recurrence, relapse, inactive, remission, resolved
--   verification_status STRING: unconfirmed, provisional, differential, confirmed, refuted, entered-in-error
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake: the verification status is entered-in-error
--   category_code STRING: first coding of the first category, such as problem-list-item or encounter-diagnosis
--   category_codes STRING: all codings of all categories, separated by commas
--   severity_code STRING: first coding of the severity
--   code_system STRING: system of the coding chosen: SNOMED CT, else ICD-10-CM, else ICD-10, else ICD-9-CM, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the concept
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
  coalesce(array_any_match(verificationStatus.coding, c -> c['code'] = 'entered-in-error'), false) AS is_entered_in_error,
  category[1]['coding'][1]['code'] AS category_code,
  nullif(array_to_string(array_transform(flatten(array_transform(category, c -> c['coding'])), c -> c['code']), ','), '') AS category_codes,
  severity.coding[1]['code'] AS severity_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], condition.code.text) AS code_display,
  coalesce(__onsetDateTime_start, onsetPeriod.__start_start) AS start_time,
  CASE
    WHEN abatementDateTime LIKE '%T%' THEN __abatementDateTime_start
    WHEN abatementDateTime IS NOT NULL THEN __abatementDateTime_end
    WHEN abatementPeriod.end LIKE '%T%' THEN abatementPeriod.__end_start
    ELSE abatementPeriod.__end_end
  END AS end_time,
  __recordedDate_start AS recorded_time,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(code.coding, ['http://snomed.info/sct', 'http://hl7.org/fhir/sid/icd-10-cm', 'http://hl7.org/fhir/sid/icd-10', 'http://hl7.org/fhir/sid/icd-9-cm']) AS coding
  FROM Condition
) AS condition
