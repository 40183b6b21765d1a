CREATE VIEW patients AS
SELECT
  id AS patient_id,
  CASE WHEN length(body->>'birthDate') = 10 THEN CAST(body->>'birthDate' AS DATE) END AS birth_date,
  CAST((body->>'birthDate')[:4] AS INT) AS birth_year,
  body->>'gender' AS gender,
  us_core(body, 'birthsex')->>'valueCode' AS birth_sex,
  name->>'family' AS family_name,
  nullif(array_to_string(name->>'$.given[*]', ' '), '') AS given_names,
  CASE
    WHEN (body->>'deceasedBoolean') IS NOT NULL THEN (body->>'deceasedBoolean') = 'true'
    ELSE (body->>'deceasedDateTime') IS NOT NULL
  END AS is_deceased,
  first_moment(body->>'deceasedDateTime') AS deceased_time,
  address->>'city' AS city,
  address->>'state' AS state,
  address->>'postalCode' AS postal_code,
  address->>'country' AS country,
  nullif(array_to_string(list_transform(
    list_filter(from_json(us_core(body, 'race')->'extension', '["JSON"]'), lambda x: (x->>'url') = 'ombCategory'),
    lambda x: x->>'$.valueCoding.code'), ','), '') AS race_code,
  first_with(us_core(body, 'race')->'extension', '$.url', 'text')->>'valueString' AS race,
  first_with(us_core(body, 'ethnicity')->'extension', '$.url', 'ombCategory')->>'$.valueCoding.code' AS ethnicity_code,
  first_with(us_core(body, 'ethnicity')->'extension', '$.url', 'text')->>'valueString' AS ethnicity,
  body->>'$.maritalStatus.coding[0].code' AS marital_status_code,
  coalesce(first_with(body->'communication', '$.preferred', 'true'), body->'$.communication[0]')->>'$.language.coding[0].code' AS language_code,
  list_filter(from_json(body->'identifier', '["JSON"]'), lambda x: list_contains(x->>'$.type.coding[*].code', 'MR'))[1]->>'value' AS medical_record_number,
  CAST(body->>'active' AS BOOLEAN) AS is_active,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT
    *,
    coalesce(first_with(body->'name', '$.use', 'official'), body->'$.name[0]') AS name,
    coalesce(first_with(body->'address', '$.use', 'home'), body->'$.address[0]') AS address
  FROM resource
  WHERE type = 'Patient'
);
