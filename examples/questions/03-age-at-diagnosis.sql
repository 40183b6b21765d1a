-- question: How old were patients when each of their commonest disorders began?
SELECT c.code, min(age_at(p.birthDate, c.start_time)) AS youngest, max(age_at(p.birthDate, c.start_time)) AS oldest,
  count(*) AS conditions
FROM conditions c JOIN Patient p ON p.id = c.patient_id
WHERE c.code_display LIKE '%(disorder)' AND c.start_time IS NOT NULL AND NOT c.is_entered_in_error
GROUP BY c.code
HAVING count(*) >= 3
ORDER BY conditions DESC, c.code
