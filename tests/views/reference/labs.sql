CREATE VIEW labs AS
SELECT * EXCLUDE (category_code, category_codes)
FROM observations
WHERE list_contains(string_split(category_codes, ','), 'laboratory');
