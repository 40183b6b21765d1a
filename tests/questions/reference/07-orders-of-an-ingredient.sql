WITH ordered AS (
  SELECT id, id AS order_id FROM in_set WHERE type = 'MedicationRequest' AND element = 'medicationCodeableConcept' AND name = 'simvastatin'
  UNION
  SELECT r.id, r.id FROM resource r JOIN in_set m
    ON m.type = 'Medication' AND m.element = 'code' AND m.name = 'simvastatin' AND m.id = id_of(r.body->>'$.medicationReference.reference', 'Medication')
  WHERE r.type = 'MedicationRequest'
)
SELECT patient_of(body) AS patient_id, strftime(min(first_moment(body->>'authoredOn')), '%Y-%m-%d') AS first_ordered, count(*) AS orders
FROM resource r JOIN ordered o ON o.id = r.id
WHERE type = 'MedicationRequest' AND (body->>'status') <> 'entered-in-error'
GROUP BY patient_id ORDER BY patient_id
