CREATE VIEW care_plans AS
SELECT
  id AS care_plan_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  body->>'intent' AS intent_code,
  body->>'title' AS title,
  body->>'$.category[0].coding[0].code' AS category_code,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'$.category[0]') AS code_display,
  first_moment(body->>'$.period.start') AS start_time,
  last_moment(body->>'$.period.end') AS end_time,
  first_moment(body->>'created') AS created_time,
  first_id(to_json(body->'$.addresses[*].reference'), 'Condition') AS condition_id,
  CAST(coalesce(json_array_length(body, '$.activity'), 0) AS INT) AS activity_count,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT *, chosen(json_object('coding', to_json(body->'$.category[*].coding[*]')), ['http://snomed.info/sct', 'http://loinc.org']) AS coding
  FROM resource
)
WHERE type = 'CarePlan';
