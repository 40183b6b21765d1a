CREATE VIEW conditional_references AS
SELECT reference, min(type) AS resource_type, min(id) AS resource_id
FROM (
  SELECT type, id, type || '?identifier=' || coalesce(item->>'system', '') || '|' || (item->>'value') AS reference
  FROM (SELECT type, id, unnest(from_json(body->'identifier', '["JSON"]')) AS item FROM resource)
  UNION
  SELECT type, id, type || '?identifier=' || (item->>'value')
  FROM (SELECT type, id, unnest(from_json(body->'identifier', '["JSON"]')) AS item FROM resource)
  WHERE NOT contains(item->>'value', '|')
)
WHERE type IN ('Practitioner', 'Organization', 'Location') AND reference IS NOT NULL
GROUP BY reference
HAVING count(*) = 1;
