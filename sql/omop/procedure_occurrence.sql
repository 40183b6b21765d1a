-- name: procedure_occurrence
-- description: One row per event in the domain Procedure.
-- fhir: R4, R4B
-- leaves out: what fhir_statement and fhir_event leave out
-- key: procedure_occurrence_id
-- columns:
--   procedure_occurrence_id BIGINT NOT NULL: event_id of fhir_mapped_event
--   person_id BIGINT NOT NULL: the person
--   procedure_concept_id INT NOT NULL: the standard concept, or 0
--   procedure_date DATE NOT NULL: first day, in UTC
--   procedure_datetime TIMESTAMP: when it happened or began
--   procedure_end_date DATE: last day, in UTC
--   procedure_end_datetime TIMESTAMP: when it ended
--   procedure_type_concept_id INT NOT NULL: 32817, EHR
--   modifier_concept_id INT: not filled: NULL
--   quantity INT: not filled: NULL
--   provider_id BIGINT: who did or said it, where it is one Practitioner of the lake
--   visit_occurrence_id BIGINT: the visit
--   visit_detail_id BIGINT: not filled: NULL
--   procedure_source_value STRING: the code, else the text of the concept
--   procedure_source_concept_id INT: the code's own concept, or 0
--   modifier_source_value STRING: not filled: NULL
SELECT
  e.event_id AS procedure_occurrence_id,
  e.person_id,
  e.concept_id AS procedure_concept_id,
  CAST(e.start_time AS DATE) AS procedure_date,
  e.start_time AS procedure_datetime,
  CAST(e.end_time AS DATE) AS procedure_end_date,
  e.end_time AS procedure_end_datetime,
  CAST(32817 AS INT) AS procedure_type_concept_id,
  CAST(NULL AS INT) AS modifier_concept_id,
  CAST(NULL AS INT) AS quantity,
  e.provider_id,
  e.visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  substr(coalesce(e.code, e.code_text), 1, 50) AS procedure_source_value,
  e.source_concept_id AS procedure_source_concept_id,
  CAST(NULL AS STRING) AS modifier_source_value
FROM omop.fhir_mapped_event AS e
WHERE e.domain_id = 'Procedure'
