-- by category and type of value
SELECT category_code, value_type, count(*) AS n
FROM observations GROUP BY category_code, value_type ORDER BY category_code, value_type

-- by component
SELECT component_index, count(*) AS n FROM observations GROUP BY component_index ORDER BY component_index

-- a panel has a row for each component and none of its own
SELECT observation_id, component_index, panel_code, code, CAST(round(value_double) AS INT), value_unit
FROM observations WHERE observation_id = '000141a3-c082-5ff1-001e-ff1125a38e3e' ORDER BY component_index

-- the commonest measurements, with their smallest and greatest value in thousandths
SELECT code, value_unit, count(*) AS n, CAST(round(min(value_double) * 1000) AS BIGINT),
  CAST(round(max(value_double) * 1000) AS BIGINT)
FROM observations WHERE value_double IS NOT NULL
GROUP BY code, value_unit ORDER BY n DESC, code LIMIT 8

-- the commonest coded values
SELECT code, value_code, count(*) AS n, value_text FROM observations WHERE value_code IS NOT NULL
GROUP BY code, value_code, value_text ORDER BY n DESC, code, value_code LIMIT 5

-- three values that the second export added
SELECT observation_id, component_index, patient_id, code, to_char(start_time, '%Y-%m-%dT%H:%M:%S'),
  to_char(end_time, '%Y-%m-%dT%H:%M:%S')
FROM observations WHERE observation_id LIKE 'new-%'
ORDER BY observation_id, component_index LIMIT 3

-- one that the second export deleted
SELECT count(*) FROM observations WHERE observation_id = '0a365a3c-cba2-abb6-4570-e85a79a50aa4'
