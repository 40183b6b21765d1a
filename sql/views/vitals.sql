-- name: vitals
-- description: One row per vital sign: the rows of observations whose category is vital-signs, or whose code is one of the usual ones whatever the category. A blood pressure has a row for its systolic and one for its diastolic component.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM observations WHERE concat(',', category_codes, ',') LIKE '%,vital-signs,%' OR (code_system = 'http://loinc.org' AND code IN ('8480-6', '8462-4', '8867-4', '9279-1', '8310-5', '59408-5', '2708-6', '8302-2', '8306-3', '3137-7', '29463-7', '3141-9', '39156-5', '9843-4'))
-- key: observation_id of Observation
-- columns:
--   observation_id STRING: id of the Observation
--   component_index INT: 0 for the observation's own value, n for its n-th component; with observation_id the key
--   patient_id STRING: id of the Patient; NULL where the subject is another thing or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was made
--   status STRING: registered, preliminary, final, amended, corrected, cancelled, entered-in-error, unknown
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   vital_sign STRING: by the LOINC code: systolic_blood_pressure, diastolic_blood_pressure, heart_rate, respiratory_rate, body_temperature, oxygen_saturation, body_height, body_weight, body_mass_index, head_circumference; NULL for what else the server calls a vital sign
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
--   value_code STRING: code of a CodeableConcept, chosen as in observations
--   value_text STRING: what is no number, as text, as in observations
--   interpretation_code STRING: first coding of the first interpretation, such as H, L or N
--   data_absent_code STRING: why there is no value
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  observation_id,
  component_index,
  patient_id,
  encounter_id,
  status,
  is_entered_in_error,
  vital_sign,
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
  value_code,
  value_text,
  interpretation_code,
  data_absent_code,
  last_updated
FROM (
  SELECT
    *,
    CASE
      WHEN coalesce(code_system, '') <> 'http://loinc.org' THEN NULL
      WHEN code = '8480-6' THEN 'systolic_blood_pressure'
      WHEN code = '8462-4' THEN 'diastolic_blood_pressure'
      WHEN code = '8867-4' THEN 'heart_rate'
      WHEN code = '9279-1' THEN 'respiratory_rate'
      WHEN code = '8310-5' THEN 'body_temperature'
      WHEN code IN ('2708-6', '59408-5') THEN 'oxygen_saturation'
      WHEN code IN ('8302-2', '8306-3', '3137-7') THEN 'body_height'
      WHEN code IN ('29463-7', '3141-9') THEN 'body_weight'
      WHEN code = '39156-5' THEN 'body_mass_index'
      WHEN code = '9843-4' THEN 'head_circumference'
    END AS vital_sign
  FROM observations
)
WHERE vital_sign IS NOT NULL OR array_has(string_to_array(category_codes, ','), 'vital-signs')
