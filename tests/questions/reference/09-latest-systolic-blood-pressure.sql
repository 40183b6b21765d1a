WITH pressure AS (
  SELECT patient_of(body) AS patient_id, id, first_moment(body->>'effectiveDateTime') AS time, amount(component->'valueQuantity') AS mm_hg
  FROM (SELECT id, body, unnest(from_json(body->'component', '["JSON"]')) AS component FROM resource WHERE type = 'Observation' AND is_final(body))
  WHERE has_code(component->'code', 'http://loinc.org', ['8480-6']) AND unit(component->'valueQuantity') = 'mm[Hg]'
)
SELECT patient_id, strftime(time, '%Y-%m-%d') AS measured_on, mm_hg
FROM (SELECT *, row_number() OVER (PARTITION BY patient_id ORDER BY time DESC, id) AS recency FROM pressure)
WHERE recency = 1 ORDER BY patient_id
