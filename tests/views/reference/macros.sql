-- What the files beside this one say their views with: JSON paths over the raw resources, in DuckDB's dialect. See expected.py.

CREATE MACRO to_char(t, f) AS strftime(t, f);

-- The first and last moment of a date or dateTime. A time of day stands for itself.
CREATE MACRO first_moment(s) AS CAST(CASE length(s) WHEN 4 THEN s || '-01-01' WHEN 7 THEN s || '-01' ELSE s END AS TIMESTAMPTZ);
CREATE MACRO last_moment(s) AS CASE length(s)
  WHEN 4 THEN first_moment(s) + INTERVAL 1 YEAR - INTERVAL 1 MICROSECOND
  WHEN 7 THEN first_moment(s) + INTERVAL 1 MONTH - INTERVAL 1 MICROSECOND
  WHEN 10 THEN first_moment(s) + INTERVAL 1 DAY - INTERVAL 1 MICROSECOND
  ELSE first_moment(s) END;

-- The id in a relative reference to a type, also a versioned one. The lakes of the tests know no base of a server, so an
-- absolute reference is foreign.
CREATE MACRO id_of(reference, type) AS nullif(regexp_extract(reference, '^' || type || '/([A-Za-z0-9.-]{1,64})(/_history/[^/]+)?$', 1), '');

-- The id of the only resource of a type that has an identifier, given as in a search: system|value, |value of one without a
-- system, or a value of any system.
CREATE MACRO id_by_identifier(wanted, wanted_type) AS (
  SELECT CASE WHEN count(DISTINCT owner.id) = 1 THEN min(owner.id) END
  FROM (SELECT id, unnest(from_json(body->'identifier', '["JSON"]')) AS item FROM resource WHERE type = wanted_type) AS owner
  WHERE CASE WHEN contains(wanted, '|') THEN coalesce(item->>'system', '') || '|' ELSE '' END || (item->>'value') = wanted
);
CREATE MACRO target_type(reference) AS coalesce(
  nullif(regexp_extract(reference->>'reference', '^([A-Z][A-Za-z]+)[/?]', 1), ''), reference->>'type');
CREATE MACRO id_of_any(reference, type) AS CASE WHEN coalesce(target_type(reference), type) = type THEN coalesce(
  id_of(reference->>'reference', type),
  id_by_identifier(coalesce(
    nullif(url_decode(regexp_extract(reference->>'reference', '^' || type || '[?]identifier=(.+)$', 1)), ''),
    coalesce(reference->>'$.identifier.system', '') || '|' || (reference->>'$.identifier.value')), type)
) END;

-- The first item of a list that has a value at a path, else NULL.
CREATE MACRO first_with(list, path, wanted) AS (
  list_filter(from_json(list, '["JSON"]'), lambda x: x->>path = wanted)[1]
);
CREATE MACRO us_core(body, name) AS first_with(body->'extension', '$.url', 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-' || name);

-- (An arrow after a parameter would be read as a lambda's inside of a function that takes one: hence json_extract.)

-- The coding of a concept that is of the first of these systems, else its first coding.
CREATE MACRO chosen(concept, systems) AS coalesce(
  list_sort(list_filter(
    list_transform(from_json(json_extract(concept, '$.coding'), '["JSON"]'), lambda c, i: struct_pack(
      place_of_system := list_position(systems, c->>'system'), place := i, coding := c)),
    lambda x: x.place_of_system > 0 AND (x.coding->>'code') IS NOT NULL))[1].coding,
  concept->'$.coding[0]');
CREATE MACRO diagnosis_of(concept) AS chosen(concept, ['http://snomed.info/sct', 'http://hl7.org/fhir/sid/icd-10-cm', 'http://hl7.org/fhir/sid/icd-10', 'http://hl7.org/fhir/sid/icd-9-cm']);
CREATE MACRO drug_of(concept) AS chosen(concept, ['http://www.nlm.nih.gov/research/umls/rxnorm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/ndc', 'http://www.whocc.no/atc']);
CREATE MACRO measurement_of(concept) AS chosen(concept, ['http://loinc.org', 'http://snomed.info/sct']);

-- The display of a coding, else the text of its concept.
CREATE MACRO shown(coding, concept) AS coalesce(coding->>'display', concept->>'text');

-- The first reference of a list, at a path of its items, that is said to be to a type.
CREATE MACRO first_said(list, path, wanted) AS
  list_filter(list_transform(from_json(list, '["JSON"]'), lambda x: json_extract(x, path)), lambda r: target_type(r) = wanted)[1];
-- The id of the first reference of a list that is resolved to a type.
CREATE MACRO first_id(list, wanted) AS list_filter(
  list_transform(from_json(list, '["JSON"]'), lambda x: id_of(x->>'reference', wanted)), lambda x: x IS NOT NULL)[1];

CREATE MACRO all_categories(body) AS nullif(array_to_string(body->>'$.category[*].coding[*].code', ','), '');
CREATE MACRO is_mistake(status) AS coalesce(status = 'entered-in-error', false);
CREATE MACRO amount(quantity) AS CAST(quantity->>'value' AS DOUBLE);
CREATE MACRO unit(quantity) AS coalesce(quantity->>'code', quantity->>'unit');
CREATE MACRO days(quantity, otherwise) AS CASE WHEN coalesce(unit(quantity), otherwise) IN ('d', 'day', 'days', 'Day', 'Days') THEN amount(quantity) END;
CREATE MACRO money(m) AS TRY_CAST(m->>'value' AS DECIMAL(18, 2));
CREATE MACRO first_telecom(body, kind) AS first_with(json_extract(body, '$.telecom'), '$.system', kind)->>'value';
CREATE MACRO npi(body) AS first_with(json_extract(body, '$.identifier'), '$.system', 'http://hl7.org/fhir/sid/us-npi')->>'value';
