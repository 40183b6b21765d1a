WITH aged AS (
  SELECT code, date_sub('year', CAST(p.body->>'birthDate' AS DATE), CAST(CAST(first_moment(c.body->>'onsetDateTime') AS TIMESTAMP) AS DATE)) AS age
  FROM (SELECT body, diagnosis_of(body->'code')->>'code' AS code, shown(diagnosis_of(body->'code'), body->'code') AS display
    FROM resource WHERE type = 'Condition') c
  JOIN resource p ON p.type = 'Patient' AND p.id = patient_of(c.body)
  WHERE display LIKE '%(disorder)' AND json_exists(c.body, '$.onsetDateTime')
    AND NOT has_code(c.body->'verificationStatus', 'http://terminology.hl7.org/CodeSystem/condition-ver-status', ['entered-in-error'])
)
SELECT code, min(age) AS youngest, max(age) AS oldest, count(*) AS conditions
FROM aged GROUP BY code HAVING count(*) >= 3 ORDER BY conditions DESC, code
