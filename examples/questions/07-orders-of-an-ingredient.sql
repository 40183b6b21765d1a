-- question: Who was ordered a drug with the ingredient simvastatin, in any strength, when first and how often?
-- needs: --value-set examples/questions/value-sets
-- The drug may be said in the order, or be a Medication that the order refers to.
SELECT r.patient_id, to_char(min(r.authored_time), '%Y-%m-%d') AS first_ordered, count(*) AS orders
FROM (
  SELECT fhir_ref_id(subject, 'Patient') AS patient_id, __authoredOn_start AS authored_time, medicationCodeableConcept,
    fhir_ref_id(medicationReference, 'Medication') AS medication_id
  FROM MedicationRequest
  WHERE status <> 'entered-in-error'
) r
LEFT JOIN Medication m ON m.id = r.medication_id
WHERE in_value_set(r.medicationCodeableConcept, 'Simvastatin') OR in_value_set(m.code, 'Simvastatin')
GROUP BY r.patient_id
ORDER BY r.patient_id
