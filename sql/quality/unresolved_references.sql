-- name: unresolved_references
-- description: References to a resource that the lake does not have. The problem is the Type/id that is missing.
-- kind: check
-- fhir: R4, R4B, R5
SELECT DISTINCT refs.resource_type, refs.id, substr(element_path, length(refs.resource_type) + 2) AS element,
  target_type || '/' || target_id AS problem
FROM resources
RIGHT JOIN refs ON resources.resource_type = target_type AND resources.id = target_id
WHERE target_type IS NOT NULL AND target_id IS NOT NULL AND resources.id IS NULL
