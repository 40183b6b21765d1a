-- name: providers
-- fhir: R5
-- grain: SELECT (SELECT count(*) FROM PractitionerRole) + (SELECT count(*) FROM Practitioner LEFT ANTI JOIN (SELECT coalesce(practitioner.__reference_id, found.resource_id) AS practitioner_id FROM PractitionerRole LEFT JOIN conditional_references AS found ON found.reference = conditional_reference(practitioner, 'Practitioner')) AS role ON role.practitioner_id = Practitioner.id)
WITH role AS (
  SELECT
    id AS practitioner_role_id,
    coalesce(practitioner.__reference_id, found_practitioner.resource_id) AS practitioner_id,
    CASE WHEN practitioner.identifier.system = 'http://hl7.org/fhir/sid/us-npi' THEN practitioner.identifier.value END AS npi,
    practitioner.display AS practitioner_name,
    active,
    preferred_coding(code[1]['coding'], ['http://nucc.org/provider-taxonomy', 'http://snomed.info/sct']) AS coding,
    code[1]['text'] AS code_text,
    preferred_coding(specialty[1]['coding'], ['http://nucc.org/provider-taxonomy', 'http://snomed.info/sct']) AS specialty_coding,
    specialty[1]['text'] AS specialty_text,
    coalesce(organization.__reference_id, found_organization.resource_id) AS organization_id,
    organization.display AS organization_name,
    coalesce(location[1]['__reference_id'], found_location.resource_id) AS location_id,
    period.__start_start AS start_time,
    CASE WHEN period.end LIKE '%T%' THEN period.__end_start ELSE period.__end_end END AS end_time,
    array_filter(flatten(array_transform(contact, c -> c['telecom'])), t -> t['system'] = 'phone')[1]['value'] AS phone,
    array_filter(flatten(array_transform(contact, c -> c['telecom'])), t -> t['system'] = 'email')[1]['value'] AS email,
    meta.__lastUpdated_start AS last_updated
  FROM PractitionerRole
  LEFT JOIN conditional_references AS found_practitioner ON found_practitioner.reference = conditional_reference(practitioner, 'Practitioner')
  LEFT JOIN conditional_references AS found_organization ON found_organization.reference = conditional_reference(organization, 'Organization')
  LEFT JOIN conditional_references AS found_location ON found_location.reference = conditional_reference(location[1], 'Location')
),
person AS (
  SELECT
    id AS practitioner_id,
    array_filter(identifier, i -> i['system'] = 'http://hl7.org/fhir/sid/us-npi')[1]['value'] AS npi,
    coalesce(array_filter(name, n -> n['use'] = 'official')[1], name[1]) AS chosen_name,
    gender,
    active,
    array_filter(telecom, t -> t['system'] = 'phone')[1]['value'] AS phone,
    array_filter(telecom, t -> t['system'] = 'email')[1]['value'] AS email,
    meta.__lastUpdated_start AS last_updated
  FROM Practitioner
)
SELECT
  coalesce(role.practitioner_id, person.practitioner_id) AS practitioner_id,
  practitioner_role_id,
  coalesce(person.npi, role.npi) AS npi,
  chosen_name['family'] AS family_name,
  array_to_string(chosen_name['given'], ' ') AS given_names,
  coalesce(
    practitioner_name,
    chosen_name['text'],
    nullif(trim(concat(array_to_string(chosen_name['prefix'], ' '), ' ', array_to_string(chosen_name['given'], ' '), ' ', chosen_name['family'])), '')
  ) AS provider_name,
  gender,
  coalesce(role.active, person.active) AS is_active,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], code_text) AS code_display,
  specialty_coding['code'] AS specialty_code,
  coalesce(specialty_coding['display'], specialty_text) AS specialty_display,
  organization_id,
  organization_name,
  location_id,
  start_time,
  end_time,
  coalesce(role.phone, person.phone) AS phone,
  coalesce(role.email, person.email) AS email,
  coalesce(role.last_updated, person.last_updated) AS last_updated
FROM role
FULL JOIN person ON person.practitioner_id = role.practitioner_id
