-- name: measurement
-- description: One row per event in the domain Measurement: each value of an Observation, its own and those of its components.
-- fhir: R4, R4B
-- leaves out: what fhir_statement and fhir_event leave out
-- key: measurement_id
-- columns:
--   measurement_id BIGINT NOT NULL: event_id of fhir_mapped_event
--   person_id BIGINT NOT NULL: the person
--   measurement_concept_id INT NOT NULL: the standard concept, or 0
--   measurement_date DATE NOT NULL: first day, in UTC
--   measurement_datetime TIMESTAMP: when it happened or began
--   measurement_time STRING: the time of day, in UTC
--   measurement_type_concept_id INT NOT NULL: 32817, EHR
--   operator_concept_id INT: 4171756 <, 4171754 <=, 4171755 >=, 4172704 > (OMOP domain Meas Value Operator); NULL for a plain number
--   value_as_number DOUBLE: the number of a Quantity or an integer
--   value_as_concept_id INT: standard concept of a coded value; 0 where it is not mapped
--   unit_concept_id INT: the unit's standard concept; 0 where it is not mapped
--   range_low DOUBLE: of the first reference range
--   range_high DOUBLE: of the first reference range
--   provider_id BIGINT: who did or said it, where it is one Practitioner of the lake
--   visit_occurrence_id BIGINT: the visit
--   visit_detail_id BIGINT: not filled: NULL
--   measurement_source_value STRING: the code, else the text of the concept
--   measurement_source_concept_id INT: the code's own concept, or 0
--   unit_source_value STRING: the unit's code, else its name
--   unit_source_concept_id INT: the unit's own concept
--   value_source_value STRING: the value's code, else its text, as written
--   measurement_event_id BIGINT: not filled: NULL
--   meas_event_field_concept_id INT: not filled: NULL
SELECT
  e.event_id AS measurement_id,
  e.person_id,
  e.concept_id AS measurement_concept_id,
  CAST(e.start_time AS DATE) AS measurement_date,
  e.start_time AS measurement_datetime,
  to_char(e.start_time, '%H:%M:%S') AS measurement_time,
  CAST(32817 AS INT) AS measurement_type_concept_id,
  CAST(CASE e.value_comparator
    WHEN '<' THEN 4171756
    WHEN '<=' THEN 4171754
    WHEN '>=' THEN 4171755
    WHEN '>' THEN 4172704
  END AS INT) AS operator_concept_id,
  e.value_number AS value_as_number,
  CAST(CASE WHEN e.value_code IS NOT NULL THEN coalesce(value.concept_id, 0) END AS INT) AS value_as_concept_id,
  CAST(CASE WHEN e.unit_code IS NOT NULL THEN coalesce(unit.concept_id, 0) END AS INT) AS unit_concept_id,
  e.range_low,
  e.range_high,
  e.provider_id,
  e.visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  substr(coalesce(e.code, e.code_text), 1, 50) AS measurement_source_value,
  e.source_concept_id AS measurement_source_concept_id,
  substr(e.unit_code, 1, 50) AS unit_source_value,
  CAST(CASE WHEN e.unit_code IS NOT NULL THEN coalesce(unit.source_concept_id, 0) END AS INT) AS unit_source_concept_id,
  substr(coalesce(e.value_code, e.value_text), 1, 50) AS value_source_value,
  CAST(NULL AS BIGINT) AS measurement_event_id,
  CAST(NULL AS INT) AS meas_event_field_concept_id
FROM omop.fhir_mapped_event AS e
LEFT JOIN omop.fhir_code_map AS value ON value.code_key = e.value_key AND value.target_rank = 1
LEFT JOIN omop.fhir_code_map AS unit ON unit.code_key = e.unit_key AND unit.target_rank = 1
WHERE e.domain_id = 'Measurement'
