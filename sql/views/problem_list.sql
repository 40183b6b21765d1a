-- name: problem_list
-- description: One row per patient and problem: the conditions that are active (also recurrence and relapse), neither refuted nor entered in error, put together by their code, or by their text where they have no code. A condition with neither is not there.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM (SELECT DISTINCT patient_id, code_system, code, CASE WHEN code IS NULL THEN code_display END FROM conditions WHERE patient_id IS NOT NULL AND status IN ('active', 'recurrence', 'relapse') AND coalesce(verification_status, '') <> 'refuted' AND NOT is_entered_in_error AND coalesce(code, code_display) IS NOT NULL)
-- columns:
--   patient_id STRING: id of the Patient
--   code_system STRING: system of the code, chosen as in conditions
--   code STRING: the code
--   code_display STRING: display of the condition that was recorded last, or the text; where code is NULL it is a part of the key with patient_id and code_system
--   condition_id STRING: id of that Condition
--   condition_count BIGINT: how many Conditions say it
--   is_problem_list_item BOOLEAN: whether one of them has the category problem-list-item
--   start_time TIMESTAMP: the earliest onset
--   recorded_time TIMESTAMP: when it was last recorded
--   last_updated TIMESTAMP: when the server last changed one of them
SELECT
  patient_id,
  code_system,
  code,
  max(CASE WHEN recency = 1 THEN code_display END) AS code_display,
  max(CASE WHEN recency = 1 THEN condition_id END) AS condition_id,
  count(*) AS condition_count,
  bool_or(array_has(string_to_array(coalesce(category_codes, ''), ','), 'problem-list-item')) AS is_problem_list_item,
  min(start_time) AS start_time,
  max(recorded_time) AS recorded_time,
  max(last_updated) AS last_updated
FROM (
  SELECT
    *,
    CASE WHEN code IS NULL THEN code_display END AS text_without_code,
    row_number() OVER (
      PARTITION BY patient_id, code_system, code, CASE WHEN code IS NULL THEN code_display END
      ORDER BY recorded_time DESC NULLS LAST, condition_id
    ) AS recency
  FROM conditions
  WHERE patient_id IS NOT NULL
    AND status IN ('active', 'recurrence', 'relapse')
    AND coalesce(verification_status, '') <> 'refuted'
    AND NOT is_entered_in_error
    AND coalesce(code, code_display) IS NOT NULL
)
GROUP BY patient_id, code_system, code, text_without_code
