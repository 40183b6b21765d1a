-- by status
SELECT status, verification_status, category_code, count(*) AS n
FROM conditions GROUP BY status, verification_status, category_code
ORDER BY status, verification_status, category_code

-- what is resolved has an end
SELECT count(*) FROM conditions WHERE status = 'resolved' AND end_time IS NULL

-- the commonest
SELECT code_system, code, count(DISTINCT patient_id) AS n, code_display
FROM conditions GROUP BY code_system, code, code_display ORDER BY n DESC, code LIMIT 5

-- those that the second export added
SELECT condition_id, patient_id, status, code, to_char(start_time, '%Y-%m-%dT%H:%M:%S'),
  to_char(end_time, '%Y-%m-%dT%H:%M:%S') FROM conditions WHERE condition_id LIKE 'new-%'
ORDER BY condition_id

-- one that the second export changed, one that it deleted
SELECT condition_id, to_char(last_updated, '%Y-%m-%dT%H:%M:%S') FROM conditions
WHERE condition_id IN ('06fe1428-033f-f4f8-21bb-971b0dd2726a', '84887922-bfca-bd52-f6f5-b55031225cf7')
