-- name: locations
-- description: One row per location: sites, buildings, wards, rooms, beds.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM Location
-- columns:
--   location_id STRING: id of the Location
--   location_name STRING: its name
--   status STRING: active, suspended, inactive
--   mode_code STRING: instance of a real place, or kind of place
--   code_system STRING: system of the coding chosen from the first type: HL7's RoleCode, else SNOMED CT, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the type
--   physical_type_code STRING: first coding of the physical form, such as bu, wa, ro, bd
--   organization_id STRING: id of the Organization that manages it; a reference by identifier counts where exactly one has it
--   organization_name STRING: display of that reference
--   part_of_location_id STRING: id of the Location of which it is a part; a reference by identifier counts where exactly one has it
--   phone STRING: first telephone number
--   city STRING: of the address
--   state STRING: of the address
--   postal_code STRING: of the address
--   country STRING: of the address
--   latitude DOUBLE: in degrees of WGS 84
--   longitude DOUBLE: in degrees of WGS 84
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS location_id,
  name AS location_name,
  status,
  mode AS mode_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], type[1]['text']) AS code_display,
  physicalType.coding[1]['code'] AS physical_type_code,
  coalesce(managingOrganization.__reference_id, found_organization.resource_id) AS organization_id,
  managingOrganization.display AS organization_name,
  coalesce(partOf.__reference_id, found_location.resource_id) AS part_of_location_id,
  array_filter(telecom, t -> t['system'] = 'phone')[1]['value'] AS phone,
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
