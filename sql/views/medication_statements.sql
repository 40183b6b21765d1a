-- name: medication_statements
-- description: One row per medication statement: what a patient takes, took or does not take, as somebody says.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM MedicationStatement
-- key: medication_statement_id of MedicationStatement
-- columns:
--   medication_statement_id STRING: id of the MedicationStatement
--   patient_id STRING: id of the Patient; NULL where the subject is a Group or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was said
--   medication_id STRING: id of the Medication, where the statement refers to one
--   medication_request_id STRING: id of the first MedicationRequest that it is based on
--   status STRING: active, completed, entered-in-error, intended, stopped, on-hold, unknown, not-taken; in R5 recorded, entered-in-error, draft
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   category_code STRING: first coding of the category, such as inpatient or patientspecified
--   code_system STRING: system of the coding chosen from the medication, as in medication_requests
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the concept, else the display of the reference
--   start_time TIMESTAMP: when it is or was taken, or when that began; a partial date counts from its first moment
--   end_time TIMESTAMP: when that ended; a partial date counts to its last moment
--   asserted_time TIMESTAMP: when it was said; a partial date counts from its first moment
--   dosage_text STRING: the first dosage as text
--   route_code STRING: first coding of how the first dosage gets into the body
--   value_double DOUBLE: amount of the first dose of the first dosage
--   value_unit STRING: its unit's code (UCUM where the server gives it), else its name
--   reason_code STRING: first coding of the first reason
--   reason_condition_id STRING: id of the first Condition given as a reason
--   adherence_code STRING: coding of how the patient keeps to it, HL7's, else the first, such as taking or not-taking, which R5 says; NULL in R4, where the status says it
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS medication_statement_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  CASE WHEN context.__reference_type = 'Encounter' THEN context.__reference_id END AS encounter_id,
  CASE WHEN medicationReference.__reference_type = 'Medication' THEN medicationReference.__reference_id END AS medication_id,
  array_filter(basedOn, r -> r['__reference_type'] = 'MedicationRequest')[1]['__reference_id'] AS medication_request_id,
  statement.status,
  coalesce(statement.status = 'entered-in-error', false) AS is_entered_in_error,
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
  __dateAsserted_start AS asserted_time,
  dosage[1]['text'] AS dosage_text,
  dosage[1]['route']['coding'][1]['code'] AS route_code,
  dose['__value_double'] AS value_double,
  coalesce(dose['code'], dose['unit']) AS value_unit,
  reasonCode[1]['coding'][1]['code'] AS reason_code,
  array_filter(reasonReference, r -> r['__reference_type'] = 'Condition')[1]['__reference_id'] AS reason_condition_id,
  CAST(NULL AS STRING) AS adherence_code,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(medicationCodeableConcept.coding, ['http://www.nlm.nih.gov/research/umls/rxnorm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/ndc', 'http://www.whocc.no/atc']) AS coding,
    dosage[1]['doseAndRate'][1]['doseQuantity'] AS dose
  FROM MedicationStatement
) AS statement
LEFT JOIN medications
  ON statement.medicationReference.__reference_type = 'Medication' AND medications.medication_id = statement.medicationReference.__reference_id
