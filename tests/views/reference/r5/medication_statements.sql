CREATE VIEW medication_statements AS
SELECT
  id AS medication_statement_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  medication_id,
  first_id(body->'derivedFrom', 'MedicationRequest') AS medication_request_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  body->>'$.category[0].coding[0].code' AS category_code,
  code_system, code, code_display,
  first_moment(coalesce(body->>'effectiveDateTime', body->>'$.effectivePeriod.start')) AS start_time,
  last_moment(coalesce(body->>'effectiveDateTime', body->>'$.effectivePeriod.end')) AS end_time,
  first_moment(body->>'dateAsserted') AS asserted_time,
  body->>'$.dosage[0].text' AS dosage_text,
  body->>'$.dosage[0].route.coding[0].code' AS route_code,
  amount(body->'$.dosage[0].doseAndRate[0].doseQuantity') AS value_double,
  unit(body->'$.dosage[0].doseAndRate[0].doseQuantity') AS value_unit,
  first_concept(body->'reason')->>'$.coding[0].code' AS reason_code,
  first_id(to_json(body->'$.reason[*].reference'), 'Condition') AS reason_condition_id,
  chosen(body->'$.adherence.code', ['http://hl7.org/fhir/CodeSystem/medication-statement-adherence'])->>'code' AS adherence_code,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM resource
JOIN medication_named USING (type, id)
WHERE type = 'MedicationStatement';
