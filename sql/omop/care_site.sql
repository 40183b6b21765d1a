-- name: care_site
-- description: One row per Organization.
-- fhir: R4, R4B
-- leaves out: nothing
-- key: care_site_id
-- columns:
--   care_site_id BIGINT NOT NULL: omop_id of Organization/id
--   care_site_name STRING: name
--   place_of_service_concept_id INT: 0
--   location_id BIGINT: the address, in location
--   care_site_source_value STRING: id of the Organization
--   place_of_service_source_value STRING: code of its first type
SELECT
  omop_id('Organization/' || id) AS care_site_id,
  substr(name, 1, 255) AS care_site_name,
  CAST(0 AS INT) AS place_of_service_concept_id,
  CASE WHEN array_length(address) > 0 THEN omop_id('Organization/' || id) END AS location_id,
  substr(id, 1, 50) AS care_site_source_value,
  substr(type[1]['coding'][1]['code'], 1, 50) AS place_of_service_source_value
FROM Organization
