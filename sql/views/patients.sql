-- name: patients
-- description: One row per patient, with what most questions group or filter by.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM Patient
-- key: patient_id of Patient
-- columns:
--   patient_id STRING: id of the Patient
--   birth_date DATE: date of birth; NULL where only a year or a month is known
--   birth_year INT: year of birth, also of a partial date
--   gender STRING: administrative gender: male, female, other, unknown
--   birth_sex STRING: US Core birth sex
--   family_name STRING: family name of the official name, else of the first name
--   given_names STRING: given names of the same name, separated by spaces
--   is_deceased BOOLEAN: true where the patient is said to be dead; false where nothing is said
--   deceased_time TIMESTAMP: when the patient died, where known; a partial date counts from its first moment
--   city STRING: of the home address, else of the first address
--   state STRING: of the same address
--   postal_code STRING: of the same address
--   country STRING: of the same address
--   race_code STRING: OMB categories of the US Core race, separated by commas where there are several
--   race STRING: US Core race as text
--   ethnicity_code STRING: OMB category of the US Core ethnicity
--   ethnicity STRING: US Core ethnicity as text
--   marital_status_code STRING: first coding of the marital status
--   language_code STRING: first coding of the preferred language of communication, else of the first one
--   medical_record_number STRING: first identifier of type MR
--   is_active BOOLEAN: whether the record is in use, as the server says
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  patient_id,
  birth_date,
  birth_year,
  gender,
  array_filter(extension, e -> e['url'] = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex')[1]['valueCode'] AS birth_sex,
  chosen_name['family'] AS family_name,
  array_to_string(chosen_name['given'], ' ') AS given_names,
  is_deceased,
  deceased_time,
  chosen_address['city'] AS city,
  chosen_address['state'] AS state,
  chosen_address['postalCode'] AS postal_code,
  chosen_address['country'] AS country,
  nullif(array_to_string(array_transform(array_filter(race_parts, e -> e['url'] = 'ombCategory'), e -> e['valueCoding']['code']), ','), '') AS race_code,
  array_filter(race_parts, e -> e['url'] = 'text')[1]['valueString'] AS race,
  array_filter(ethnicity_parts, e -> e['url'] = 'ombCategory')[1]['valueCoding']['code'] AS ethnicity_code,
  array_filter(ethnicity_parts, e -> e['url'] = 'text')[1]['valueString'] AS ethnicity,
  marital_status_code,
  spoken['language']['coding'][1]['code'] AS language_code,
  medical_record_number,
  is_active,
  last_updated
FROM (
  SELECT
    id AS patient_id,
    CASE WHEN length(birthDate) = 10 THEN CAST(__birthDate_start AS DATE) END AS birth_date,
    CAST(date_part('year', __birthDate_start) AS INT) AS birth_year,
    gender,
    extension,
    coalesce(array_filter(name, n -> n['use'] = 'official')[1], name[1]) AS chosen_name,
    coalesce(deceasedBoolean, deceasedDateTime IS NOT NULL) AS is_deceased,
    __deceasedDateTime_start AS deceased_time,
    coalesce(array_filter(address, a -> a['use'] = 'home')[1], address[1]) AS chosen_address,
    array_filter(extension, e -> e['url'] = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-race')[1]['extension'] AS race_parts,
    array_filter(extension, e -> e['url'] = 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity')[1]['extension'] AS ethnicity_parts,
    maritalStatus.coding[1]['code'] AS marital_status_code,
    coalesce(array_filter(communication, c -> c['preferred'])[1], communication[1]) AS spoken,
    array_filter(identifier, i -> array_any_match(i['type']['coding'], c -> c['code'] = 'MR'))[1]['value'] AS medical_record_number,
    active AS is_active,
    meta.__lastUpdated_start AS last_updated
  FROM Patient
)
