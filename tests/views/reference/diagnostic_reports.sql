CREATE VIEW diagnostic_reports AS
SELECT
  id AS diagnostic_report_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  body->>'$.category[0].coding[0].code' AS category_code,
  all_categories(body) AS category_codes,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'code') AS code_display,
  first_moment(coalesce(body->>'effectiveDateTime', body->>'$.effectivePeriod.start')) AS start_time,
  last_moment(coalesce(body->>'effectiveDateTime', body->>'$.effectivePeriod.end')) AS end_time,
  first_moment(body->>'issued') AS issued_time,
  chosen(body->'$.conclusionCode[0]', ['http://snomed.info/sct'])->>'code' AS conclusion_code,
  body->>'conclusion' AS conclusion_text,
  CAST(coalesce(json_array_length(body, '$.result'), 0) AS INT) AS result_count,
  body->>'$.presentedForm[0].contentType' AS content_type,
  id_of_any(first_said(body->'performer', '$', 'Practitioner'), 'Practitioner') AS practitioner_id,
  id_of_any(first_said(body->'performer', '$', 'Organization'), 'Organization') AS organization_id,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (SELECT *, measurement_of(body->'code') AS coding FROM resource)
WHERE type = 'DiagnosticReport';
