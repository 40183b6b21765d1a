-- name: procedures
-- fhir: R5
-- grain: SELECT count(*) FROM Procedure
SELECT
  id AS procedure_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  encounter.__reference_id AS encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  category[1]['coding'][1]['code'] AS category_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], procedure.code.text) AS code_display,
  coalesce(__occurrenceDateTime_start, occurrencePeriod.__start_start) AS start_time,
  CASE
    WHEN occurrenceDateTime LIKE '%T%' THEN __occurrenceDateTime_start
    WHEN occurrenceDateTime IS NOT NULL THEN __occurrenceDateTime_end
    WHEN occurrencePeriod.end LIKE '%T%' THEN occurrencePeriod.__end_start
    ELSE occurrencePeriod.__end_end
  END AS end_time,
  coded_reason['coding'][1]['code'] AS reason_code,
  coalesce(coded_reason['coding'][1]['display'], coded_reason['text']) AS reason_display,
  array_filter(reason, r -> r['reference']['__reference_type'] = 'Condition')[1]['reference']['__reference_id'] AS reason_condition_id,
  bodySite[1]['coding'][1]['code'] AS body_site_code,
  outcome.coding[1]['code'] AS outcome_code,
  coalesce(practitioner['__reference_id'], found_practitioner.resource_id) AS practitioner_id,
  coalesce(location.__reference_id, found_location.resource_id) AS location_id,
  location.display AS location_name,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(code.coding, ['http://snomed.info/sct', 'http://www.ama-assn.org/go/cpt', 'http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets', 'urn:oid:2.16.840.1.113883.6.285', 'http://www.cms.gov/Medicare/Coding/ICD10', 'http://loinc.org']) AS coding,
    array_filter(performer, p -> coalesce(p['actor']['__reference_type'], p['actor']['type']) = 'Practitioner')[1]['actor'] AS practitioner,
    array_filter(reason, r -> r['concept'] IS NOT NULL)[1]['concept'] AS coded_reason
  FROM Procedure
) AS procedure
LEFT JOIN conditional_references AS found_practitioner ON found_practitioner.reference = conditional_reference(practitioner)
LEFT JOIN conditional_references AS found_location ON found_location.reference = conditional_reference(location, 'Location')
