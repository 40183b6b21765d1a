WITH held AS (
  SELECT DISTINCT
    body->>'$.code.coding[0].code' AS code,
    body->>'$.code.coding[0].display' AS code_display,
    body->>'$.subject.reference' AS patient
  FROM resource
  WHERE type = 'Condition' AND (body->>'$.verificationStatus.coding[0].code') = 'confirmed'
)
SELECT code, code_display, count(*) AS patients
FROM held
GROUP BY ALL
ORDER BY patients DESC, code
LIMIT 10
