-- question: Which haemoglobin A1c values are over 6.5 %, in whatever unit they were measured?
-- By UCUM a mmol/mol is 0.1 %, and quantity_in says so. Haemoglobin A1c in mmol/mol is another scale (IFCC); its percents are by the
-- NGSP's equation.
SELECT id, fhir_ref_id(subject, 'Patient') AS patient_id, percent
FROM (
  SELECT id, subject,
    CASE WHEN valueQuantity.code = 'mmol/mol' THEN 0.09148 * quantity_in(valueQuantity, 'mmol/mol') + 2.152
      ELSE quantity_in(valueQuantity, '%') END AS percent
  FROM Observation
  WHERE code_in(code, 'http://loinc.org', '4548-4', '59261-8') AND status IN ('final', 'amended', 'corrected')
)
WHERE percent > 6.5
ORDER BY id
