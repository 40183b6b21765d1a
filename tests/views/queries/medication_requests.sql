-- by status and intent
SELECT status, intent_code, category_code, count(*) AS n
FROM medication_requests GROUP BY status, intent_code, category_code
ORDER BY status, intent_code, category_code

-- the commonest medications
SELECT code, count(*) AS n, code_display
FROM medication_requests GROUP BY code, code_display ORDER BY n DESC, code LIMIT 5

-- the code comes from the Medication where the request refers to one; one of them was deleted
SELECT count(*), count(code) FROM medication_requests WHERE medication_id IS NOT NULL

-- the doses
SELECT CAST(round(value_double * 10) AS INT) AS tenths, is_as_needed, count(*) AS n
FROM medication_requests GROUP BY round(value_double * 10), is_as_needed ORDER BY n DESC, tenths LIMIT 5

-- that of the second export
SELECT medication_request_id, patient_id, encounter_id, code, to_char(start_time, '%Y-%m-%dT%H:%M:%S'),
  practitioner_id, reason_condition_id FROM medication_requests WHERE medication_request_id LIKE 'new-%'
ORDER BY medication_request_id
