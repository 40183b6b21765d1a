-- by sex
SELECT gender, is_deceased, count(*) AS n
FROM patients GROUP BY gender, is_deceased ORDER BY gender, is_deceased

-- the years of birth
SELECT birth_year, count(*) AS n FROM patients GROUP BY birth_year ORDER BY birth_year

-- by race and ethnicity
SELECT race_code, ethnicity_code, count(*) AS n
FROM patients GROUP BY race_code, ethnicity_code ORDER BY race_code, ethnicity_code

-- three patients, in the order of their ids
SELECT patient_id, CAST(birth_date AS STRING), gender, birth_sex, to_char(deceased_time, '%Y-%m-%dT%H:%M:%S'),
  postal_code, state, language_code, marital_status_code, family_name, given_names, city, race
FROM patients ORDER BY patient_id LIMIT 3

-- who was changed by the second export
SELECT patient_id, to_char(last_updated, '%Y-%m-%dT%H:%M:%S')
FROM patients WHERE CAST(last_updated AS DATE) > DATE '2026-01-01' ORDER BY patient_id
