CREATE VIEW problem_list AS
SELECT
  patient_id,
  code_system,
  code,
  arg_min(code_display, place) AS code_display,
  arg_min(condition_id, place) AS condition_id,
  count(*) AS condition_count,
  bool_or(coalesce(list_contains(string_split(category_codes, ','), 'problem-list-item'), false)) AS is_problem_list_item,
  min(start_time) AS start_time,
  max(recorded_time) AS recorded_time,
  max(last_updated) AS last_updated
FROM (
  SELECT *, row_number() OVER (ORDER BY recorded_time DESC NULLS LAST, condition_id) AS place
  FROM conditions
  WHERE status IN ('active', 'recurrence', 'relapse') AND coalesce(verification_status, '') <> 'refuted' AND NOT is_entered_in_error
    AND patient_id IS NOT NULL AND (code IS NOT NULL OR code_display IS NOT NULL)
)
GROUP BY patient_id, code_system, code, CASE WHEN code IS NULL THEN code_display END;
