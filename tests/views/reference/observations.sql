-- The name of the value[x] of an object, such as valueQuantity.
CREATE MACRO value_name(o) AS list_filter(json_keys(o), lambda k: k[:5] = 'value' AND length(k) > 5)[1];

CREATE VIEW observations AS
SELECT
  id AS observation_id,
  CAST(component_index AS INT) AS component_index,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  body->>'$.category[0].coding[0].code' AS category_code,
  all_categories(body) AS category_codes,
  CASE WHEN component_index > 0 THEN measurement_of(body->'code')->>'code' END AS panel_code,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, part->'code') AS code_display,
  first_moment(coalesce(body->>'effectiveDateTime', body->>'$.effectivePeriod.start', body->>'effectiveInstant')) AS start_time,
  last_moment(coalesce(body->>'effectiveDateTime', body->>'$.effectivePeriod.end', body->>'effectiveInstant')) AS end_time,
  first_moment(body->>'issued') AS issued_time,
  CASE value_name(part)
    WHEN 'valueString' THEN 'string' WHEN 'valueBoolean' THEN 'boolean' WHEN 'valueInteger' THEN 'integer'
    WHEN 'valueTime' THEN 'time' WHEN 'valueDateTime' THEN 'dateTime' ELSE value_name(part)[6:]
  END AS value_type,
  part->>'$.valueQuantity.comparator' AS value_comparator,
  CAST(coalesce(part->>'$.valueQuantity.value', part->>'valueInteger') AS DOUBLE) AS value_double,
  coalesce(part->>'$.valueQuantity.code', part->>'$.valueQuantity.unit') AS value_unit,
  value_coding->>'system' AS value_code_system,
  value_coding->>'code' AS value_code,
  coalesce(
    value_coding->>'display', part->>'$.valueCodeableConcept.text',
    part->>'valueString', part->>'valueBoolean', part->>'valueTime', part->>'valueDateTime',
    nullif(concat(
      part->>'$.valueRatio.numerator.comparator', part->>'$.valueRatio.numerator.value', ':',
      part->>'$.valueRatio.denominator.comparator', part->>'$.valueRatio.denominator.value'), ':'),
    nullif(concat(part->>'$.valueRange.low.value', '..', part->>'$.valueRange.high.value'), '..')
  ) AS value_text,
  part->>'$.interpretation[0].coding[0].code' AS interpretation_code,
  CAST(part->>'$.referenceRange[0].low.value' AS DOUBLE) AS reference_low,
  CAST(part->>'$.referenceRange[0].high.value' AS DOUBLE) AS reference_high,
  coalesce(part->>'$.dataAbsentReason.coding[0].code', part->>'$.dataAbsentReason.text') AS data_absent_code,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT
    *,
    measurement_of(part->'code') AS coding,
    chosen(part->'valueCodeableConcept', ['http://snomed.info/sct', 'http://loinc.org']) AS value_coding
  FROM (
    SELECT id, body, 0 AS component_index, body AS part
    FROM resource
    WHERE type = 'Observation'
      AND (coalesce(json_array_length(body, '$.component'), 0) = 0 OR value_name(body) IS NOT NULL OR (body->'dataAbsentReason') IS NOT NULL)
    UNION ALL
    SELECT
      id, body,
      generate_subscripts(from_json(body->'component', '["JSON"]'), 1),
      unnest(from_json(body->'component', '["JSON"]'))
    FROM resource
    WHERE type = 'Observation'
  )
);
