-- The sample has percents alone.
SELECT id, patient_of(body) AS patient_id, amount(body->'valueQuantity') AS percent
FROM resource
WHERE type = 'Observation' AND has_code(body->'code', 'http://loinc.org', ['4548-4', '59261-8']) AND is_final(body)
  AND (body->>'$.valueQuantity.system') = 'http://unitsofmeasure.org' AND (body->>'$.valueQuantity.code') = '%'
  AND amount(body->'valueQuantity') > 6.5
ORDER BY id
