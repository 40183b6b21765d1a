-- name: procedures
-- description: One row per procedure: what was done to the patient, or was not (status not-done).
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM Procedure
-- key: procedure_id of Procedure
-- columns:
--   procedure_id STRING: id of the Procedure
--   patient_id STRING: id of the Patient; NULL where the subject is a Group or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was done
--   status STRING: preparation, in-progress, not-done, on-hold, stopped, completed, entered-in-error, unknown
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   category_code STRING: first coding of the category
--   code_system STRING: system of the coding chosen: SNOMED CT, else CPT, else HCPCS, else ICD-10-PCS, else LOINC, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the concept
--   start_time TIMESTAMP: when it was done, or when that began; a partial date counts from its first moment
--   end_time TIMESTAMP: when that ended; a partial date counts to its last moment
--   reason_code STRING: first coding of the first reason
--   reason_display STRING: display of that coding, else the text of the reason
--   reason_condition_id STRING: id of the first Condition given as a reason
--   body_site_code STRING: first coding of the first body site
--   outcome_code STRING: first coding of the outcome
--   practitioner_id STRING: id of the first performer who is said to be a Practitioner; a reference by identifier counts where exactly one has it
--   location_id STRING: id of the Location; a reference by identifier counts where exactly one has it
--   location_name STRING: display of that reference
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS procedure_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  encounter.__reference_id AS encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  category.coding[1]['code'] AS category_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], procedure.code.text) AS code_display,
  coalesce(__performedDateTime_start, performedPeriod.__start_start) AS start_time,
  CASE
    WHEN performedDateTime LIKE '%T%' THEN __performedDateTime_start
    WHEN performedDateTime IS NOT NULL THEN __performedDateTime_end
    WHEN performedPeriod.end LIKE '%T%' THEN performedPeriod.__end_start
    ELSE performedPeriod.__end_end
  END AS end_time,
  reasonCode[1]['coding'][1]['code'] AS reason_code,
  coalesce(reasonCode[1]['coding'][1]['display'], reasonCode[1]['text']) AS reason_display,
  array_filter(reasonReference, r -> r['__reference_type'] = 'Condition')[1]['__reference_id'] AS reason_condition_id,
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
    array_filter(performer, p -> coalesce(p['actor']['__reference_type'], p['actor']['type']) = 'Practitioner')[1]['actor'] AS practitioner
  FROM Procedure
) AS procedure
LEFT JOIN conditional_references AS found_practitioner ON found_practitioner.reference = conditional_reference(practitioner)
LEFT JOIN conditional_references AS found_location ON found_location.reference = conditional_reference(location, 'Location')
