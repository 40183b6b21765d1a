-- name: documents
-- description: One row per document: clinical notes, letters, scans. What is in them is in the table DocumentReference, or where their URL says.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM DocumentReference
-- key: document_id of DocumentReference
-- columns:
--   document_id STRING: id of the DocumentReference
--   patient_id STRING: id of the Patient; NULL where the subject is another thing or cannot be resolved
--   encounter_id STRING: id of the first Encounter that it is about
--   status STRING: of the reference: current, superseded, entered-in-error
--   is_entered_in_error BOOLEAN: whether the reference or the document was recorded by mistake
--   document_status STRING: of the document: preliminary, final, amended, entered-in-error
--   category_code STRING: first coding of the first category, such as clinical-note
--   code_system STRING: system of the coding chosen from the type: LOINC, else SNOMED CT, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the type
--   start_time TIMESTAMP: when what it tells of began; a partial date counts from its first moment
--   end_time TIMESTAMP: when that ended; a partial date counts to its last moment
--   recorded_time TIMESTAMP: when the reference was made
--   title STRING: title of the first content, else the description of the document
--   content_type STRING: MIME type of the first content
--   content_url STRING: where the first content is, if it is not in the resource
--   content_count INT: in how many forms the document is there
--   practitioner_id STRING: id of the first author who is said to be a Practitioner; a reference by identifier counts where exactly one has it
--   organization_id STRING: id of the Organization that keeps it; a reference by identifier counts where exactly one has it
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS document_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  array_filter(context.encounter, e -> e['__reference_type'] = 'Encounter')[1]['__reference_id'] AS encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) OR coalesce(docStatus = 'entered-in-error', false) AS is_entered_in_error,
  docStatus AS document_status,
  category[1]['coding'][1]['code'] AS category_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], type.text) AS code_display,
  context.period.__start_start AS start_time,
  CASE WHEN context.period.end LIKE '%T%' THEN context.period.__end_start ELSE context.period.__end_end END AS end_time,
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
