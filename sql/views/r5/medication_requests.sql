-- name: medication_requests
-- fhir: R5
-- grain: SELECT count(*) FROM MedicationRequest
SELECT
  id AS medication_request_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  encounter.__reference_id AS encounter_id,
  CASE WHEN medication.reference.__reference_type = 'Medication' THEN medication.reference.__reference_id END AS medication_id,
  request.status,
  coalesce(request.status = 'entered-in-error', false) AS is_entered_in_error,
  intent AS intent_code,
  coalesce(doNotPerform, false) AS is_prohibited,
  category[1]['coding'][1]['code'] AS category_code,
  coalesce(coding['system'], medications.code_system) AS code_system,
  coalesce(coding['code'], medications.code) AS code,
  coalesce(coding['display'], medication.concept.text, medications.code_display, medication.reference.display) AS code_display,
  __authoredOn_start AS start_time,
  CASE
    WHEN dispenseRequest.validityPeriod.end LIKE '%T%' THEN dispenseRequest.validityPeriod.__end_start
    ELSE dispenseRequest.validityPeriod.__end_end
  END AS end_time,
  coalesce(array_length(dosageInstruction[1]['asNeededFor']) > 0, false) OR dosageInstruction[1]['asNeeded'] AS is_as_needed,
  dosageInstruction[1]['text'] AS dosage_text,
  dosageInstruction[1]['route']['coding'][1]['code'] AS route_code,
  dose['__value_double'] AS value_double,
  coalesce(dose['code'], dose['unit']) AS value_unit,
  dispenseRequest.quantity.__value_double AS dispense_double,
  coalesce(dispenseRequest.quantity.code, dispenseRequest.quantity.unit) AS dispense_unit,
  CASE WHEN coalesce(dispenseRequest.expectedSupplyDuration.code, dispenseRequest.expectedSupplyDuration.unit) IN ('d', 'day', 'days', 'Day', 'Days') THEN dispenseRequest.expectedSupplyDuration.__value_double END AS days_supply,
  dispenseRequest.numberOfRepeatsAllowed AS repeats_allowed,
  coded_reason['coding'][1]['code'] AS reason_code,
  array_filter(reason, r -> r['reference']['__reference_type'] = 'Condition')[1]['reference']['__reference_id'] AS reason_condition_id,
  coalesce(CASE WHEN requester.__reference_type = 'Practitioner' THEN requester.__reference_id END, found_practitioner.resource_id) AS practitioner_id,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(medication.concept.coding, ['http://www.nlm.nih.gov/research/umls/rxnorm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/ndc', 'http://www.whocc.no/atc']) AS coding,
    dosageInstruction[1]['doseAndRate'][1]['doseQuantity'] AS dose,
    array_filter(reason, r -> r['concept'] IS NOT NULL)[1]['concept'] AS coded_reason
  FROM MedicationRequest
) AS request
LEFT JOIN medications
  ON medication.reference.__reference_type = 'Medication' AND medications.medication_id = medication.reference.__reference_id
LEFT JOIN conditional_references AS found_practitioner
  ON found_practitioner.reference = conditional_reference(requester, 'Practitioner') AND found_practitioner.resource_type = 'Practitioner'
