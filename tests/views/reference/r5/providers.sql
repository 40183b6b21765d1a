-- The coding that says what a role or a specialty is.
CREATE MACRO position_of(concept) AS chosen(concept, ['http://nucc.org/provider-taxonomy', 'http://snomed.info/sct']);

CREATE VIEW providers AS
WITH role AS (
  SELECT id, body AS role_body, id_of_any(body->'practitioner', 'Practitioner') AS practitioner_id FROM resource WHERE type = 'PractitionerRole'
),
person AS (
  SELECT id, body AS person_body, coalesce(first_with(body->'name', '$.use', 'official'), body->'$.name[0]') AS name FROM resource WHERE type = 'Practitioner'
)
SELECT
  coalesce(role.practitioner_id, person.id) AS practitioner_id,
  role.id AS practitioner_role_id,
  coalesce(npi(person_body), CASE WHEN (role_body->>'$.practitioner.identifier.system') = 'http://hl7.org/fhir/sid/us-npi'
    THEN role_body->>'$.practitioner.identifier.value' END) AS npi,
  name->>'family' AS family_name,
  nullif(array_to_string(name->>'$.given[*]', ' '), '') AS given_names,
  coalesce(
    role_body->>'$.practitioner.display', name->>'text',
    nullif(trim(concat(array_to_string(name->>'$.prefix[*]', ' '), ' ', array_to_string(name->>'$.given[*]', ' '), ' ', name->>'family')), '')
  ) AS provider_name,
  person_body->>'gender' AS gender,
  CAST(coalesce(role_body->>'active', person_body->>'active') AS BOOLEAN) AS is_active,
  position_of(role_body->'$.code[0]')->>'system' AS code_system,
  position_of(role_body->'$.code[0]')->>'code' AS code,
  shown(position_of(role_body->'$.code[0]'), role_body->'$.code[0]') AS code_display,
  position_of(role_body->'$.specialty[0]')->>'code' AS specialty_code,
  shown(position_of(role_body->'$.specialty[0]'), role_body->'$.specialty[0]') AS specialty_display,
  id_of_any(role_body->'organization', 'Organization') AS organization_id,
  role_body->>'$.organization.display' AS organization_name,
  id_of_any(role_body->'$.location[0]', 'Location') AS location_id,
  first_moment(role_body->>'$.period.start') AS start_time,
  last_moment(role_body->>'$.period.end') AS end_time,
  coalesce(contact_telecom(role_body, 'phone'), first_telecom(person_body, 'phone')) AS phone,
  coalesce(contact_telecom(role_body, 'email'), first_telecom(person_body, 'email')) AS email,
  first_moment(coalesce(role_body->>'$.meta.lastUpdated', person_body->>'$.meta.lastUpdated')) AS last_updated
FROM role
FULL JOIN person ON person.id = role.practitioner_id;
