-- name: conditional_references
-- description: One row per search by identifier that exactly one Practitioner, Organization or Location answers. What the other views join, to resolve conditional and logical references.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM (SELECT kind, search FROM (SELECT kind, id, unnest([concat(item['system'], '|', item['value']), CASE WHEN item['value'] LIKE '%|%' THEN NULL ELSE item['value'] END]) AS search FROM (SELECT 'P' AS kind, id, unnest(identifier) AS item FROM Practitioner UNION ALL SELECT 'O', id, unnest(identifier) FROM Organization UNION ALL SELECT 'L', id, unnest(identifier) FROM Location) WHERE item['value'] IS NOT NULL) WHERE search IS NOT NULL GROUP BY kind, search HAVING min(id) = max(id))
-- columns:
--   reference STRING: the search, such as Practitioner?identifier=system|value; |value where the identifier has no system; value alone for that of any system
--   resource_type STRING: Practitioner, Organization or Location
--   resource_id STRING: id of the resource that it finds
SELECT
  resource_type || '?identifier=' || identifier_key AS reference,
  resource_type,
  max(id) AS resource_id
FROM (
  SELECT
    resource_type,
    id,
    -- A value that has a bar gets no key without a system, for it would read as one that has.
    unnest([coalesce(item['system'], '') || '|' || item['value'], CASE WHEN item['value'] NOT LIKE '%|%' THEN item['value'] END]) AS identifier_key
  FROM (
    SELECT 'Practitioner' AS resource_type, id, unnest(identifier) AS item FROM Practitioner
    UNION ALL
    SELECT 'Organization', id, unnest(identifier) FROM Organization
    UNION ALL
    SELECT 'Location', id, unnest(identifier) FROM Location
  )
)
WHERE identifier_key IS NOT NULL
GROUP BY resource_type, identifier_key
HAVING count(DISTINCT id) = 1
