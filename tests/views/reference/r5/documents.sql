CREATE VIEW documents AS
SELECT
  id AS document_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  first_id(body->'$.context', 'Encounter') AS encounter_id,
  body->>'status' AS status,
  is_mistake(body->>'status') OR is_mistake(body->>'docStatus') AS is_entered_in_error,
  body->>'docStatus' AS document_status,
  body->>'$.category[0].coding[0].code' AS category_code,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'type') AS code_display,
  first_moment(body->>'$.period.start') AS start_time,
  last_moment(body->>'$.period.end') AS end_time,
  first_moment(body->>'date') AS recorded_time,
  coalesce(body->>'$.content[0].attachment.title', body->>'description') AS title,
  body->>'$.content[0].attachment.contentType' AS content_type,
  body->>'$.content[0].attachment.url' AS content_url,
  CAST(coalesce(json_array_length(body, '$.content'), 0) AS INT) AS content_count,
  id_of_any(first_said(body->'author', '$', 'Practitioner'), 'Practitioner') AS practitioner_id,
  id_of_any(body->'custodian', 'Organization') AS organization_id,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (SELECT *, measurement_of(body->'type') AS coding FROM resource)
WHERE type = 'DocumentReference';
