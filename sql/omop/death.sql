-- name: death
-- description: One row per person who is said to have died at a time.
-- fhir: R4, R4B
-- leaves out: patients who are said to be dead without a date
-- key: person_id
-- columns:
--   person_id BIGINT NOT NULL: the person
--   death_date DATE NOT NULL: the day, in UTC; of a partial date the last, as the CDM asks
--   death_datetime TIMESTAMP: the time, or midnight where none is known
--   death_type_concept_id INT: 32817, EHR
--   cause_concept_id INT: not filled: NULL
--   cause_source_value STRING: not filled: NULL
--   cause_source_concept_id INT: not filled: NULL
SELECT
  omop_id('Patient/' || id) AS person_id,
  CAST(__deceasedDateTime_end AS DATE) AS death_date,
  CASE WHEN deceasedDateTime LIKE '%T%' THEN __deceasedDateTime_start ELSE date_trunc('day', __deceasedDateTime_end) END AS death_datetime,
  CAST(32817 AS INT) AS death_type_concept_id,
  CAST(NULL AS INT) AS cause_concept_id,
  CAST(NULL AS STRING) AS cause_source_value,
  CAST(NULL AS INT) AS cause_source_concept_id
FROM Patient
WHERE __deceasedDateTime_end IS NOT NULL AND __birthDate_start IS NOT NULL
