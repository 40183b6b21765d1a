-- name: drug_exposure
-- description: One row per event in the domain Drug: requests, administrations, statements, dispenses, vaccines.
-- fhir: R4, R4B
-- leaves out: what fhir_statement and fhir_event leave out
-- key: drug_exposure_id
-- columns:
--   drug_exposure_id BIGINT NOT NULL: event_id of fhir_mapped_event
--   person_id BIGINT NOT NULL: the person
--   drug_concept_id INT NOT NULL: the standard concept, or 0
--   drug_exposure_start_date DATE NOT NULL: first day, in UTC
--   drug_exposure_start_datetime TIMESTAMP: when it happened or began
--   drug_exposure_end_date DATE NOT NULL: last day, in UTC; without it by the days of supply, else the first day
--   drug_exposure_end_datetime TIMESTAMP: when it ended, where the resource says so
--   verbatim_end_date DATE: the end that the resource says
--   drug_type_concept_id INT NOT NULL: 32817, EHR
--   stop_reason STRING: not filled: NULL
--   refills INT: repeats that are allowed
--   quantity DOUBLE: dispensed, asked for or given
--   days_supply INT: days that the supply is for
--   sig STRING: dosage as text
--   route_concept_id INT: the route's standard concept; 0 where it is not mapped
--   lot_number STRING: lot of a vaccine
--   provider_id BIGINT: who did or said it, where it is one Practitioner of the lake
--   visit_occurrence_id BIGINT: the visit
--   visit_detail_id BIGINT: not filled: NULL
--   drug_source_value STRING: the code, else the text of the concept
--   drug_source_concept_id INT: the code's own concept, or 0
--   route_source_value STRING: code of the route
--   dose_unit_source_value STRING: unit of the dose
SELECT
  e.event_id AS drug_exposure_id,
  e.person_id,
  e.concept_id AS drug_concept_id,
  CAST(e.start_time AS DATE) AS drug_exposure_start_date,
  e.start_time AS drug_exposure_start_datetime,
  coalesce(CAST(e.end_time AS DATE), CAST(e.start_time AS DATE) + (e.days_supply - 1), CAST(e.start_time AS DATE)) AS drug_exposure_end_date,
  e.end_time AS drug_exposure_end_datetime,
  CAST(e.end_time AS DATE) AS verbatim_end_date,
  CAST(32817 AS INT) AS drug_type_concept_id,
  CAST(NULL AS STRING) AS stop_reason,
  e.refills,
  e.quantity,
  e.days_supply,
  e.sig,
  CAST(CASE WHEN e.route_code IS NOT NULL THEN coalesce(route.concept_id, 0) END AS INT) AS route_concept_id,
  substr(e.lot_number, 1, 50) AS lot_number,
  e.provider_id,
  e.visit_occurrence_id,
  CAST(NULL AS BIGINT) AS visit_detail_id,
  substr(coalesce(e.code, e.code_text), 1, 50) AS drug_source_value,
  e.source_concept_id AS drug_source_concept_id,
  substr(e.route_code, 1, 50) AS route_source_value,
  substr(e.unit_code, 1, 50) AS dose_unit_source_value
FROM omop.fhir_mapped_event AS e
LEFT JOIN omop.fhir_code_map AS route ON route.code_key = e.route_key AND route.target_rank = 1
WHERE e.domain_id = 'Drug'
