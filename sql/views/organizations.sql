-- name: organizations
-- description: One row per organization: hospitals, practices, insurers, and their departments.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM Organization
-- columns:
--   organization_id STRING: id of the Organization
--   organization_name STRING: its name
--   npi STRING: National Provider Identifier
--   is_active BOOLEAN: whether the record is in use, as the server says
--   code_system STRING: system of the coding chosen from the first type: HL7's organization types, else the first
--   code STRING: code of that coding, such as prov, dept, pay
--   code_display STRING: display of that coding, else the text of the type
--   part_of_organization_id STRING: id of the Organization of which it is a part; a reference by identifier counts where exactly one has it
--   phone STRING: first telephone number
--   city STRING: of the first address
--   state STRING: of the same address
--   postal_code STRING: of the same address
--   country STRING: of the same address
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS organization_id,
  name AS organization_name,
  array_filter(identifier, i -> i['system'] = 'http://hl7.org/fhir/sid/us-npi')[1]['value'] AS npi,
  active AS is_active,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], type[1]['text']) AS code_display,
  coalesce(partOf.__reference_id, found_organization.resource_id) AS part_of_organization_id,
  array_filter(telecom, t -> t['system'] = 'phone')[1]['value'] AS phone,
  address[1]['city'] AS city,
  address[1]['state'] AS state,
  address[1]['postalCode'] AS postal_code,
  address[1]['country'] AS country,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT *, preferred_coding(type[1]['coding'], ['http://terminology.hl7.org/CodeSystem/organization-type']) AS coding
  FROM Organization
)
LEFT JOIN conditional_references AS found_organization ON found_organization.reference = conditional_reference(partOf, 'Organization')
