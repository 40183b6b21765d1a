-- name: medication_statements
-- fhir: R5
-- grain: SELECT count(*) FROM MedicationStatement
SELECT
  id AS medication_statement_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  encounter.__reference_id AS encounter_id,
  CASE WHEN medication.reference.__reference_type = 'Medication' THEN medication.reference.__reference_id END AS medication_id,
  array_filter(derivedFrom, r -> r['__reference_type'] = 'MedicationRequest')[1]['__reference_id'] AS medication_request_id,
  statement.status,
  coalesce(statement.status = 'entered-in-error', false) AS is_entered_in_error,
  category[1]['coding'][1]['code'] AS category_code,
  coalesce(coding['system'], medications.code_system) AS code_system,
  coalesce(coding['code'], medications.code) AS code,
  coalesce(coding['display'], medication.concept.text, medications.code_display, medication.reference.display) AS code_display,
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
  coded_reason['coding'][1]['code'] AS reason_code,
  array_filter(reason, r -> r['reference']['__reference_type'] = 'Condition')[1]['reference']['__reference_id'] AS reason_condition_id,
  preferred_coding(adherence.code.coding, ['http://hl7.org/fhir/CodeSystem/medication-statement-adherence'])['code'] AS adherence_code,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(medication.concept.coding, ['http://www.nlm.nih.gov/research/umls/rxnorm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/ndc', 'http://www.whocc.no/atc']) AS coding,
    dosage[1]['doseAndRate'][1]['doseQuantity'] AS dose,
    array_filter(reason, r -> r['concept'] IS NOT NULL)[1]['concept'] AS coded_reason
  FROM MedicationStatement
) AS statement
LEFT JOIN medications
  ON medication.reference.__reference_type = 'Medication' AND medications.medication_id = medication.reference.__reference_id
