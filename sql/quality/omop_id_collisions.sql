-- name: omop_id_collisions
-- description: Resources whose ids are the same number in a table of the schema omop. The problem is that number.
-- kind: check
-- fhir: R4, R4B
WITH numbered AS (
  SELECT 'Patient' AS resource_type, id AS resource_id, omop_id('Patient/' || id) AS number, 'person' AS in_table FROM Patient
  UNION ALL
  SELECT 'Encounter', id, omop_id('Encounter/' || id), 'visit_occurrence' FROM Encounter
  UNION ALL
  SELECT 'Practitioner', id, omop_id('Practitioner/' || id), 'provider' FROM Practitioner
  UNION ALL
  SELECT 'Organization', id, omop_id('Organization/' || id), 'care_site' FROM Organization
  UNION ALL
  SELECT resource_type, split_part(statement_id, '/', 2), omop_id(statement_id), 'event' FROM omop.fhir_statement
),
shared AS (
  SELECT in_table AS shared_table, number AS shared_number FROM numbered GROUP BY in_table, number HAVING count(*) > 1
)
SELECT resource_type, resource_id AS id, in_table AS element, CAST(number AS STRING) AS problem
FROM numbered
JOIN shared ON shared_table = in_table AND shared_number = number
