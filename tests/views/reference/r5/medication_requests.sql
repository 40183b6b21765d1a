CREATE VIEW medication_requests AS
SELECT
  id AS medication_request_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  medication_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  body->>'intent' AS intent_code,
  coalesce(CAST(body->>'doNotPerform' AS BOOLEAN), false) AS is_prohibited,
  body->>'$.category[0].coding[0].code' AS category_code,
  code_system, code, code_display,
  first_moment(body->>'authoredOn') AS start_time,
  last_moment(body->>'$.dispenseRequest.validityPeriod.end') AS end_time,
  CASE
    WHEN (body->'$.dosageInstruction[0].asNeededFor') IS NOT NULL THEN true
    ELSE CAST(body->>'$.dosageInstruction[0].asNeeded' AS BOOLEAN)
  END AS is_as_needed,
  body->>'$.dosageInstruction[0].text' AS dosage_text,
  body->>'$.dosageInstruction[0].route.coding[0].code' AS route_code,
  amount(body->'$.dosageInstruction[0].doseAndRate[0].doseQuantity') AS value_double,
  unit(body->'$.dosageInstruction[0].doseAndRate[0].doseQuantity') AS value_unit,
  amount(body->'$.dispenseRequest.quantity') AS dispense_double,
  unit(body->'$.dispenseRequest.quantity') AS dispense_unit,
  days(body->'$.dispenseRequest.expectedSupplyDuration', '') AS days_supply,
  CAST(body->>'$.dispenseRequest.numberOfRepeatsAllowed' AS INT) AS repeats_allowed,
  first_concept(body->'reason')->>'$.coding[0].code' AS reason_code,
  first_id(to_json(body->'$.reason[*].reference'), 'Condition') AS reason_condition_id,
  id_of_any(body->'requester', 'Practitioner') AS practitioner_id,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM resource
JOIN medication_named USING (type, id)
WHERE type = 'MedicationRequest';
