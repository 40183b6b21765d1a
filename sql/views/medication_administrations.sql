-- name: medication_administrations
-- description: One row per medication administration: a dose given, a course of them, or one not given (status not-done).
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM MedicationAdministration
-- key: medication_administration_id of MedicationAdministration
-- columns:
--   medication_administration_id STRING: id of the MedicationAdministration
--   patient_id STRING: id of the Patient; NULL where the subject is a Group or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was given
--   medication_id STRING: id of the Medication, where the administration refers to one
--   medication_request_id STRING: id of the MedicationRequest that asked for it
--   status STRING: in-progress, not-done, on-hold, completed, entered-in-error, stopped, unknown
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   category_code STRING: first coding of the category, such as inpatient or outpatient
--   code_system STRING: system of the coding chosen from the medication, as in medication_requests
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the concept, else the display of the reference
--   start_time TIMESTAMP: when it was given, or when that began; a partial date counts from its first moment
--   end_time TIMESTAMP: when that ended; a partial date counts to its last moment
--   dosage_text STRING: the dosage as text
--   route_code STRING: first coding of how it got into the body
--   value_double DOUBLE: amount of the dose
--   value_unit STRING: its unit's code (UCUM where the server gives it), else its name
--   rate_double DOUBLE: amount for each unit of time, where the rate is a Quantity
--   rate_unit STRING: its unit's code, else its name
--   reason_code STRING: first coding of the first reason
--   reason_condition_id STRING: id of the first Condition given as a reason
--   practitioner_id STRING: id of the first performer who is said to be a Practitioner; a reference by identifier counts where exactly one has it
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS medication_administration_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  CASE WHEN context.__reference_type = 'Encounter' THEN context.__reference_id END AS encounter_id,
  CASE WHEN medicationReference.__reference_type = 'Medication' THEN medicationReference.__reference_id END AS medication_id,
  request.__reference_id AS medication_request_id,
  administration.status,
  coalesce(administration.status = 'entered-in-error', false) AS is_entered_in_error,
  category.coding[1]['code'] AS category_code,
  coalesce(coding['system'], medications.code_system) AS code_system,
  coalesce(coding['code'], medications.code) AS code,
  coalesce(coding['display'], medicationCodeableConcept.text, medications.code_display, medicationReference.display) AS code_display,
  coalesce(__effectiveDateTime_start, effectivePeriod.__start_start) AS start_time,
  CASE
    WHEN effectiveDateTime LIKE '%T%' THEN __effectiveDateTime_start
    WHEN effectiveDateTime IS NOT NULL THEN __effectiveDateTime_end
    WHEN effectivePeriod.end LIKE '%T%' THEN effectivePeriod.__end_start
    ELSE effectivePeriod.__end_end
  END AS end_time,
  dosage.text AS dosage_text,
  dosage.route.coding[1]['code'] AS route_code,
  dosage.dose.__value_double AS value_double,
  coalesce(dosage.dose.code, dosage.dose.unit) AS value_unit,
  dosage.rateQuantity.__value_double AS rate_double,
  coalesce(dosage.rateQuantity.code, dosage.rateQuantity.unit) AS rate_unit,
  reasonCode[1]['coding'][1]['code'] AS reason_code,
  array_filter(reasonReference, r -> r['__reference_type'] = 'Condition')[1]['__reference_id'] AS reason_condition_id,
  coalesce(practitioner['__reference_id'], found_practitioner.resource_id) AS practitioner_id,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(medicationCodeableConcept.coding, ['http://www.nlm.nih.gov/research/umls/rxnorm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/ndc', 'http://www.whocc.no/atc']) AS coding,
    array_filter(performer, p -> coalesce(p['actor']['__reference_type'], p['actor']['type']) = 'Practitioner')[1]['actor'] AS practitioner
  FROM MedicationAdministration
) AS administration
LEFT JOIN medications
  ON administration.medicationReference.__reference_type = 'Medication' AND medications.medication_id = administration.medicationReference.__reference_id
LEFT JOIN conditional_references AS found_practitioner ON found_practitioner.reference = conditional_reference(practitioner)
