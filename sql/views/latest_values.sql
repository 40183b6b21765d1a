-- name: latest_values
-- description: One row per patient and code: the latest value observed, of those that have a value and are neither entered in error nor cancelled. A preliminary value counts; its status says so.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM (SELECT DISTINCT patient_id, code_system, code FROM observations WHERE patient_id IS NOT NULL AND code IS NOT NULL AND value_type IS NOT NULL AND coalesce(status, '') NOT IN ('entered-in-error', 'cancelled'))
-- columns:
--   patient_id STRING: id of the Patient
--   code_system STRING: system of the code, chosen as in observations
--   code STRING: the code; with patient_id and code_system the key
--   code_display STRING: display of that coding, else the text of the concept
--   observation_id STRING: id of the Observation that has the latest value: the latest start_time, of these the one made available last
--   component_index INT: 0 for the observation's own value, n for its n-th component
--   encounter_id STRING: id of the Encounter in which it was made
--   status STRING: status of the Observation
--   start_time TIMESTAMP: when the value was true of the patient, or when that began
--   end_time TIMESTAMP: when that ended
--   value_type STRING: the FHIR type of the value
--   value_comparator STRING: <, <=, >= or > where a Quantity is a bound, not a measurement
--   value_double DOUBLE: the number of a Quantity or an integer
--   value_unit STRING: the unit's code (UCUM where the server gives it), else its name
--   value_code STRING: code of a CodeableConcept, chosen as in observations
--   value_text STRING: what is no number, as text, as in observations
--   interpretation_code STRING: first coding of the first interpretation, such as H, L or N
--   value_count BIGINT: how many values the patient has of this code, in whatever unit
--   last_updated TIMESTAMP: when the server last changed the Observation
SELECT
  patient_id,
  code_system,
  code,
  code_display,
  observation_id,
  component_index,
  encounter_id,
  status,
  start_time,
  end_time,
  value_type,
  value_comparator,
  value_double,
  value_unit,
  value_code,
  value_text,
  interpretation_code,
  value_count,
  last_updated
FROM (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY patient_id, code_system, code
      ORDER BY start_time DESC NULLS LAST, issued_time DESC NULLS LAST, observation_id, component_index
    ) AS recency,
    count(*) OVER (PARTITION BY patient_id, code_system, code) AS value_count
  FROM observations
  WHERE patient_id IS NOT NULL
    AND code IS NOT NULL
    AND value_type IS NOT NULL
    AND coalesce(status, '') NOT IN ('entered-in-error', 'cancelled')
)
WHERE recency = 1
