-- name: duplicate_patients
-- description: Patients that share an identifier (system and value) with another one. The problem is the system.
-- kind: check
-- fhir: R4, R4B, R5
WITH identified AS (
  SELECT id AS resource_id, item['system'] AS identifier_system, item['value'] AS identifier_value
  FROM (SELECT id, unnest(identifier) AS item FROM Patient)
  WHERE item['system'] IS NOT NULL AND item['value'] IS NOT NULL
),
shared AS (
  SELECT identifier_system AS shared_system, identifier_value AS shared_value
  FROM identified
  GROUP BY identifier_system, identifier_value
  HAVING count(DISTINCT resource_id) > 1
)
SELECT DISTINCT 'Patient' AS resource_type, resource_id AS id, 'identifier' AS element, identifier_system AS problem
FROM identified
JOIN shared ON shared_system = identifier_system AND shared_value = identifier_value
