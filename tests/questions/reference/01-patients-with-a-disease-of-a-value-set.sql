SELECT patient_of(c.body) AS patient_id, count(*) AS conditions
FROM resource c
JOIN in_set s ON s.type = c.type AND s.id = c.id AND s.element = 'code' AND s.name = 'cardiovascular-disease'
JOIN resource p ON p.type = 'Patient' AND p.id = patient_of(c.body)
WHERE c.type = 'Condition'
  AND has_code(c.body->'clinicalStatus', 'http://terminology.hl7.org/CodeSystem/condition-clinical', ['active', 'recurrence', 'relapse'])
  AND NOT json_exists(p.body, '$.deceasedDateTime') AND (p.body->>'deceasedBoolean') IS DISTINCT FROM 'true'
GROUP BY patient_id ORDER BY patient_id
