CREATE VIEW latest_values AS
SELECT DISTINCT ON (patient_id, code_system, code)
  patient_id, code_system, code, code_display, observation_id, component_index, encounter_id, status, start_time, end_time,
  value_type, value_comparator, value_double, value_unit, value_code, value_text, interpretation_code,
  count(*) OVER (PARTITION BY patient_id, code_system, code) AS value_count,
  last_updated
FROM observations
WHERE patient_id IS NOT NULL AND code IS NOT NULL AND value_type IS NOT NULL
  AND coalesce(status, '') <> 'entered-in-error' AND coalesce(status, '') <> 'cancelled'
ORDER BY patient_id, code_system, code, start_time DESC NULLS LAST, issued_time DESC NULLS LAST, observation_id, component_index;
