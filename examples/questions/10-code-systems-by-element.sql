-- question: In which code systems are diagnoses, procedures, drugs and measurements coded, and with how many codes?
SELECT element_path, code_system, count(DISTINCT code) AS codes, count(*) AS code_count
FROM codings
WHERE element_path IN ('Condition.code', 'Procedure.code', 'MedicationRequest.medicationCodeableConcept', 'Medication.code',
  'Observation.code', 'Observation.component.code', 'Observation.valueCodeableConcept', 'Immunization.vaccineCode', 'AllergyIntolerance.code')
GROUP BY element_path, code_system
ORDER BY element_path, code_system
