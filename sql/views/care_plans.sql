-- name: care_plans
-- description: One row per care plan: what is intended for a patient, over a time.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM CarePlan
-- key: care_plan_id of CarePlan
-- columns:
--   care_plan_id STRING: id of the CarePlan
--   patient_id STRING: id of the Patient; NULL where the subject is a Group or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was made
--   status STRING: draft, active, on-hold, revoked, completed, entered-in-error, unknown
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   intent_code STRING: proposal, plan, order, option
--   title STRING: name of the plan
--   category_code STRING: first coding of the first category, such as assess-plan
--   code_system STRING: system of the coding chosen from all categories: SNOMED CT, else LOINC, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the first category
--   start_time TIMESTAMP: start of the time it covers; a partial date counts from its first moment
--   end_time TIMESTAMP: end of that time; a partial date counts to its last moment
--   created_time TIMESTAMP: when it was first recorded
--   condition_id STRING: id of the first Condition that it addresses
--   activity_count INT: how many activities it has
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS care_plan_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  encounter.__reference_id AS encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  intent AS intent_code,
  title,
  category[1]['coding'][1]['code'] AS category_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], category[1]['text']) AS code_display,
  period.__start_start AS start_time,
  CASE WHEN period.end LIKE '%T%' THEN period.__end_start ELSE period.__end_end END AS end_time,
  __created_start AS created_time,
  array_filter(addresses, r -> r['__reference_type'] = 'Condition')[1]['__reference_id'] AS condition_id,
  CAST(coalesce(array_length(activity), 0) AS INT) AS activity_count,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(flatten(array_transform(category, c -> c['coding'])), ['http://snomed.info/sct', 'http://loinc.org']) AS coding
  FROM CarePlan
)
