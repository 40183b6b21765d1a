-- name: medication_dispenses
-- fhir: R5
-- grain: SELECT count(*) FROM MedicationDispense
SELECT
  id AS medication_dispense_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  encounter.__reference_id AS encounter_id,
  CASE WHEN medication.reference.__reference_type = 'Medication' THEN medication.reference.__reference_id END AS medication_id,
  array_filter(authorizingPrescription, r -> r['__reference_type'] = 'MedicationRequest')[1]['__reference_id'] AS medication_request_id,
  dispense.status,
  coalesce(dispense.status = 'entered-in-error', false) AS is_entered_in_error,
  category[1]['coding'][1]['code'] AS category_code,
  coalesce(coding['system'], medications.code_system) AS code_system,
  coalesce(coding['code'], medications.code) AS code,
  coalesce(coding['display'], medication.concept.text, medications.code_display, medication.reference.display) AS code_display,
  coalesce(__whenHandedOver_start, __whenPrepared_start) AS start_time,
  quantity.__value_double AS dispense_double,
  coalesce(quantity.code, quantity.unit) AS dispense_unit,
  CASE WHEN coalesce(daysSupply.code, daysSupply.unit, 'd') IN ('d', 'day', 'days', 'Day', 'Days') THEN daysSupply.__value_double END AS days_supply,
  dosageInstruction[1]['text'] AS dosage_text,
  dosageInstruction[1]['route']['coding'][1]['code'] AS route_code,
  dose['__value_double'] AS value_double,
  coalesce(dose['code'], dose['unit']) AS value_unit,
  coalesce(location.__reference_id, found_location.resource_id) AS location_id,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(medication.concept.coding, ['http://www.nlm.nih.gov/research/umls/rxnorm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/ndc', 'http://www.whocc.no/atc']) AS coding,
    dosageInstruction[1]['doseAndRate'][1]['doseQuantity'] AS dose
  FROM MedicationDispense
) AS dispense
LEFT JOIN medications
  ON medication.reference.__reference_type = 'Medication' AND medications.medication_id = medication.reference.__reference_id
LEFT JOIN conditional_references AS found_location ON found_location.reference = conditional_reference(location, 'Location')
