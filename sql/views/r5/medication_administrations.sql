-- name: medication_administrations
-- fhir: R5
-- grain: SELECT count(*) FROM MedicationAdministration
SELECT
  id AS medication_administration_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  encounter.__reference_id AS encounter_id,
  CASE WHEN medication.reference.__reference_type = 'Medication' THEN medication.reference.__reference_id END AS medication_id,
  request.__reference_id AS medication_request_id,
  administration.status,
  coalesce(administration.status = 'entered-in-error', false) AS is_entered_in_error,
  category[1]['coding'][1]['code'] AS category_code,
  coalesce(coding['system'], medications.code_system) AS code_system,
  coalesce(coding['code'], medications.code) AS code,
  coalesce(coding['display'], medication.concept.text, medications.code_display, medication.reference.display) AS code_display,
  coalesce(__occurenceDateTime_start, occurencePeriod.__start_start) AS start_time,
  CASE
    WHEN occurenceDateTime LIKE '%T%' THEN __occurenceDateTime_start
    WHEN occurenceDateTime IS NOT NULL THEN __occurenceDateTime_end
    WHEN occurencePeriod.end LIKE '%T%' THEN occurencePeriod.__end_start
    ELSE occurencePeriod.__end_end
  END AS end_time,
  dosage.text AS dosage_text,
  dosage.route.coding[1]['code'] AS route_code,
  dosage.dose.__value_double AS value_double,
  coalesce(dosage.dose.code, dosage.dose.unit) AS value_unit,
  dosage.rateQuantity.__value_double AS rate_double,
  coalesce(dosage.rateQuantity.code, dosage.rateQuantity.unit) AS rate_unit,
  coded_reason['coding'][1]['code'] AS reason_code,
  array_filter(reason, r -> r['reference']['__reference_type'] = 'Condition')[1]['reference']['__reference_id'] AS reason_condition_id,
  coalesce(practitioner['__reference_id'], found_practitioner.resource_id) AS practitioner_id,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(medication.concept.coding, ['http://www.nlm.nih.gov/research/umls/rxnorm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/ndc', 'http://www.whocc.no/atc']) AS coding,
    array_filter(performer, p -> coalesce(p['actor']['reference']['__reference_type'], p['actor']['reference']['type']) = 'Practitioner')[1]['actor']['reference'] AS practitioner,
    array_filter(reason, r -> r['concept'] IS NOT NULL)[1]['concept'] AS coded_reason
  FROM MedicationAdministration
) AS administration
LEFT JOIN medications
  ON medication.reference.__reference_type = 'Medication' AND medications.medication_id = medication.reference.__reference_id
LEFT JOIN conditional_references AS found_practitioner ON found_practitioner.reference = conditional_reference(practitioner)
