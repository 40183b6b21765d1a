-- name: diagnostic_reports
-- description: One row per diagnostic report: laboratory, imaging, pathology, and clinical notes that are sent as reports.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM DiagnosticReport
-- key: diagnostic_report_id of DiagnosticReport
-- columns:
--   diagnostic_report_id STRING: id of the DiagnosticReport
--   patient_id STRING: id of the Patient; NULL where the subject is another thing or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was ordered
--   status STRING: registered, partial, preliminary, final, amended, corrected, appended, cancelled, entered-in-error, unknown
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   category_code STRING: first coding of the first category, such as LAB or RAD
--   category_codes STRING: all codings of all categories, separated by commas
--   code_system STRING: system of the coding chosen: LOINC, else SNOMED CT, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the concept
--   start_time TIMESTAMP: the time that it tells of, or when that began; a partial date counts from its first moment
--   end_time TIMESTAMP: when that ended; a partial date counts to its last moment
--   issued_time TIMESTAMP: when it was made available
--   conclusion_code STRING: code of the first conclusion: SNOMED CT, else the first
--   conclusion_text STRING: the conclusion as text
--   result_count INT: how many Observations it refers to as its results
--   content_type STRING: MIME type of the first form that is attached
--   practitioner_id STRING: id of the first performer who is said to be a Practitioner; a reference by identifier counts where exactly one has it
--   organization_id STRING: id of the first performer that is said to be an Organization; a reference by identifier counts where exactly one has it
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS diagnostic_report_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  encounter.__reference_id AS encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  category[1]['coding'][1]['code'] AS category_code,
  nullif(array_to_string(array_transform(flatten(array_transform(category, c -> c['coding'])), c -> c['code']), ','), '') AS category_codes,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], report.code.text) AS code_display,
  coalesce(__effectiveDateTime_start, effectivePeriod.__start_start) AS start_time,
  CASE
    WHEN effectiveDateTime LIKE '%T%' THEN __effectiveDateTime_start
    WHEN effectiveDateTime IS NOT NULL THEN __effectiveDateTime_end
    WHEN effectivePeriod.end LIKE '%T%' THEN effectivePeriod.__end_start
    ELSE effectivePeriod.__end_end
  END AS end_time,
  __issued_start AS issued_time,
  preferred_coding(conclusionCode[1]['coding'], ['http://snomed.info/sct'])['code'] AS conclusion_code,
  conclusion AS conclusion_text,
  CAST(coalesce(array_length(result), 0) AS INT) AS result_count,
  presentedForm[1]['contentType'] AS content_type,
  coalesce(practitioner['__reference_id'], found_practitioner.resource_id) AS practitioner_id,
  coalesce(organization['__reference_id'], found_organization.resource_id) AS organization_id,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(code.coding, ['http://loinc.org', 'http://snomed.info/sct']) AS coding,
    array_filter(performer, p -> coalesce(p['__reference_type'], p['type']) = 'Practitioner')[1] AS practitioner,
    array_filter(performer, p -> coalesce(p['__reference_type'], p['type']) = 'Organization')[1] AS organization
  FROM DiagnosticReport
) AS report
LEFT JOIN conditional_references AS found_practitioner ON found_practitioner.reference = conditional_reference(practitioner)
LEFT JOIN conditional_references AS found_organization ON found_organization.reference = conditional_reference(organization)
