-- name: fhir_code_map
-- description: One row per code of the lake that the vocabulary has, and standard concept that it maps to. Not a table of the CDM; found once for each session.
-- fhir: R4, R4B
-- leaves out: codes that the vocabulary does not have
-- key: concat(code_key, '/', CAST(target_rank AS STRING))
-- columns:
--   code_key STRING NOT NULL: vocabulary_id and code, with a bar between them
--   source_concept_id INT NOT NULL: the code's own concept
--   concept_id INT: a valid standard concept that it maps to ("Maps to"); NULL where there is none
--   domain_id STRING: the domain of that concept
--   target_rank BIGINT NOT NULL: 1 for the standard concept with the lowest id, then 2, …
WITH used AS (
  SELECT DISTINCT code_key
  FROM (SELECT unnest([code_key, value_key, unit_key, route_key]) AS code_key FROM omop.fhir_event)
  WHERE code_key IS NOT NULL
),
source AS (
  SELECT used.code_key, concept.concept_id AS source_concept_id
  FROM used
  JOIN omop.concept AS concept ON concept.vocabulary_id || '|' || concept.concept_code = used.code_key
),
standard AS (
  SELECT DISTINCT source.source_concept_id, target.concept_id, target.domain_id
  FROM source
  JOIN omop.concept_relationship AS relationship ON relationship.concept_id_1 = source.source_concept_id
  JOIN omop.concept AS target ON target.concept_id = relationship.concept_id_2
  WHERE relationship.relationship_id = 'Maps to' AND relationship.invalid_reason IS NULL
    AND target.standard_concept = 'S' AND target.invalid_reason IS NULL
)
SELECT
  source.code_key,
  source.source_concept_id,
  standard.concept_id,
  standard.domain_id,
  CAST(row_number() OVER (PARTITION BY source.code_key ORDER BY standard.concept_id, source.source_concept_id) AS BIGINT) AS target_rank
FROM source
LEFT JOIN standard ON standard.source_concept_id = source.source_concept_id
