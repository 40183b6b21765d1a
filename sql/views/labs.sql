-- name: labs
-- description: One row per laboratory value: the rows of observations whose category is laboratory. A panel has a row for each of its components.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM observations WHERE observation_id IN (SELECT id FROM (SELECT id, unnest(category) AS category FROM Observation) WHERE array_any_match(category['coding'], c -> c['code'] = 'laboratory'))
-- key: observation_id of Observation
-- columns:
--   observation_id STRING: id of the Observation
--   component_index INT: 0 for the observation's own value, n for its n-th component; with observation_id the key
--   patient_id STRING: id of the Patient; NULL where the subject is another thing or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was made
--   status STRING: registered, preliminary, final, amended, corrected, cancelled, entered-in-error, unknown
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
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
SELECT
  observation_id,
  component_index,
  patient_id,
  encounter_id,
  status,
  is_entered_in_error,
  panel_code,
  code_system,
  code,
  code_display,
  start_time,
  end_time,
  issued_time,
  value_type,
  value_comparator,
  value_double,
  value_unit,
  value_code_system,
  value_code,
  value_text,
  interpretation_code,
  reference_low,
  reference_high,
  data_absent_code,
  last_updated
FROM observations
WHERE array_has(string_to_array(category_codes, ','), 'laboratory')
