SELECT first_with(us_core(body, 'race')->'extension', '$.url', 'ombCategory')->>'$.valueCoding.display' AS race,
  first_with(us_core(body, 'ethnicity')->'extension', '$.url', 'text')->>'valueString' AS ethnicity,
  count(*) AS patients
FROM resource WHERE type = 'Patient' GROUP BY race, ethnicity ORDER BY race, ethnicity
