-- name: missing_codes
-- description: Clinical resources that do not say what they are about by a code. The problem is "missing", or "text only".
-- kind: check
-- fhir: R4, R4B
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
  SELECT 'ServiceRequest', id, 'code', array_filter(code.coding, c -> c['code'] IS NOT NULL)[1]['code'], code.text FROM ServiceRequest
  UNION ALL
  SELECT 'Encounter', id, 'class', class.code, NULL FROM Encounter
  UNION ALL
  SELECT 'MedicationAdministration', id, 'medication[x]', coalesce(array_filter(medicationCodeableConcept.coding, c -> c['code'] IS NOT NULL)[1]['code'], medicationReference.reference, medicationReference.identifier.value), coalesce(medicationCodeableConcept.text, medicationReference.display) FROM MedicationAdministration
  UNION ALL
  SELECT 'MedicationDispense', id, 'medication[x]', coalesce(array_filter(medicationCodeableConcept.coding, c -> c['code'] IS NOT NULL)[1]['code'], medicationReference.reference, medicationReference.identifier.value), coalesce(medicationCodeableConcept.text, medicationReference.display) FROM MedicationDispense
  UNION ALL
  SELECT 'MedicationRequest', id, 'medication[x]', coalesce(array_filter(medicationCodeableConcept.coding, c -> c['code'] IS NOT NULL)[1]['code'], medicationReference.reference, medicationReference.identifier.value), coalesce(medicationCodeableConcept.text, medicationReference.display) FROM MedicationRequest
  UNION ALL
  SELECT 'MedicationStatement', id, 'medication[x]', coalesce(array_filter(medicationCodeableConcept.coding, c -> c['code'] IS NOT NULL)[1]['code'], medicationReference.reference, medicationReference.identifier.value), coalesce(medicationCodeableConcept.text, medicationReference.display) FROM MedicationStatement
)
WHERE first_code IS NULL
