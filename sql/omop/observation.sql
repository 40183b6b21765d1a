-- name: observation
-- description: One row per event in the domain Observation, or in one that has no table of its own.
-- fhir: R4, R4B
-- leaves out: what fhir_statement and fhir_event leave out
-- key: observation_id
-- columns:
--   observation_id BIGINT NOT NULL: event_id of fhir_mapped_event
--   person_id BIGINT NOT NULL: the person
--   observation_concept_id INT NOT NULL: the standard concept, or 0
--   observation_date DATE NOT NULL: first day, in UTC
--   observation_datetime TIMESTAMP: when it happened or began
--   observation_type_concept_id INT NOT NULL: 32817, EHR
--   value_as_number DOUBLE: the number of a Quantity or an integer
--   value_as_string STRING: a value that is no number, as text
--   value_as_concept_id INT: standard concept of a coded value; 0 where it is not mapped
--   qualifier_concept_id INT: not filled: NULL
--   unit_concept_id INT: the unit's standard concept; 0 where it is not mapped
--   provider_id BIGINT: who did or said it, where it is one Practitioner of the lake
--   visit_occurrence_id BIGINT: the visit
--   visit_detail_id BIGINT: not filled: NULL
--   observation_source_value STRING: the code, else the text of the concept
--   observation_source_concept_id INT: the code's own concept, or 0
--   unit_source_value STRING: the unit's code, else its name
--   qualifier_source_value STRING: not filled: NULL
--   value_source_value STRING: the value's code, else its text, as written
--   observation_event_id BIGINT: not filled: NULL
--   obs_event_field_concept_id INT: not filled: NULL
SELECT
  e.event_id AS observation_id,
  e.person_id,
  e.concept_id AS observation_concept_id,
  CAST(e.start_time AS DATE) AS observation_date,
  e.start_time AS observation_datetime,
  CAST(32817 AS INT) AS observation_type_concept_id,
  e.value_number AS value_as_number,
  CASE WHEN e.value_number IS NULL THEN substr(e.value_text, 1, 60) END AS value_as_string,
  CAST(CASE WHEN e.value_code IS NOT NULL THEN coalesce(value.concept_id, 0) END AS INT) AS value_as_concept_id,
  CAST(NULL AS INT) AS qualifier_concept_id,
  CAST(CASE WHEN e.unit_code IS NOT NULL THEN coalesce(unit.concept_id, 0) END AS INT) AS unit_concept_id,
  e.provider_id,
  e.visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  substr(coalesce(e.code, e.code_text), 1, 50) AS observation_source_value,
  e.source_concept_id AS observation_source_concept_id,
  substr(e.unit_code, 1, 50) AS unit_source_value,
  CAST(NULL AS STRING) AS qualifier_source_value,
  substr(coalesce(e.value_code, e.value_text), 1, 50) AS value_source_value,
  CAST(NULL AS BIGINT) AS observation_event_id,
  CAST(NULL AS INT) AS obs_event_field_concept_id
FROM omop.fhir_mapped_event AS e
LEFT JOIN omop.fhir_code_map AS value ON value.code_key = e.value_key AND value.target_rank = 1
LEFT JOIN omop.fhir_code_map AS unit ON unit.code_key = e.unit_key AND unit.target_rank = 1
WHERE e.domain_id NOT IN ('Condition', 'Device', 'Drug', 'Measurement', 'Procedure')
