SELECT
  CAST((body->>'birthDate')[:3] || '0' AS INT) AS birth_decade,
  body->>'gender' AS gender,
  count(*) AS patients
FROM resource
WHERE type = 'Patient'
GROUP BY ALL
ORDER BY ALL
