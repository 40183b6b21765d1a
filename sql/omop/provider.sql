-- name: provider
-- description: One row per Practitioner.
-- fhir: R4, R4B
-- leaves out: nothing
-- key: provider_id
-- columns:
--   provider_id BIGINT NOT NULL: omop_id of Practitioner/id
--   provider_name STRING: given names and family name
--   npi STRING: identifier of the US National Provider Identifier
--   dea STRING: not filled: NULL
--   specialty_concept_id INT: 0
--   care_site_id BIGINT: not filled: NULL
--   year_of_birth INT: year of birth
--   gender_concept_id INT: 8507 male, 8532 female, else 0
--   provider_source_value STRING: id of the Practitioner
--   specialty_source_value STRING: code of the first qualification
--   specialty_source_concept_id INT: 0
--   gender_source_value STRING: administrative gender
--   gender_source_concept_id INT: 0
SELECT
  omop_id('Practitioner/' || id) AS provider_id,
  substr(array_to_string(array_append(name[1]['given'], name[1]['family']), ' '), 1, 255) AS provider_name,
  substr(array_filter(identifier, i -> i['system'] = 'http://hl7.org/fhir/sid/us-npi')[1]['value'], 1, 20) AS npi,
  CAST(NULL AS STRING) AS dea,
  CAST(0 AS INT) AS specialty_concept_id,
  CAST(NULL AS BIGINT) AS care_site_id,
  CAST(date_part('year', __birthDate_start) AS INT) AS year_of_birth,
  CAST(CASE gender WHEN 'male' THEN 8507 WHEN 'female' THEN 8532 ELSE 0 END AS INT) AS gender_concept_id,
  substr(id, 1, 50) AS provider_source_value,
  substr(qualification[1]['code']['coding'][1]['code'], 1, 50) AS specialty_source_value,
  CAST(0 AS INT) AS specialty_source_concept_id,
  substr(gender, 1, 50) AS gender_source_value,
  CAST(0 AS INT) AS gender_source_concept_id
FROM Practitioner
