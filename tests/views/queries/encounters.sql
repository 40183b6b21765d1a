-- by class and status
SELECT class_code, status, count(*) AS n
FROM encounters GROUP BY class_code, status ORDER BY class_code, status

-- the commonest types
SELECT code, code_display, count(*) AS n
FROM encounters GROUP BY code, code_display ORDER BY n DESC, code LIMIT 5

-- by year
SELECT CAST(date_part('year', start_time) AS INT) AS y, count(*) AS n
FROM encounters GROUP BY date_part('year', start_time) ORDER BY y

-- none ends before it starts
SELECT count(*) FROM encounters WHERE end_time < start_time

-- references by identifier that no organization of the lake answers
SELECT count(*) FROM encounters WHERE organization_id IS NULL AND organization_name IS NOT NULL

-- the organizations with most encounters
SELECT organization_id, organization_name, count(*) AS n
FROM encounters WHERE organization_id IS NOT NULL GROUP BY organization_id, organization_name
ORDER BY n DESC, organization_id LIMIT 3

-- three encounters that the second export added
SELECT encounter_id, patient_id, class_code, code, to_char(start_time, '%Y-%m-%dT%H:%M:%S'),
  to_char(end_time, '%Y-%m-%dT%H:%M:%S'), practitioner_id FROM encounters WHERE encounter_id LIKE 'new-%'
ORDER BY encounter_id LIMIT 3

-- one that the second export deleted
SELECT count(*) FROM encounters WHERE encounter_id = '4939563c-81f8-1fa6-ab68-b4dbf5c9f588'
