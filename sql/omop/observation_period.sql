-- name: observation_period
-- description: One row per person with events: from the first to the last.
-- fhir: R4, R4B
-- leaves out: persons of whom nothing else is known
-- key: observation_period_id
-- columns:
--   observation_period_id BIGINT NOT NULL: the same as person_id
--   person_id BIGINT NOT NULL: the person
--   observation_period_start_date DATE NOT NULL: start of the earliest visit or event
--   observation_period_end_date DATE NOT NULL: end of the latest visit, or start of the latest event
--   period_type_concept_id INT NOT NULL: 32817, EHR
SELECT
  person_id AS observation_period_id,
  person_id,
  min(first_date) AS observation_period_start_date,
  max(last_date) AS observation_period_end_date,
  CAST(32817 AS INT) AS period_type_concept_id
FROM (
  SELECT person_id, visit_start_date AS first_date, visit_end_date AS last_date FROM omop.visit_occurrence
  UNION ALL
  SELECT person_id, CAST(start_time AS DATE), CAST(start_time AS DATE) FROM omop.fhir_event
)
GROUP BY person_id
