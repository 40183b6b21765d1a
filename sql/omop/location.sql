-- name: location
-- description: One row per address of a Patient (home, else the first) or an Organization (the first).
-- fhir: R4, R4B
-- leaves out: all other addresses
-- key: location_id
-- columns:
--   location_id BIGINT NOT NULL: omop_id of Patient/id or Organization/id
--   address_1 STRING: first line
--   address_2 STRING: second line
--   city STRING: city
--   state STRING: state, where it has two letters: the column holds no more
--   zip STRING: postal code without its hyphen
--   county STRING: district
--   location_source_value STRING: Patient/id or Organization/id
--   country_concept_id INT: 0 where there is a country
--   country_source_value STRING: country
--   latitude DOUBLE: not filled: NULL
--   longitude DOUBLE: not filled: NULL
SELECT
  omop_id(owner) AS location_id,
  substr(place['line'][1], 1, 50) AS address_1,
  substr(place['line'][2], 1, 50) AS address_2,
  substr(place['city'], 1, 50) AS city,
  CASE WHEN length(place['state']) <= 2 THEN place['state'] END AS state,
  substr(replace(place['postalCode'], '-', ''), 1, 9) AS zip,
  substr(place['district'], 1, 20) AS county,
  substr(owner, 1, 50) AS location_source_value,
  CAST(CASE WHEN place['country'] IS NOT NULL THEN 0 END AS INT) AS country_concept_id,
  substr(place['country'], 1, 80) AS country_source_value,
  CAST(NULL AS DOUBLE) AS latitude,
  CAST(NULL AS DOUBLE) AS longitude
FROM (
  SELECT 'Patient/' || id AS owner, coalesce(array_filter(address, a -> a['use'] = 'home')[1], address[1]) AS place
  FROM Patient
  WHERE array_length(address) > 0
  UNION ALL
  SELECT 'Organization/' || id, address[1]
  FROM Organization
  WHERE array_length(address) > 0
)
