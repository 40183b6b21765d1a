-- name: medication_dispenses
-- description: One row per medication dispense: what a pharmacy handed out, or was to.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM MedicationDispense
-- key: medication_dispense_id of MedicationDispense
-- columns:
--   medication_dispense_id STRING: id of the MedicationDispense
--   patient_id STRING: id of the Patient; NULL where the subject is a Group or cannot be resolved
--   encounter_id STRING: id of the Encounter that it is part of
--   medication_id STRING: id of the Medication, where the dispense refers to one
--   medication_request_id STRING: id of the first MedicationRequest that authorizes it
--   status STRING: preparation, in-progress, cancelled, on-hold, completed, entered-in-error, stopped, declined, unknown
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   category_code STRING: first coding of the category, such as inpatient or community
--   code_system STRING: system of the coding chosen from the medication, as in medication_requests
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the concept, else the display of the reference
--   start_time TIMESTAMP: when it was handed over, else when it was made ready; a partial date counts from its first moment
--   dispense_double DOUBLE: amount dispensed
--   dispense_unit STRING: its unit's code (UCUM where the server gives it), else its name
--   days_supply DOUBLE: how many days that amount is to last, where the server says it in days or without a unit
--   dosage_text STRING: the first dosage as text
--   route_code STRING: first coding of how the first dosage gets into the body
--   value_double DOUBLE: amount of the first dose of the first dosage
--   value_unit STRING: its unit's code, else its name
--   location_id STRING: id of the Location; a reference by identifier counts where exactly one has it
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS medication_dispense_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  CASE WHEN context.__reference_type = 'Encounter' THEN context.__reference_id END AS encounter_id,
  CASE WHEN medicationReference.__reference_type = 'Medication' THEN medicationReference.__reference_id END AS medication_id,
  array_filter(authorizingPrescription, r -> r['__reference_type'] = 'MedicationRequest')[1]['__reference_id'] AS medication_request_id,
  dispense.status,
  coalesce(dispense.status = 'entered-in-error', false) AS is_entered_in_error,
  category.coding[1]['code'] AS category_code,
  coalesce(coding['system'], medications.code_system) AS code_system,
  coalesce(coding['code'], medications.code) AS code,
  coalesce(coding['display'], medicationCodeableConcept.text, medications.code_display, medicationReference.display) AS code_display,
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
    preferred_coding(medicationCodeableConcept.coding, ['http://www.nlm.nih.gov/research/umls/rxnorm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/ndc', 'http://www.whocc.no/atc']) AS coding,
    dosageInstruction[1]['doseAndRate'][1]['doseQuantity'] AS dose
  FROM MedicationDispense
) AS dispense
LEFT JOIN medications
  ON dispense.medicationReference.__reference_type = 'Medication' AND medications.medication_id = dispense.medicationReference.__reference_id
LEFT JOIN conditional_references AS found_location ON found_location.reference = conditional_reference(location, 'Location')
