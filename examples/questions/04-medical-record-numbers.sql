-- question: Who has a medical record number, and which, by the system that gave it?
SELECT identifier_system, id AS patient_id, identifier_value AS medical_record_number
FROM identifiers
WHERE element_path = 'Patient.identifier' AND type_code = 'MR'
ORDER BY identifier_system, patient_id, medical_record_number
