CREATE VIEW locations AS
SELECT
  id AS location_id,
  body->>'name' AS location_name,
  body->>'status' AS status,
  body->>'mode' AS mode_code,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'$.type[0]') AS code_display,
  body->>'$.form.coding[0].code' AS physical_type_code,
  id_of_any(body->'managingOrganization', 'Organization') AS organization_id,
  body->>'$.managingOrganization.display' AS organization_name,
  id_of_any(body->'partOf', 'Location') AS part_of_location_id,
  contact_telecom(body, 'phone') AS phone,
  body->>'$.address.city' AS city,
  body->>'$.address.state' AS state,
  body->>'$.address.postalCode' AS postal_code,
  body->>'$.address.country' AS country,
  CAST(body->>'$.position.latitude' AS DOUBLE) AS latitude,
  CAST(body->>'$.position.longitude' AS DOUBLE) AS longitude,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT *, chosen(body->'$.type[0]', ['http://terminology.hl7.org/CodeSystem/v3-RoleCode', 'http://snomed.info/sct']) AS coding
  FROM resource
)
WHERE type = 'Location';
