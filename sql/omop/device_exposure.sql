-- name: device_exposure
-- description: One row per event in the domain Device: Procedures and others whose concept is a device. Device resources say no date of use.
-- fhir: R4, R4B
-- leaves out: what fhir_statement and fhir_event leave out
-- key: device_exposure_id
-- columns:
--   device_exposure_id BIGINT NOT NULL: event_id of fhir_mapped_event
--   person_id BIGINT NOT NULL: the person
--   device_concept_id INT NOT NULL: the standard concept, or 0
--   device_exposure_start_date DATE NOT NULL: first day, in UTC
--   device_exposure_start_datetime TIMESTAMP: when it happened or began
--   device_exposure_end_date DATE: last day, in UTC
--   device_exposure_end_datetime TIMESTAMP: when it ended
--   device_type_concept_id INT NOT NULL: 32817, EHR
--   unique_device_id STRING: not filled: NULL
--   production_id STRING: not filled: NULL
--   quantity INT: how much
--   provider_id BIGINT: who did or said it, where it is one Practitioner of the lake
--   visit_occurrence_id BIGINT: the visit
--   visit_detail_id BIGINT: not filled: NULL
--   device_source_value STRING: the code, else the text of the concept
--   device_source_concept_id INT: the code's own concept, or 0
--   unit_concept_id INT: the unit's standard concept; 0 where it is not mapped
--   unit_source_value STRING: the unit's code, else its name
--   unit_source_concept_id INT: the unit's own concept
SELECT
  e.event_id AS device_exposure_id,
  e.person_id,
  e.concept_id AS device_concept_id,
  CAST(e.start_time AS DATE) AS device_exposure_start_date,
  e.start_time AS device_exposure_start_datetime,
  CAST(e.end_time AS DATE) AS device_exposure_end_date,
  e.end_time AS device_exposure_end_datetime,
  CAST(32817 AS INT) AS device_type_concept_id,
  CAST(NULL AS STRING) AS unique_device_id,
  CAST(NULL AS STRING) AS production_id,
  CAST(trunc(e.quantity) AS INT) AS quantity,
  e.provider_id,
  e.visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  substr(coalesce(e.code, e.code_text), 1, 50) AS device_source_value,
  e.source_concept_id AS device_source_concept_id,
  CAST(CASE WHEN e.unit_code IS NOT NULL THEN coalesce(unit.concept_id, 0) END AS INT) AS unit_concept_id,
  substr(e.unit_code, 1, 50) AS unit_source_value,
  CAST(CASE WHEN e.unit_code IS NOT NULL THEN coalesce(unit.source_concept_id, 0) END AS INT) AS unit_source_concept_id
FROM omop.fhir_mapped_event AS e
LEFT JOIN omop.fhir_code_map AS unit ON unit.code_key = e.unit_key AND unit.target_rank = 1
WHERE e.domain_id = 'Device'
