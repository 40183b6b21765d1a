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
  contact_telecom(body, 'phone') AS phone,
  address->>'city' AS city,
  address->>'state' AS state,
  address->>'postalCode' AS postal_code,
  address->>'country' AS country,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT *, body->'$.contact[*].address' AS addresses, addresses[1] AS address, chosen(body->'$.type[0]', ['http://terminology.hl7.org/CodeSystem/organization-type']) AS coding FROM resource
)
WHERE type = 'Organization';
