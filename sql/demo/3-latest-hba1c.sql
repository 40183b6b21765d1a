-- question: What is each patient's latest haemoglobin A1c (LOINC 4548-4)?
SELECT patient_id, measured_on, value_double, value_unit
FROM (
  SELECT
    patient_id,
    CAST(start_time AS DATE) AS measured_on,
    value_double,
    value_unit,
    row_number() OVER (PARTITION BY patient_id ORDER BY start_time DESC, observation_id) AS recency
  FROM observations
  WHERE code_system = 'http://loinc.org' AND code = '4548-4' AND value_double IS NOT NULL
    AND status IN ('final', 'amended', 'corrected')
)
WHERE recency = 1
ORDER BY patient_id
