CREATE VIEW medication_dispenses AS
SELECT
  id AS medication_dispense_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  medication_id,
  first_id(body->'authorizingPrescription', 'MedicationRequest') AS medication_request_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  body->>'$.category[0].coding[0].code' AS category_code,
  code_system, code, code_display,
  first_moment(coalesce(body->>'whenHandedOver', body->>'whenPrepared')) AS start_time,
  amount(body->'quantity') AS dispense_double,
  unit(body->'quantity') AS dispense_unit,
  days(body->'daysSupply', 'd') AS days_supply,
  body->>'$.dosageInstruction[0].text' AS dosage_text,
  body->>'$.dosageInstruction[0].route.coding[0].code' AS route_code,
  amount(body->'$.dosageInstruction[0].doseAndRate[0].doseQuantity') AS value_double,
  unit(body->'$.dosageInstruction[0].doseAndRate[0].doseQuantity') AS value_unit,
  id_of_any(body->'location', 'Location') AS location_id,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM resource
JOIN medication_named USING (type, id)
WHERE type = 'MedicationDispense';
