-- name: fhir_mapped_event
-- description: One row per event and standard concept of its code, with the domain that says which table it belongs to. Not a table of the CDM.
-- fhir: R4, R4B
-- leaves out: nothing that fhir_event has
-- key: event_id
-- columns:
--   event_id BIGINT NOT NULL: omop_id of statement_id; of statement_id/n for the n-th standard concept of the code, from the second on
--   domain_id STRING NOT NULL: the domain of the standard concept; default_domain_id where the code is not mapped
--   concept_id INT NOT NULL: the standard concept, or 0
--   source_concept_id INT NOT NULL: the code's own concept, or 0
--   statement_id STRING NOT NULL: as in fhir_event
--   resource_type STRING NOT NULL: as in fhir_event
--   person_id BIGINT NOT NULL: as in fhir_event
--   visit_occurrence_id BIGINT: as in fhir_event
--   provider_id BIGINT: as in fhir_event
--   code STRING: as in fhir_event
--   code_text STRING: as in fhir_event
--   start_time TIMESTAMP NOT NULL: as in fhir_event
--   end_time TIMESTAMP: as in fhir_event
--   status STRING: as in fhir_event
--   value_code STRING: as in fhir_event
--   value_key STRING: as in fhir_event
--   value_number DOUBLE: as in fhir_event
--   value_comparator STRING: as in fhir_event
--   value_text STRING: as in fhir_event
--   unit_code STRING: as in fhir_event
--   unit_key STRING: as in fhir_event
--   range_low DOUBLE: as in fhir_event
--   range_high DOUBLE: as in fhir_event
--   quantity DOUBLE: as in fhir_event
--   refills INT: as in fhir_event
--   days_supply INT: as in fhir_event
--   sig STRING: as in fhir_event
--   route_code STRING: as in fhir_event
--   route_key STRING: as in fhir_event
--   lot_number STRING: as in fhir_event
SELECT
  omop_id(CASE WHEN m.target_rank > 1 THEN e.statement_id || '/' || CAST(m.target_rank AS STRING) ELSE e.statement_id END) AS event_id,
  coalesce(m.domain_id, e.default_domain_id) AS domain_id,
  CAST(coalesce(m.concept_id, 0) AS INT) AS concept_id,
  CAST(coalesce(m.source_concept_id, 0) AS INT) AS source_concept_id,
  e.statement_id,
  e.resource_type,
  e.person_id,
  e.visit_occurrence_id,
  e.provider_id,
  e.code,
  e.code_text,
  e.start_time,
  e.end_time,
  e.status,
  e.value_code,
  e.value_key,
  e.value_number,
  e.value_comparator,
  e.value_text,
  e.unit_code,
  e.unit_key,
  e.range_low,
  e.range_high,
  e.quantity,
  e.refills,
  e.days_supply,
  e.sig,
  e.route_code,
  e.route_key,
  e.lot_number
FROM omop.fhir_event AS e
LEFT JOIN omop.fhir_code_map AS m ON m.code_key = e.code_key
