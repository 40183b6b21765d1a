WITH counted AS (
  SELECT type || '.' || element AS element_path, system, code FROM coded
  UNION ALL
  SELECT 'Observation.component.code', coding->>'system', coding->>'code'
  FROM (SELECT unnest(codings_of(component->'code')) AS coding
    FROM (SELECT unnest(from_json(body->'component', '["JSON"]')) AS component FROM resource WHERE type = 'Observation'))
)
SELECT element_path, system AS code_system, count(DISTINCT code) AS codes, count(*) AS code_count
FROM counted
WHERE element_path IN ('Condition.code', 'Procedure.code', 'MedicationRequest.medicationCodeableConcept', 'Medication.code',
  'Observation.code', 'Observation.component.code', 'Observation.valueCodeableConcept', 'Immunization.vaccineCode', 'AllergyIntolerance.code')
GROUP BY element_path, system ORDER BY element_path, code_system
