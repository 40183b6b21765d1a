-- name: locations
-- fhir: R5
-- grain: SELECT count(*) FROM Location
SELECT
  id AS location_id,
  name AS location_name,
  status,
  mode AS mode_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], type[1]['text']) AS code_display,
  form.coding[1]['code'] AS physical_type_code,
  coalesce(managingOrganization.__reference_id, found_organization.resource_id) AS organization_id,
  managingOrganization.display AS organization_name,
  coalesce(partOf.__reference_id, found_location.resource_id) AS part_of_location_id,
  array_filter(flatten(array_transform(contact, c -> c['telecom'])), t -> t['system'] = 'phone')[1]['value'] AS phone,
  address.city AS city,
  address.state AS state,
  address.postalCode AS postal_code,
  address.country AS country,
  position.__latitude_double AS latitude,
  position.__longitude_double AS longitude,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT *, preferred_coding(type[1]['coding'], ['http://terminology.hl7.org/CodeSystem/v3-RoleCode', 'http://snomed.info/sct']) AS coding
  FROM Location
)
LEFT JOIN conditional_references AS found_organization ON found_organization.reference = conditional_reference(managingOrganization, 'Organization')
LEFT JOIN conditional_references AS found_location ON found_location.reference = conditional_reference(partOf, 'Location')
