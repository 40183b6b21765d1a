CREATE VIEW organizations AS
SELECT
  id AS organization_id,
  body->>'name' AS organization_name,
  npi(body) AS npi,
  CAST(body->>'active' AS BOOLEAN) AS is_active,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'$.type[0]') AS code_display,
  id_of_any(body->'partOf', 'Organization') AS part_of_organization_id,
  first_telecom(body, 'phone') AS phone,
  body->>'$.address[0].city' AS city,
  body->>'$.address[0].state' AS state,
  body->>'$.address[0].postalCode' AS postal_code,
  body->>'$.address[0].country' AS country,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT *, chosen(body->'$.type[0]', ['http://terminology.hl7.org/CodeSystem/organization-type']) AS coding FROM resource
)
WHERE type = 'Organization';
