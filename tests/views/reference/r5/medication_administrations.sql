CREATE VIEW medication_administrations AS
SELECT
  id AS medication_administration_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  medication_id,
  id_of(body->>'$.request.reference', 'MedicationRequest') AS medication_request_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  body->>'$.category[0].coding[0].code' AS category_code,
  code_system, code, code_display,
  first_moment(coalesce(body->>'occurenceDateTime', body->>'$.occurencePeriod.start')) AS start_time,
  last_moment(coalesce(body->>'occurenceDateTime', body->>'$.occurencePeriod.end')) AS end_time,
  body->>'$.dosage.text' AS dosage_text,
  body->>'$.dosage.route.coding[0].code' AS route_code,
  amount(body->'$.dosage.dose') AS value_double,
  unit(body->'$.dosage.dose') AS value_unit,
  amount(body->'$.dosage.rateQuantity') AS rate_double,
  unit(body->'$.dosage.rateQuantity') AS rate_unit,
  first_concept(body->'reason')->>'$.coding[0].code' AS reason_code,
  first_id(to_json(body->'$.reason[*].reference'), 'Condition') AS reason_condition_id,
  id_of_any(first_said(body->'performer', '$.actor.reference', 'Practitioner'), 'Practitioner') AS practitioner_id,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM resource
JOIN medication_named USING (type, id)
WHERE type = 'MedicationAdministration';
