SELECT identifier->>'system' AS identifier_system, id AS patient_id, identifier->>'value' AS medical_record_number
FROM (SELECT id, unnest(from_json(body->'identifier', '["JSON"]')) AS identifier FROM resource WHERE type = 'Patient')
WHERE (identifier->>'$.type.coding[0].code') = 'MR'
ORDER BY identifier_system, patient_id, medical_record_number
