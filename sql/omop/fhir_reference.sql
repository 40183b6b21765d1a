-- name: fhir_reference
-- description: One row per way to refer to a Practitioner or an Organization: by its id, and by each identifier that exactly one of them has. Not a table of the CDM.
-- fhir: R4, R4B
-- leaves out: identifiers that several resources of the type have
-- key: reference_key
-- columns:
--   reference_key STRING NOT NULL: Type/id, or Type?system|value, Type?|value without a system, Type?value whatever the system
--   resource_id STRING NOT NULL: id of the resource
WITH identified AS (
  SELECT 'Practitioner' AS resource_type, id, unnest(identifier) AS item FROM Practitioner
  UNION ALL
  SELECT 'Organization', id, unnest(identifier) FROM Organization
)
SELECT 'Practitioner/' || id AS reference_key, id AS resource_id FROM Practitioner
UNION ALL
SELECT 'Organization/' || id, id FROM Organization
UNION ALL
SELECT identifier_key, max(owner)
FROM (
  SELECT resource_type || '?' || coalesce(item['system'], '') || '|' || item['value'] AS identifier_key, id AS owner FROM identified
  UNION ALL
  SELECT resource_type || '?' || item['value'], id FROM identified WHERE item['value'] NOT LIKE '%|%'
)
WHERE identifier_key IS NOT NULL
GROUP BY identifier_key
HAVING count(DISTINCT owner) = 1
