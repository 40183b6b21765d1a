-- name: duplicate_observations
-- fhir: R5
WITH part AS (
  SELECT
    whole_id,
    string_agg(concat_ws(' ',
      part['code']['coding'][1]['code'], part['code']['text'],
      part['valueQuantity']['comparator'], part['valueQuantity']['value'], coalesce(part['valueQuantity']['code'], part['valueQuantity']['unit']),
      part['valueCodeableConcept']['coding'][1]['code'], part['valueCodeableConcept']['text'], part['valueString'],
      CAST(part['valueBoolean'] AS STRING), CAST(part['valueInteger'] AS STRING), part['valueTime'], part['valueDateTime'],
      part['valueRatio']['numerator']['value'], part['valueRatio']['denominator']['value'], part['valueRange']['low']['value'], part['valueRange']['high']['value'],
      part['valueReference']['reference'], part['valueAttachment']['url'], encode(part['valueAttachment']['hash'], 'base64'), md5(part['valueAttachment']['data']),
      part['dataAbsentReason']['coding'][1]['code']
    ), ';' ORDER BY place) AS parts_said
  FROM (
    SELECT id AS whole_id, unnest(component) AS part, unnest(generate_series(1, CAST(array_length(component) AS BIGINT))) AS place
    FROM Observation
    WHERE array_length(component) > 0
  )
  GROUP BY whole_id
),
said AS (
  SELECT
    id AS resource_id,
    concat_ws(' ', subject.reference, code.coding[1]['system'], code.coding[1]['code'], code.text, effectiveDateTime, effectivePeriod.start, effectivePeriod.end, effectiveInstant) AS about,
    concat_ws(' ',
      valueQuantity.comparator, valueQuantity.value, coalesce(valueQuantity.code, valueQuantity.unit), valueCodeableConcept.coding[1]['code'], valueCodeableConcept.text,
      valueString, CAST(valueBoolean AS STRING), CAST(valueInteger AS STRING), valueTime, valueDateTime,
      valueRatio.numerator.value, valueRatio.denominator.value, valueRange.low.value, valueRange.high.value,
      valueReference.reference, valueAttachment.url, encode(valueAttachment.hash, 'base64'), md5(valueAttachment.data),
      dataAbsentReason.coding[1]['code'], parts_said
    ) AS value_said
  FROM Observation
  LEFT JOIN part ON whole_id = id
  WHERE coalesce(status, 'unknown') <> 'entered-in-error' AND subject.reference IS NOT NULL
    AND coalesce(effectiveDateTime, effectivePeriod.start, effectiveInstant) IS NOT NULL
),
repeated AS (
  SELECT about AS repeated_about, value_said AS repeated_value, min(resource_id) AS first_id
  FROM said
  WHERE value_said <> ''
  GROUP BY about, value_said
  HAVING count(*) > 1
)
SELECT 'Observation' AS resource_type, resource_id AS id, 'Observation' AS element, first_id AS problem
FROM said
JOIN repeated ON repeated_about = about AND repeated_value = value_said
WHERE resource_id <> first_id
