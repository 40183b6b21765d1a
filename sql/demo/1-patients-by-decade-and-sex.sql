-- question: How many patients were born in each decade, by sex?
SELECT
  birth_year - birth_year % 10 AS birth_decade,
  gender,
  count(*) AS patients
FROM patients
GROUP BY birth_year - birth_year % 10, gender
ORDER BY birth_decade, gender
