-- name: care_plans
-- fhir: R5
-- grain: SELECT count(*) FROM CarePlan
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
  array_filter(addresses, r -> r['reference']['__reference_type'] = 'Condition')[1]['reference']['__reference_id'] AS condition_id,
  CAST(coalesce(array_length(activity), 0) AS INT) AS activity_count,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(flatten(array_transform(category, c -> c['coding'])), ['http://snomed.info/sct', 'http://loinc.org']) AS coding
  FROM CarePlan
)
