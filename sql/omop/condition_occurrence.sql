-- name: condition_occurrence
-- description: One row per event in the domain Condition.
-- fhir: R4, R4B
-- leaves out: what fhir_statement and fhir_event leave out
-- key: condition_occurrence_id
-- columns:
--   condition_occurrence_id BIGINT NOT NULL: event_id of fhir_mapped_event
--   person_id BIGINT NOT NULL: the person
--   condition_concept_id INT NOT NULL: the standard concept, or 0
--   condition_start_date DATE NOT NULL: first day, in UTC
--   condition_start_datetime TIMESTAMP: when it happened or began
--   condition_end_date DATE: last day, in UTC
--   condition_end_datetime TIMESTAMP: when it ended
--   condition_type_concept_id INT NOT NULL: 32817, EHR
--   condition_status_concept_id INT: 0 where there is a source value
--   stop_reason STRING: not filled: NULL
--   provider_id BIGINT: who did or said it, where it is one Practitioner of the lake
--   visit_occurrence_id BIGINT: the visit
--   visit_detail_id BIGINT: not filled: NULL
--   condition_source_value STRING: the code, else the text of the concept
--   condition_source_concept_id INT: the code's own concept, or 0
--   condition_status_source_value STRING: verification status of the Condition
SELECT
  e.event_id AS condition_occurrence_id,
  e.person_id,
  e.concept_id AS condition_concept_id,
  CAST(e.start_time AS DATE) AS condition_start_date,
  e.start_time AS condition_start_datetime,
  CAST(e.end_time AS DATE) AS condition_end_date,
  e.end_time AS condition_end_datetime,
  CAST(32817 AS INT) AS condition_type_concept_id,
  CAST(CASE WHEN e.status IS NOT NULL THEN 0 END AS INT) AS condition_status_concept_id,
  CAST(NULL AS STRING) AS stop_reason,
  e.provider_id,
  e.visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  substr(coalesce(e.code, e.code_text), 1, 50) AS condition_source_value,
  e.source_concept_id AS condition_source_concept_id,
  substr(e.status, 1, 50) AS condition_status_source_value
FROM omop.fhir_mapped_event AS e
WHERE e.domain_id = 'Condition'
