-- question: For which reasons did patients come, how many of them, and how often?
SELECT c.code, min(c.code_display) AS reason, count(DISTINCT e.id) AS encounters, count(DISTINCT fhir_ref_id(e.subject, 'Patient')) AS patients
FROM codings c JOIN Encounter e ON e.id = c.id
WHERE c.element_path = 'Encounter.reasonCode' AND c.code_system = 'http://snomed.info/sct'
GROUP BY c.code
HAVING count(DISTINCT e.id) >= 2
ORDER BY encounters DESC, c.code
