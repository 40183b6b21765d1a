-- name: observations
-- description: One row per value observed: an observation's own value, and each of its components (a blood pressure has two).
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) - count(CASE WHEN array_length(component) > 0 AND valueQuantity IS NULL AND valueCodeableConcept IS NULL AND valueString IS NULL AND valueBoolean IS NULL AND valueInteger IS NULL AND valueRange IS NULL AND valueRatio IS NULL AND valueSampledData IS NULL AND valueTime IS NULL AND valueDateTime IS NULL AND valuePeriod IS NULL AND dataAbsentReason IS NULL THEN 1 END) + coalesce(sum(array_length(component)), 0) FROM Observation
-- key: observation_id of Observation
-- columns:
--   observation_id STRING: id of the Observation
--   component_index INT: 0 for the observation's own value, n for its n-th component; with observation_id the key
--   patient_id STRING: id of the Patient; NULL where the subject is another thing or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was made
--   status STRING: registered, preliminary, final, amended, corrected, cancelled, entered-in-error, unknown
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   category_code STRING: first coding of the first category, such as laboratory or vital-signs
--   category_codes STRING: all codings of all categories, separated by commas
--   panel_code STRING: for a component, the code of the observation it is part of, chosen in the same way
--   code_system STRING: system of the coding chosen: LOINC, else SNOMED CT, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the concept
--   start_time TIMESTAMP: when the value was true of the patient, or when that began; a partial date counts from its first moment
--   end_time TIMESTAMP: when that ended; for a single instant the same as start_time; a partial date counts to its last moment
--   issued_time TIMESTAMP: when the value was made available
--   value_type STRING: the FHIR type of the value: Quantity, CodeableConcept, string, boolean, integer, Range, Ratio, SampledData, time, dateTime, Period; NULL without a value
--   value_comparator STRING: <, <=, >= or > where a Quantity is a bound, not a measurement
--   value_double DOUBLE: the number of a Quantity or an integer
--   value_unit STRING: the unit's code (UCUM where the server gives it), else its name
--   value_code_system STRING: system of the coding chosen from a CodeableConcept: SNOMED CT, else LOINC, else the first
--   value_code STRING: code of that coding
--   value_text STRING: display of that coding, else the text of the CodeableConcept; a string, boolean, time or dateTime as written; a Ratio as a:b, each with its comparator (<1:128), a Range as a..b
--   interpretation_code STRING: first coding of the first interpretation, such as H, L or N
--   reference_low DOUBLE: lower bound of the first reference range
--   reference_high DOUBLE: upper bound of the first reference range
--   data_absent_code STRING: why there is no value
--   last_updated TIMESTAMP: when the server last changed the resource
WITH observation AS (
  SELECT
    id AS observation_id,
    CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
    encounter.__reference_id AS encounter_id,
    status,
    category[1]['coding'][1]['code'] AS category_code,
    nullif(array_to_string(array_transform(flatten(array_transform(category, c -> c['coding'])), c -> c['code']), ','), '') AS category_codes,
    coalesce(__effectiveDateTime_start, effectivePeriod.__start_start, __effectiveInstant_start) AS start_time,
    CASE
      WHEN effectiveDateTime LIKE '%T%' THEN __effectiveDateTime_start
      WHEN effectiveDateTime IS NOT NULL THEN __effectiveDateTime_end
      WHEN effectivePeriod.end LIKE '%T%' THEN effectivePeriod.__end_start
      ELSE coalesce(effectivePeriod.__end_end, __effectiveInstant_start)
    END AS end_time,
    __issued_start AS issued_time,
    meta.__lastUpdated_start AS last_updated,
    preferred_coding(code.coding, ['http://loinc.org', 'http://snomed.info/sct']) AS coding,
    preferred_coding(valueCodeableConcept.coding, ['http://snomed.info/sct', 'http://loinc.org']) AS value_coding,
    code.text AS code_text, component, interpretation, referenceRange, dataAbsentReason,
    valueQuantity, valueCodeableConcept, valueString, valueBoolean, valueInteger, valueRange, valueRatio,
    valueSampledData, valueTime, valueDateTime, valuePeriod
  FROM Observation
),
component AS (
  SELECT
    observation_id, patient_id, encounter_id, status, category_code, category_codes, start_time, end_time, issued_time, last_updated,
    coding['code'] AS panel_code,
    unnest(component) AS part,
    unnest(generate_series(1, CAST(array_length(component) AS BIGINT))) AS component_index
  FROM observation
  WHERE array_length(component) > 0
),
reading AS (
  SELECT
    observation_id, 0 AS component_index, patient_id, encounter_id, status, category_code, category_codes, start_time, end_time, issued_time, last_updated,
    CAST(NULL AS STRING) AS panel_code,
    coding, value_coding, code_text, interpretation, referenceRange, dataAbsentReason,
    valueQuantity, valueCodeableConcept, valueString, valueBoolean, valueInteger, valueRange, valueRatio,
    valueSampledData, valueTime, valueDateTime, valuePeriod
  FROM observation
  WHERE coalesce(array_length(component), 0) = 0
    OR valueQuantity IS NOT NULL OR valueCodeableConcept IS NOT NULL OR valueString IS NOT NULL
    OR valueBoolean IS NOT NULL OR valueInteger IS NOT NULL OR valueRange IS NOT NULL OR valueRatio IS NOT NULL
    OR valueSampledData IS NOT NULL OR valueTime IS NOT NULL OR valueDateTime IS NOT NULL OR valuePeriod IS NOT NULL
    OR dataAbsentReason IS NOT NULL
  UNION ALL
  SELECT
    observation_id, CAST(component_index AS INT), patient_id, encounter_id, status, category_code, category_codes, start_time, end_time, issued_time, last_updated,
    panel_code,
    preferred_coding(part['code']['coding'], ['http://loinc.org', 'http://snomed.info/sct']),
    preferred_coding(part['valueCodeableConcept']['coding'], ['http://snomed.info/sct', 'http://loinc.org']),
    part['code']['text'], part['interpretation'], part['referenceRange'], part['dataAbsentReason'],
    part['valueQuantity'], part['valueCodeableConcept'], part['valueString'], part['valueBoolean'], part['valueInteger'], part['valueRange'], part['valueRatio'],
    part['valueSampledData'], part['valueTime'], part['valueDateTime'], part['valuePeriod']
  FROM component
)
SELECT
  observation_id,
  CAST(component_index AS INT) AS component_index,
  patient_id,
  encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  category_code,
  category_codes,
  panel_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], code_text) AS code_display,
  start_time,
  end_time,
  issued_time,
  CASE
    WHEN valueQuantity IS NOT NULL THEN 'Quantity'
    WHEN valueCodeableConcept IS NOT NULL THEN 'CodeableConcept'
    WHEN valueString IS NOT NULL THEN 'string'
    WHEN valueBoolean IS NOT NULL THEN 'boolean'
    WHEN valueInteger IS NOT NULL THEN 'integer'
    WHEN valueRange IS NOT NULL THEN 'Range'
    WHEN valueRatio IS NOT NULL THEN 'Ratio'
    WHEN valueSampledData IS NOT NULL THEN 'SampledData'
    WHEN valueTime IS NOT NULL THEN 'time'
    WHEN valueDateTime IS NOT NULL THEN 'dateTime'
    WHEN valuePeriod IS NOT NULL THEN 'Period'
  END AS value_type,
  valueQuantity.comparator AS value_comparator,
  coalesce(valueQuantity.__value_double, CAST(valueInteger AS DOUBLE)) AS value_double,
  coalesce(valueQuantity.code, valueQuantity.unit) AS value_unit,
  value_coding['system'] AS value_code_system,
  value_coding['code'] AS value_code,
  coalesce(
    value_coding['display'], valueCodeableConcept.text, valueString, CAST(valueBoolean AS STRING), valueTime, valueDateTime,
    nullif(concat(valueRatio.numerator.comparator, valueRatio.numerator.value, ':', valueRatio.denominator.comparator, valueRatio.denominator.value), ':'),
    nullif(concat(valueRange.low.value, '..', valueRange.high.value), '..')
  ) AS value_text,
  interpretation[1]['coding'][1]['code'] AS interpretation_code,
  referenceRange[1]['low']['__value_double'] AS reference_low,
  referenceRange[1]['high']['__value_double'] AS reference_high,
  coalesce(dataAbsentReason.coding[1]['code'], dataAbsentReason.text) AS data_absent_code,
  last_updated
FROM reading
