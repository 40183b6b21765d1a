-- name: medication_requests
-- description: One row per medication request: prescriptions and orders.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM MedicationRequest
-- key: medication_request_id of MedicationRequest
-- columns:
--   medication_request_id STRING: id of the MedicationRequest
--   patient_id STRING: id of the Patient; NULL where the subject is a Group or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was made
--   medication_id STRING: id of the Medication, where the request refers to one
--   status STRING: active, on-hold, cancelled, completed, entered-in-error, stopped, draft, unknown
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   intent_code STRING: proposal, plan, order, original-order, reflex-order, filler-order, instance-order, option
--   is_prohibited BOOLEAN: whether it asks not to give the medication (doNotPerform)
--   category_code STRING: first coding of the first category, such as inpatient or community
--   code_system STRING: system of the coding chosen from the medication, which is the request's own or that of the Medication it refers to: RxNorm, else SNOMED CT, else NDC, else ATC, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the concept, else the display of the reference
--   start_time TIMESTAMP: when it was written (authoredOn); a partial date counts from its first moment
--   end_time TIMESTAMP: until when it may be dispensed; a partial date counts to its last moment
--   is_as_needed BOOLEAN: whether the first dosage is to be taken as needed; true also where it says for what (asNeededCodeableConcept)
--   dosage_text STRING: the first dosage as text
--   route_code STRING: first coding of how the first dosage gets into the body
--   value_double DOUBLE: amount of the first dose of the first dosage
--   value_unit STRING: its unit's code (UCUM where the server gives it), else its name
--   dispense_double DOUBLE: amount to be dispensed each time
--   dispense_unit STRING: its unit's code, else its name
--   days_supply DOUBLE: how many days that amount is to last, where the server says it in days
--   repeats_allowed INT: how many times it may be dispensed again
--   reason_code STRING: first coding of the first reason
--   reason_condition_id STRING: id of the first Condition given as a reason
--   practitioner_id STRING: id of the Practitioner who asked for it; a reference by identifier counts where exactly one has it
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS medication_request_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  encounter.__reference_id AS encounter_id,
  CASE WHEN medicationReference.__reference_type = 'Medication' THEN medicationReference.__reference_id END AS medication_id,
  request.status,
  coalesce(request.status = 'entered-in-error', false) AS is_entered_in_error,
  intent AS intent_code,
  coalesce(doNotPerform, false) AS is_prohibited,
  category[1]['coding'][1]['code'] AS category_code,
  coalesce(coding['system'], medications.code_system) AS code_system,
  coalesce(coding['code'], medications.code) AS code,
  coalesce(coding['display'], medicationCodeableConcept.text, medications.code_display, medicationReference.display) AS code_display,
  __authoredOn_start AS start_time,
  CASE
    WHEN dispenseRequest.validityPeriod.end LIKE '%T%' THEN dispenseRequest.validityPeriod.__end_start
    ELSE dispenseRequest.validityPeriod.__end_end
  END AS end_time,
  dosageInstruction[1]['asNeededCodeableConcept'] IS NOT NULL OR dosageInstruction[1]['asNeededBoolean'] AS is_as_needed,
  dosageInstruction[1]['text'] AS dosage_text,
  dosageInstruction[1]['route']['coding'][1]['code'] AS route_code,
  dose['__value_double'] AS value_double,
  coalesce(dose['code'], dose['unit']) AS value_unit,
  dispenseRequest.quantity.__value_double AS dispense_double,
  coalesce(dispenseRequest.quantity.code, dispenseRequest.quantity.unit) AS dispense_unit,
  CASE WHEN coalesce(dispenseRequest.expectedSupplyDuration.code, dispenseRequest.expectedSupplyDuration.unit) IN ('d', 'day', 'days', 'Day', 'Days') THEN dispenseRequest.expectedSupplyDuration.__value_double END AS days_supply,
  dispenseRequest.numberOfRepeatsAllowed AS repeats_allowed,
  reasonCode[1]['coding'][1]['code'] AS reason_code,
  array_filter(reasonReference, r -> r['__reference_type'] = 'Condition')[1]['__reference_id'] AS reason_condition_id,
  coalesce(CASE WHEN requester.__reference_type = 'Practitioner' THEN requester.__reference_id END, found_practitioner.resource_id) AS practitioner_id,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(medicationCodeableConcept.coding, ['http://www.nlm.nih.gov/research/umls/rxnorm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/ndc', 'http://www.whocc.no/atc']) AS coding,
    dosageInstruction[1]['doseAndRate'][1]['doseQuantity'] AS dose
  FROM MedicationRequest
) AS request
LEFT JOIN medications
  ON request.medicationReference.__reference_type = 'Medication' AND medications.medication_id = request.medicationReference.__reference_id
LEFT JOIN conditional_references AS found_practitioner
  ON found_practitioner.reference = conditional_reference(requester, 'Practitioner') AND found_practitioner.resource_type = 'Practitioner'
