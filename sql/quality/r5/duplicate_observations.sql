-- name: duplicate_observations
-- fhir: R5
WITH part AS (
  SELECT
    whole_id,
    string_agg(concat_ws(' ', part['code']['coding'][1]['system'], coalesce(part['code']['coding'][1]['code'], part['code']['coding'][1]['display']), part['code']['text']) || ' ' || nullif(concat_ws(' ',
      'comparator=' || part['valueQuantity']['comparator'], 'value=' || part['valueQuantity']['value'],
      'unit=' || coalesce(part['valueQuantity']['code'], part['valueQuantity']['unit']),
      'concept=' || coalesce(part['valueCodeableConcept']['coding'][1]['system'], '') || '|' || coalesce(part['valueCodeableConcept']['coding'][1]['code'], part['valueCodeableConcept']['coding'][1]['display']),
      'concept text=' || part['valueCodeableConcept']['text'], 'string=' || part['valueString'], 'boolean=' || CAST(part['valueBoolean'] AS STRING),
      'integer=' || CAST(part['valueInteger'] AS STRING), 'time=' || part['valueTime'], 'moment=' || part['valueDateTime'],
      'start=' || part['valuePeriod']['start'], 'end=' || part['valuePeriod']['end'], 'numerator=' || part['valueRatio']['numerator']['value'],
      'numerator unit=' || coalesce(part['valueRatio']['numerator']['code'], part['valueRatio']['numerator']['unit']),
      'denominator=' || part['valueRatio']['denominator']['value'],
      'denominator unit=' || coalesce(part['valueRatio']['denominator']['code'], part['valueRatio']['denominator']['unit']),
      'low=' || part['valueRange']['low']['value'], 'low unit=' || coalesce(part['valueRange']['low']['code'], part['valueRange']['low']['unit']),
      'high=' || part['valueRange']['high']['value'], 'high unit=' || coalesce(part['valueRange']['high']['code'], part['valueRange']['high']['unit']),
      'samples=' || part['valueSampledData']['data'], 'origin=' || part['valueSampledData']['origin']['value'],
      'interval=' || part['valueSampledData']['interval'], 'interval unit=' || part['valueSampledData']['intervalUnit'], 'reference=' || part['valueReference']['reference'], 'url=' || part['valueAttachment']['url'],
      'hash=' || encode(part['valueAttachment']['hash'], 'base64'), 'data=' || md5(part['valueAttachment']['data']),
      'absent=' || coalesce(part['dataAbsentReason']['coding'][1]['system'], '') || '|' || coalesce(part['dataAbsentReason']['coding'][1]['code'], part['dataAbsentReason']['coding'][1]['display'])
    ), ''), ';' ORDER BY place) AS parts_said
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
    concat_ws(' ',
      subject.reference, coalesce(code.coding[1]['system'], '') || '|' || code.coding[1]['code'], code.text,
      'at=' || effectiveDateTime, 'start=' || effectivePeriod.start, 'end=' || effectivePeriod.end, 'instant=' || effectiveInstant
    ) AS about,
    concat_ws(' ',
      'comparator=' || valueQuantity.comparator, 'value=' || valueQuantity.value, 'unit=' || coalesce(valueQuantity.code, valueQuantity.unit),
      'concept=' || coalesce(valueCodeableConcept.coding[1]['system'], '') || '|' || coalesce(valueCodeableConcept.coding[1]['code'], valueCodeableConcept.coding[1]['display']),
      'concept text=' || valueCodeableConcept.text, 'string=' || valueString, 'boolean=' || CAST(valueBoolean AS STRING),
      'integer=' || CAST(valueInteger AS STRING), 'time=' || valueTime, 'moment=' || valueDateTime, 'start=' || valuePeriod.start,
      'end=' || valuePeriod.end, 'numerator=' || valueRatio.numerator.value,
      'numerator unit=' || coalesce(valueRatio.numerator.code, valueRatio.numerator.unit), 'denominator=' || valueRatio.denominator.value,
      'denominator unit=' || coalesce(valueRatio.denominator.code, valueRatio.denominator.unit), 'low=' || valueRange.low.value,
      'low unit=' || coalesce(valueRange.low.code, valueRange.low.unit), 'high=' || valueRange.high.value,
      'high unit=' || coalesce(valueRange.high.code, valueRange.high.unit), 'samples=' || valueSampledData.data,
      'origin=' || valueSampledData.origin.value, 'interval=' || valueSampledData.interval, 'interval unit=' || valueSampledData.intervalUnit, 'reference=' || valueReference.reference,
      'url=' || valueAttachment.url, 'hash=' || encode(valueAttachment.hash, 'base64'), 'data=' || md5(valueAttachment.data),
      'absent=' || coalesce(dataAbsentReason.coding[1]['system'], '') || '|' || coalesce(dataAbsentReason.coding[1]['code'], dataAbsentReason.coding[1]['display']),
      'parts=' || parts_said
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
