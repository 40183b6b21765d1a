-- name: missing_codes
-- fhir: R5
SELECT resource_type, resource_id AS id, element, CASE WHEN concept_text IS NULL THEN 'missing' ELSE 'text only' END AS problem
FROM (
  SELECT 'AllergyIntolerance' AS resource_type, id AS resource_id, 'code' AS element, array_filter(code.coding, c -> c['code'] IS NOT NULL)[1]['code'] AS first_code, code.text AS concept_text FROM AllergyIntolerance
  UNION ALL
  SELECT 'Condition', id, 'code', array_filter(code.coding, c -> c['code'] IS NOT NULL)[1]['code'], code.text FROM Condition
  UNION ALL
  SELECT 'DiagnosticReport', id, 'code', array_filter(code.coding, c -> c['code'] IS NOT NULL)[1]['code'], code.text FROM DiagnosticReport
  UNION ALL
  SELECT 'Immunization', id, 'vaccineCode', array_filter(vaccineCode.coding, c -> c['code'] IS NOT NULL)[1]['code'], vaccineCode.text FROM Immunization
  UNION ALL
  SELECT 'Medication', id, 'code', array_filter(code.coding, c -> c['code'] IS NOT NULL)[1]['code'], code.text FROM Medication
  UNION ALL
  SELECT 'Observation', id, 'code', array_filter(code.coding, c -> c['code'] IS NOT NULL)[1]['code'], code.text FROM Observation
  UNION ALL
  SELECT 'Procedure', id, 'code', array_filter(code.coding, c -> c['code'] IS NOT NULL)[1]['code'], code.text FROM Procedure
  UNION ALL
  SELECT 'ServiceRequest', id, 'code', coalesce(array_filter(code.concept.coding, c -> c['code'] IS NOT NULL)[1]['code'], code.reference.reference, code.reference.identifier.value), coalesce(code.concept.text, code.reference.display) FROM ServiceRequest
  UNION ALL
  SELECT 'Encounter', id, 'class', array_filter(flatten(array_transform(class, c -> c['coding'])), c -> c['code'] IS NOT NULL)[1]['code'], array_filter(class, c -> c['text'] IS NOT NULL)[1]['text'] FROM Encounter
  UNION ALL
  SELECT 'MedicationAdministration', id, 'medication', coalesce(array_filter(medication.concept.coding, c -> c['code'] IS NOT NULL)[1]['code'], medication.reference.reference, medication.reference.identifier.value), coalesce(medication.concept.text, medication.reference.display) FROM MedicationAdministration
  UNION ALL
  SELECT 'MedicationDispense', id, 'medication', coalesce(array_filter(medication.concept.coding, c -> c['code'] IS NOT NULL)[1]['code'], medication.reference.reference, medication.reference.identifier.value), coalesce(medication.concept.text, medication.reference.display) FROM MedicationDispense
  UNION ALL
  SELECT 'MedicationRequest', id, 'medication', coalesce(array_filter(medication.concept.coding, c -> c['code'] IS NOT NULL)[1]['code'], medication.reference.reference, medication.reference.identifier.value), coalesce(medication.concept.text, medication.reference.display) FROM MedicationRequest
  UNION ALL
  SELECT 'MedicationStatement', id, 'medication', coalesce(array_filter(medication.concept.coding, c -> c['code'] IS NOT NULL)[1]['code'], medication.reference.reference, medication.reference.identifier.value), coalesce(medication.concept.text, medication.reference.display) FROM MedicationStatement
)
WHERE first_code IS NULL
