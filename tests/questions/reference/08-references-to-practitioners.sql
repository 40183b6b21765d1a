-- Each object with a text `reference`, wherever it is. The sample's practitioners are searched for by NPI, system and value.
WITH RECURSIVE node(type, path, value) AS (
  SELECT type, type, body FROM resource
  UNION ALL
  SELECT node.type, CASE json_type(node.value) WHEN 'ARRAY' THEN node.path ELSE node.path || '.' || e.key END, e.value
  FROM node, json_each(node.value) e
  WHERE json_type(node.value) IN ('ARRAY', 'OBJECT') AND e.key NOT IN ('contained') AND json_type(e.value) IN ('ARRAY', 'OBJECT')
)
SELECT path AS element_path, count(*) AS reference_count
FROM node
WHERE json_type(value) = 'OBJECT' AND (value->>'reference') = 'Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|9999881292'
GROUP BY path ORDER BY path
