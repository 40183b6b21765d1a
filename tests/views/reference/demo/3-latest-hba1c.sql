WITH test AS (
  SELECT
    id,
    split_part(body->>'$.subject.reference', '/', 2) AS patient_id,
    body->>'effectiveDateTime' AS written,
    CAST(body->>'$.valueQuantity.value' AS DOUBLE) AS number,
    body->>'$.valueQuantity.unit' AS unit
  FROM resource
  WHERE type = 'Observation' AND (body->>'status') = 'final' AND list_contains(body->>'$.code.coding[*].code', '4548-4')
)
SELECT patient_id, written[:10] AS measured_on, number AS value_double, unit AS value_unit
FROM test AS t
WHERE NOT EXISTS (
  FROM test AS other
  WHERE other.patient_id = t.patient_id
    AND (other.written > t.written OR (other.written = t.written AND other.id < t.id))
)
ORDER BY patient_id
