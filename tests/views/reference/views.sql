-- What each view must hold, said by JSON paths over the raw resources: DuckDB's dialect. See expected.py.

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

CREATE VIEW patients AS
SELECT
  id AS patient_id,
  CASE WHEN length(body->>'birthDate') = 10 THEN CAST(body->>'birthDate' AS DATE) END AS birth_date,
  CAST((body->>'birthDate')[:4] AS INT) AS birth_year,
  body->>'gender' AS gender,
  us_core(body, 'birthsex')->>'valueCode' AS birth_sex,
  name->>'family' AS family_name,
  nullif(array_to_string(name->>'$.given[*]', ' '), '') AS given_names,
  CASE
    WHEN (body->>'deceasedBoolean') IS NOT NULL THEN (body->>'deceasedBoolean') = 'true'
    ELSE (body->>'deceasedDateTime') IS NOT NULL
  END AS is_deceased,
  first_moment(body->>'deceasedDateTime') AS deceased_time,
  address->>'city' AS city,
  address->>'state' AS state,
  address->>'postalCode' AS postal_code,
  address->>'country' AS country,
  nullif(array_to_string(list_transform(
    list_filter(from_json(us_core(body, 'race')->'extension', '["JSON"]'), lambda x: (x->>'url') = 'ombCategory'),
    lambda x: x->>'$.valueCoding.code'), ','), '') AS race_code,
  first_with(us_core(body, 'race')->'extension', '$.url', 'text')->>'valueString' AS race,
  first_with(us_core(body, 'ethnicity')->'extension', '$.url', 'ombCategory')->>'$.valueCoding.code' AS ethnicity_code,
  first_with(us_core(body, 'ethnicity')->'extension', '$.url', 'text')->>'valueString' AS ethnicity,
  body->>'$.maritalStatus.coding[0].code' AS marital_status_code,
  coalesce(first_with(body->'communication', '$.preferred', 'true'), body->'$.communication[0]')->>'$.language.coding[0].code' AS language_code,
  list_filter(from_json(body->'identifier', '["JSON"]'), lambda x: list_contains(x->>'$.type.coding[*].code', 'MR'))[1]->>'value' AS medical_record_number,
  CAST(body->>'active' AS BOOLEAN) AS is_active,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT
    *,
    coalesce(first_with(body->'name', '$.use', 'official'), body->'$.name[0]') AS name,
    coalesce(first_with(body->'address', '$.use', 'home'), body->'$.address[0]') AS address
  FROM resource
  WHERE type = 'Patient'
);

-- The first participant who says to be a Practitioner, or says nothing and has the identifier of one.
CREATE VIEW practitioner_of_encounter AS
SELECT id, first(practitioner_id ORDER BY place) AS practitioner_id
FROM (
  SELECT id, place, target_type(individual) AS said_type, id_of_any(individual, 'Practitioner') AS practitioner_id
  FROM (
    SELECT
      id,
      unnest(from_json(body->'participant', '["JSON"]'))->'individual' AS individual,
      generate_subscripts(from_json(body->'participant', '["JSON"]'), 1) AS place
    FROM resource
    WHERE type = 'Encounter'
  )
)
WHERE said_type = 'Practitioner' OR (said_type IS NULL AND practitioner_id IS NOT NULL)
GROUP BY id;

CREATE VIEW encounters AS
SELECT
  id AS encounter_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.partOf.reference', 'Encounter') AS part_of_encounter_id,
  body->>'status' AS status,
  body->>'$.class.code' AS class_code,
  body->>'$.type[0].coding[0].system' AS code_system,
  body->>'$.type[0].coding[0].code' AS code,
  coalesce(body->>'$.type[0].coding[0].display', body->>'$.type[0].text') AS code_display,
  first_moment(body->>'$.period.start') AS start_time,
  last_moment(body->>'$.period.end') AS end_time,
  body->>'$.reasonCode[0].coding[0].code' AS reason_code,
  coalesce(body->>'$.reasonCode[0].coding[0].display', body->>'$.reasonCode[0].text') AS reason_display,
  body->>'$.hospitalization.admitSource.coding[0].code' AS admit_source_code,
  body->>'$.hospitalization.dischargeDisposition.coding[0].code' AS discharge_disposition_code,
  practitioner_id,
  id_of_any(body->'serviceProvider', 'Organization') AS organization_id,
  body->>'$.serviceProvider.display' AS organization_name,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM resource
LEFT JOIN practitioner_of_encounter USING (id)
WHERE type = 'Encounter';

CREATE VIEW conditions AS
SELECT
  id AS condition_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  body->>'$.clinicalStatus.coding[0].code' AS status,
  body->>'$.verificationStatus.coding[0].code' AS verification_status,
  body->>'$.category[0].coding[0].code' AS category_code,
  body->>'$.severity.coding[0].code' AS severity_code,
  body->>'$.code.coding[0].system' AS code_system,
  body->>'$.code.coding[0].code' AS code,
  coalesce(body->>'$.code.coding[0].display', body->>'$.code.text') AS code_display,
  first_moment(coalesce(body->>'onsetDateTime', body->>'$.onsetPeriod.start')) AS start_time,
  last_moment(coalesce(body->>'abatementDateTime', body->>'$.abatementPeriod.end')) AS end_time,
  first_moment(body->>'recordedDate') AS recorded_time,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM resource
WHERE type = 'Condition';

-- The name of the value[x] of an object, such as valueQuantity.
CREATE MACRO value_name(o) AS list_filter(json_keys(o), lambda k: k[:5] = 'value' AND length(k) > 5)[1];

CREATE VIEW observations AS
SELECT
  id AS observation_id,
  CAST(component_index AS INT) AS component_index,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  body->>'status' AS status,
  body->>'$.category[0].coding[0].code' AS category_code,
  CASE WHEN component_index > 0 THEN body->>'$.code.coding[0].code' END AS panel_code,
  part->>'$.code.coding[0].system' AS code_system,
  part->>'$.code.coding[0].code' AS code,
  coalesce(part->>'$.code.coding[0].display', part->>'$.code.text') AS code_display,
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
  part->>'$.valueCodeableConcept.coding[0].system' AS value_code_system,
  part->>'$.valueCodeableConcept.coding[0].code' AS value_code,
  coalesce(
    part->>'$.valueCodeableConcept.coding[0].display', part->>'$.valueCodeableConcept.text',
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
);

CREATE VIEW medication_requests AS
SELECT
  r.id AS medication_request_id,
  id_of(r.body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(r.body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  id_of(r.body->>'$.medicationReference.reference', 'Medication') AS medication_id,
  r.body->>'status' AS status,
  r.body->>'intent' AS intent_code,
  r.body->>'$.category[0].coding[0].code' AS category_code,
  coalesce(r.body->>'$.medicationCodeableConcept.coding[0].system', m.body->>'$.code.coding[0].system') AS code_system,
  coalesce(r.body->>'$.medicationCodeableConcept.coding[0].code', m.body->>'$.code.coding[0].code') AS code,
  coalesce(
    r.body->>'$.medicationCodeableConcept.coding[0].display', r.body->>'$.medicationCodeableConcept.text',
    m.body->>'$.code.coding[0].display', m.body->>'$.code.text', r.body->>'$.medicationReference.display'
  ) AS code_display,
  first_moment(r.body->>'authoredOn') AS start_time,
  last_moment(r.body->>'$.dispenseRequest.validityPeriod.end') AS end_time,
  CASE
    WHEN (r.body->'$.dosageInstruction[0].asNeededCodeableConcept') IS NOT NULL THEN true
    ELSE CAST(r.body->>'$.dosageInstruction[0].asNeededBoolean' AS BOOLEAN)
  END AS is_as_needed,
  r.body->>'$.dosageInstruction[0].text' AS dosage_text,
  CAST(r.body->>'$.dosageInstruction[0].doseAndRate[0].doseQuantity.value' AS DOUBLE) AS value_double,
  coalesce(
    r.body->>'$.dosageInstruction[0].doseAndRate[0].doseQuantity.code',
    r.body->>'$.dosageInstruction[0].doseAndRate[0].doseQuantity.unit'
  ) AS value_unit,
  CAST(r.body->>'$.dispenseRequest.quantity.value' AS DOUBLE) AS dispense_double,
  coalesce(r.body->>'$.dispenseRequest.quantity.code', r.body->>'$.dispenseRequest.quantity.unit') AS dispense_unit,
  CAST(r.body->>'$.dispenseRequest.numberOfRepeatsAllowed' AS INT) AS repeats_allowed,
  r.body->>'$.reasonCode[0].coding[0].code' AS reason_code,
  list_filter(
    list_transform(from_json(r.body->'reasonReference', '["JSON"]'), lambda x: id_of(x->>'reference', 'Condition')),
    lambda x: x IS NOT NULL
  )[1] AS reason_condition_id,
  id_of_any(r.body->'requester', 'Practitioner') AS practitioner_id,
  first_moment(r.body->>'$.meta.lastUpdated') AS last_updated
FROM resource AS r
LEFT JOIN resource AS m
  ON m.type = 'Medication' AND m.id = id_of(r.body->>'$.medicationReference.reference', 'Medication')
WHERE r.type = 'MedicationRequest';

-- Files by themselves bring no members: only exports of a Group do.
CREATE VIEW cohort_members AS
SELECT
  CAST(NULL AS VARCHAR) AS pipeline, CAST(NULL AS VARCHAR) AS group_id, CAST(NULL AS VARCHAR) AS patient_id,
  CAST(NULL AS VARCHAR) AS first_export, CAST(NULL AS VARCHAR) AS last_export
WHERE false;
