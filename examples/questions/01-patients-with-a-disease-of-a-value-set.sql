-- question: Which living patients have an active condition of the value set CardiovascularDisease, and how many?
-- needs: --value-set examples/questions/value-sets
SELECT fhir_ref_id(subject, 'Patient') AS patient_id, count(*) AS conditions
FROM Condition
WHERE in_value_set(code, 'http://example.org/fhir/ValueSet/cardiovascular-disease')
  AND code_in(clinicalStatus, 'http://terminology.hl7.org/CodeSystem/condition-clinical', 'active', 'recurrence', 'relapse')
  AND fhir_ref_id(subject, 'Patient') IN (SELECT id FROM Patient WHERE deceasedDateTime IS NULL AND deceasedBoolean IS NOT TRUE)
GROUP BY patient_id
ORDER BY patient_id
