-- question: Which ten conditions do most patients have or have had?
SELECT
  code,
  min(code_display) AS code_display,
  count(DISTINCT patient_id) AS patients
FROM conditions
WHERE coalesce(verification_status, '') NOT IN ('refuted', 'entered-in-error')
GROUP BY code_system, code
ORDER BY patients DESC, code
LIMIT 10
