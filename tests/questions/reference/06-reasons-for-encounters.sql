SELECT code, min(display) AS reason, count(DISTINCT e.id) AS encounters, count(DISTINCT patient_of(e.body)) AS patients
FROM coded c JOIN resource e ON e.type = c.type AND e.id = c.id
WHERE c.type = 'Encounter' AND element = 'reasonCode' AND system = 'http://snomed.info/sct'
GROUP BY code HAVING count(DISTINCT e.id) >= 2 ORDER BY encounters DESC, code
