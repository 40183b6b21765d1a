-- What the files beside this one say their answers with, besides tests/views/reference/macros.sql: DuckDB's dialect over raw resources.
-- The table value_set has the codes of examples/questions/value-sets, each with its file's name.

CREATE MACRO codings_of(concept) AS from_json(json_extract(concept, '$.coding'), '["JSON"]');
CREATE MACRO patient_of(body) AS id_of(body->>'$.subject.reference', 'Patient');
CREATE MACRO has_code(concept, wanted_system, codes) AS len(list_filter(codings_of(concept),
  lambda c: (c->>'system') = wanted_system AND list_contains(codes, c->>'code'))) > 0;
CREATE MACRO is_final(body) AS (body->>'status') IN ('final', 'amended', 'corrected');

CREATE VIEW coded AS
SELECT type, id, element, coding->>'system' AS system, coding->>'code' AS code, coding->>'display' AS display
FROM (
  SELECT type, id, key AS element, unnest(codings_of(concept)) AS coding
  FROM (
    SELECT resource.type, resource.id, e.key, unnest(CASE json_type(e.value) WHEN 'ARRAY' THEN from_json(e.value, '["JSON"]') ELSE [e.value] END) AS concept
    FROM resource, json_each(body) e
    WHERE json_type(e.value) IN ('ARRAY', 'OBJECT')
  )
  WHERE json_type(concept) = 'OBJECT' AND json_exists(concept, '$.coding')
);
CREATE VIEW in_set AS SELECT DISTINCT type, id, element, v.name FROM coded c JOIN value_set v ON v.system = c.system AND v.code = c.code;
