-- question: What is each patient's latest systolic blood pressure, in mmHg?
-- It is a component of a blood pressure; the view has a row for each component.
SELECT patient_id, to_char(start_time, '%Y-%m-%d') AS measured_on, value_double AS mm_hg
FROM (
  SELECT patient_id, start_time, value_double,
    row_number() OVER (PARTITION BY patient_id ORDER BY start_time DESC, observation_id) AS recency
  FROM observations
  WHERE code_system = 'http://loinc.org' AND code = '8480-6' AND value_unit = 'mm[Hg]' AND status IN ('final', 'amended', 'corrected')
)
WHERE recency = 1
ORDER BY patient_id
