-- name: organizations
-- fhir: R5
-- grain: SELECT count(*) FROM Organization
SELECT
  id AS organization_id,
  name AS organization_name,
  array_filter(identifier, i -> i['system'] = 'http://hl7.org/fhir/sid/us-npi')[1]['value'] AS npi,
  active AS is_active,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], type[1]['text']) AS code_display,
  coalesce(partOf.__reference_id, found_organization.resource_id) AS part_of_organization_id,
  array_filter(flatten(array_transform(contact, c -> c['telecom'])), t -> t['system'] = 'phone')[1]['value'] AS phone,
  address['city'] AS city,
  address['state'] AS state,
  address['postalCode'] AS postal_code,
  address['country'] AS country,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(type[1]['coding'], ['http://terminology.hl7.org/CodeSystem/organization-type']) AS coding,
    array_filter(contact, c -> c['address'] IS NOT NULL)[1]['address'] AS address
  FROM Organization
)
LEFT JOIN conditional_references AS found_organization ON found_organization.reference = conditional_reference(partOf, 'Organization')
