-- name: person
-- description: One row per Patient.
-- fhir: R4, R4B
-- leaves out: patients without a year of birth, as the CDM asks
-- key: person_id
-- columns:
--   person_id BIGINT NOT NULL: omop_id of Patient/id
--   gender_concept_id INT NOT NULL: 8507 male, 8532 female, else 0 (OMOP vocabulary Gender)
--   year_of_birth INT NOT NULL: year of birth
--   month_of_birth INT: where it is known
--   day_of_birth INT: where it is known
--   birth_datetime TIMESTAMP: midnight of the day of birth, where it is known
--   race_concept_id INT NOT NULL: of the OMB category of US Core: 8657 American Indian or Alaska Native, 8515 Asian, 8516 Black or African American, 8557 Native Hawaiian or Other Pacific Islander, 8527 White (OMOP vocabulary Race); 0 where there is none, or more than one
--   ethnicity_concept_id INT NOT NULL: of US Core: 38003563 Hispanic or Latino, 38003564 not (OMOP vocabulary Ethnicity), else 0
--   location_id BIGINT: the address, in location
--   provider_id BIGINT: the first general practitioner, where it is one of the lake
--   care_site_id BIGINT: the managing organization, where it is one of the lake
--   person_source_value STRING: id of the Patient
--   gender_source_value STRING: US Core birth sex where it is M or F, else the administrative gender
--   gender_source_concept_id INT: 0
--   race_source_value STRING: OMB categories of the US Core race, separated by commas
--   race_source_concept_id INT: 0
--   ethnicity_source_value STRING: OMB category of the US Core ethnicity
--   ethnicity_source_concept_id INT: 0
WITH patient AS (
  SELECT
    id,
    birthDate,
    __birthDate_start,
    gender,
    address,
    array_filter(extension, e -> e['url'] = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex')[1]['valueCode'] AS birth_sex,
    array_filter(extension, e -> e['url'] = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-race')[1]['extension'] AS race,
    array_filter(extension, e -> e['url'] = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity')[1]['extension'] AS ethnicity,
    CASE WHEN generalPractitioner[1]['__reference_type'] = 'Practitioner' THEN 'Practitioner/' || generalPractitioner[1]['__reference_id'] END AS practitioner_key,
    CASE WHEN managingOrganization.__reference_type = 'Organization' THEN 'Organization/' || managingOrganization.__reference_id END AS organization_key
  FROM Patient
  WHERE __birthDate_start IS NOT NULL
)
SELECT
  omop_id('Patient/' || id) AS person_id,
  CAST(CASE sex WHEN 'M' THEN 8507 WHEN 'male' THEN 8507 WHEN 'F' THEN 8532 WHEN 'female' THEN 8532 ELSE 0 END AS INT) AS gender_concept_id,
  CAST(date_part('year', __birthDate_start) AS INT) AS year_of_birth,
  CAST(CASE WHEN length(birthDate) >= 7 THEN CAST(date_part('month', __birthDate_start) AS INT) END AS INT) AS month_of_birth,
  CAST(CASE WHEN length(birthDate) >= 10 THEN CAST(date_part('day', __birthDate_start) AS INT) END AS INT) AS day_of_birth,
  CASE WHEN length(birthDate) >= 10 THEN __birthDate_start END AS birth_datetime,
  CAST(CASE race_source_value
    WHEN '1002-5' THEN 8657
    WHEN '2028-9' THEN 8515
    WHEN '2054-5' THEN 8516
    WHEN '2076-8' THEN 8557
    WHEN '2106-3' THEN 8527
    ELSE 0
  END AS INT) AS race_concept_id,
  CAST(CASE ethnicity_source_value WHEN '2135-2' THEN 38003563 WHEN '2186-5' THEN 38003564 ELSE 0 END AS INT) AS ethnicity_concept_id,
  CASE WHEN array_length(address) > 0 THEN omop_id('Patient/' || id) END AS location_id,
  omop_id('Practitioner/' || practitioner_id) AS provider_id,
  omop_id('Organization/' || organization_id) AS care_site_id,
  substr(id, 1, 50) AS person_source_value,
  substr(sex, 1, 50) AS gender_source_value,
  CAST(0 AS INT) AS gender_source_concept_id,
  substr(race_source_value, 1, 50) AS race_source_value,
  CAST(0 AS INT) AS race_source_concept_id,
  substr(ethnicity_source_value, 1, 50) AS ethnicity_source_value,
  CAST(0 AS INT) AS ethnicity_source_concept_id
FROM (
  SELECT
    p.id,
    p.birthDate,
    p.__birthDate_start,
    p.address,
    CASE WHEN p.birth_sex IN ('M', 'F') THEN p.birth_sex ELSE p.gender END AS sex,
    nullif(array_to_string(array_transform(array_filter(p.race, e -> e['url'] = 'ombCategory'), e -> e['valueCoding']['code']), ','), '') AS race_source_value,
    array_filter(p.ethnicity, e -> e['url'] = 'ombCategory')[1]['valueCoding']['code'] AS ethnicity_source_value,
    practitioner.resource_id AS practitioner_id,
    organization.resource_id AS organization_id
  FROM patient AS p
  LEFT JOIN omop.fhir_reference AS practitioner ON practitioner.reference_key = p.practitioner_key
  LEFT JOIN omop.fhir_reference AS organization ON organization.reference_key = p.organization_key
)
