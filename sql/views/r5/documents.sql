-- name: documents
-- fhir: R5
-- grain: SELECT count(*) FROM DocumentReference
SELECT
  id AS document_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  array_filter(context, e -> e['__reference_type'] = 'Encounter')[1]['__reference_id'] AS encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) OR coalesce(docStatus = 'entered-in-error', false) AS is_entered_in_error,
  docStatus AS document_status,
  category[1]['coding'][1]['code'] AS category_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], type.text) AS code_display,
  period.__start_start AS start_time,
  CASE WHEN period.end LIKE '%T%' THEN period.__end_start ELSE period.__end_end END AS end_time,
  __date_start AS recorded_time,
  coalesce(content[1]['attachment']['title'], description) AS title,
  content[1]['attachment']['contentType'] AS content_type,
  content[1]['attachment']['url'] AS content_url,
  CAST(coalesce(array_length(content), 0) AS INT) AS content_count,
  coalesce(practitioner['__reference_id'], found_practitioner.resource_id) AS practitioner_id,
  coalesce(custodian.__reference_id, found_organization.resource_id) AS organization_id,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(type.coding, ['http://loinc.org', 'http://snomed.info/sct']) AS coding,
    array_filter(author, p -> coalesce(p['__reference_type'], p['type']) = 'Practitioner')[1] AS practitioner
  FROM DocumentReference
)
LEFT JOIN conditional_references AS found_practitioner ON found_practitioner.reference = conditional_reference(practitioner)
LEFT JOIN conditional_references AS found_organization ON found_organization.reference = conditional_reference(custodian, 'Organization')
