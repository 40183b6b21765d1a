CREATE VIEW conditions AS
SELECT
  id AS condition_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  body->>'$.clinicalStatus.coding[0].code' AS status,
  body->>'$.verificationStatus.coding[0].code' AS verification_status,
  coalesce(list_contains(body->>'$.verificationStatus.coding[*].code', 'entered-in-error'), false) AS is_entered_in_error,
  body->>'$.category[0].coding[0].code' AS category_code,
  all_categories(body) AS category_codes,
  body->>'$.severity.coding[0].code' AS severity_code,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'code') AS code_display,
  first_moment(coalesce(body->>'onsetDateTime', body->>'$.onsetPeriod.start')) AS start_time,
  last_moment(coalesce(body->>'abatementDateTime', body->>'$.abatementPeriod.end')) AS end_time,
  first_moment(body->>'recordedDate') AS recorded_time,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (SELECT *, diagnosis_of(body->'code') AS coding FROM resource)
WHERE type = 'Condition';
