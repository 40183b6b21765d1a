-- What the tables of OMOP must hold, said by JSON paths over the raw resources: DuckDB's dialect, over the macros of
-- tests/views/reference/views.sql. The tables concept and concept_relationship are loaded by expected.py.

CREATE SCHEMA omop;
CREATE MACRO omop_id(t) AS CAST(CAST('0x' || left(sha256(t), 16) AS UBIGINT) & CAST(9223372036854775807 AS UBIGINT) AS BIGINT);
CREATE MACRO day_of(t) AS CAST(t AS DATE);
CREATE MACRO whole_second(t) AS date_trunc('second', t);
CREATE MACRO vocabulary_of(url) AS CASE url
  WHEN 'http://snomed.info/sct' THEN 'SNOMED' WHEN 'http://loinc.org' THEN 'LOINC'
  WHEN 'http://www.nlm.nih.gov/research/umls/rxnorm' THEN 'RxNorm' WHEN 'http://hl7.org/fhir/sid/icd-10-cm' THEN 'ICD10CM'
  WHEN 'http://hl7.org/fhir/sid/icd-10' THEN 'ICD10' WHEN 'http://www.cms.gov/Medicare/Coding/ICD10' THEN 'ICD10PCS'
  WHEN 'http://hl7.org/fhir/sid/icd-9-cm' THEN 'ICD9CM' WHEN 'http://hl7.org/fhir/sid/cvx' THEN 'CVX'
  WHEN 'http://www.ama-assn.org/go/cpt' THEN 'CPT4' WHEN 'http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets' THEN 'HCPCS'
  WHEN 'http://hl7.org/fhir/sid/ndc' THEN 'NDC' WHEN 'http://www.whocc.no/atc' THEN 'ATC'
  WHEN 'http://nucc.org/provider-taxonomy' THEN 'NUCC' WHEN 'http://unitsofmeasure.org' THEN 'UCUM' END;

-- The standard concepts of a code, in the order of their ids.
CREATE VIEW mapping AS
SELECT
  source.vocabulary_id, source.concept_code, source.concept_id AS source_concept_id, target.concept_id, target.domain_id,
  row_number() OVER (PARTITION BY source.concept_id ORDER BY target.concept_id) AS place
FROM concept AS source
LEFT JOIN (
  SELECT r.concept_id_1, t.concept_id, t.domain_id
  FROM concept_relationship AS r JOIN concept AS t ON t.concept_id = r.concept_id_2
  WHERE r.relationship_id = 'Maps to' AND r.invalid_reason IS NULL AND t.standard_concept = 'S' AND t.invalid_reason IS NULL
) AS target ON target.concept_id_1 = source.concept_id;
CREATE MACRO concept_of(url, code_wanted) AS (
  SELECT max(concept_id) FROM mapping WHERE vocabulary_id = vocabulary_of(url) AND concept_code = code_wanted AND place = 1);
CREATE MACRO source_concept_of(url, code_wanted) AS (
  SELECT max(source_concept_id) FROM mapping WHERE vocabulary_id = vocabulary_of(url) AND concept_code = code_wanted);

CREATE VIEW known_patient AS SELECT id, body FROM resource WHERE type = 'Patient' AND (body->>'birthDate') IS NOT NULL;

CREATE VIEW omop.visit_occurrence AS
SELECT
  omop_id('Encounter/' || e.id) AS visit_occurrence_id,
  omop_id('Patient/' || p.id) AS person_id,
  CAST(CASE (e.body->>'$.class.code') WHEN 'IMP' THEN 9201 WHEN 'ACUTE' THEN 9201 WHEN 'NONAC' THEN 9201 WHEN 'AMB' THEN 9202
    WHEN 'EMER' THEN 9203 WHEN 'HH' THEN 581476 WHEN 'OBSENC' THEN 262 WHEN 'VR' THEN 722455 ELSE 0 END AS INT) AS visit_concept_id,
  day_of(first_moment(e.body->>'$.period.start')) AS visit_start_date,
  first_moment(e.body->>'$.period.start') AS visit_start_datetime,
  day_of(coalesce(last_moment(e.body->>'$.period.end'), first_moment(e.body->>'$.period.start'))) AS visit_end_date,
  coalesce(whole_second(last_moment(e.body->>'$.period.end')), first_moment(e.body->>'$.period.start')) AS visit_end_datetime,
  32817 AS visit_type_concept_id,
  omop_id('Practitioner/' || seen.practitioner_id) AS provider_id,
  omop_id('Organization/' || id_of_any((e.body->'serviceProvider'), 'Organization')) AS care_site_id,
  (e.body->>'$.class.code') AS visit_source_value,
  0 AS visit_source_concept_id,
  CASE WHEN (e.body->>'$.hospitalization.admitSource.coding[0].code') IS NOT NULL THEN 0 END AS admitted_from_concept_id,
  (e.body->>'$.hospitalization.admitSource.coding[0].code') AS admitted_from_source_value,
  CASE WHEN (e.body->>'$.hospitalization.dischargeDisposition.coding[0].code') IS NOT NULL THEN 0 END AS discharged_to_concept_id,
  (e.body->>'$.hospitalization.dischargeDisposition.coding[0].code') AS discharged_to_source_value,
  NULL AS preceding_visit_occurrence_id
FROM resource AS e
JOIN known_patient AS p ON p.id = id_of((e.body->>'$.subject.reference'), 'Patient')
LEFT JOIN practitioner_of_encounter AS seen ON seen.id = e.id
WHERE e.type = 'Encounter' AND (e.body->>'$.period.start') IS NOT NULL
  AND coalesce((e.body->>'status'), '') NOT IN ('planned', 'cancelled', 'entered-in-error');

-- What happened, by resource: who to, what about, when, who by; the rest is taken out of part below.
CREATE VIEW happened AS
WITH value AS (
  SELECT id, body, 0 AS place, body AS part FROM resource
  WHERE type = 'Observation' AND (value_name(body) IS NOT NULL OR coalesce(json_array_length(body->'component'), 0) = 0)
  UNION ALL
  SELECT id, body, generate_subscripts(from_json((body->'component'), '["JSON"]'), 1), unnest(from_json((body->'component'), '["JSON"]'))
  FROM resource WHERE type = 'Observation'
)
SELECT
  'Observation' AS type, id || CASE WHEN place > 0 THEN '#' || place ELSE '' END AS id, body, part,
  CASE WHEN (body->>'$.category[0].coding[0].code') IN ('laboratory', 'vital-signs') THEN 'Measurement' ELSE 'Observation' END AS usual,
  (part->'code') AS about, (body->>'$.subject.reference') AS patient, (body->>'$.encounter.reference') AS encounter,
  coalesce((body->>'effectiveDateTime'), (body->>'$.effectivePeriod.start'), body->>'effectiveInstant') AS since,
  coalesce((body->>'effectiveDateTime'), (body->>'$.effectivePeriod.end'), body->>'effectiveInstant') AS until,
  (body->'$.performer[0]') AS agent
FROM value WHERE (body->>'status') NOT IN ('entered-in-error', 'registered', 'cancelled')
UNION ALL
SELECT type, id, body, body, 'Condition', (body->'code'), (body->>'$.subject.reference'), (body->>'$.encounter.reference'),
  coalesce((body->>'onsetDateTime'), (body->>'$.onsetPeriod.start'), body->>'recordedDate'), coalesce((body->>'abatementDateTime'), body->>'$.abatementPeriod.end'),
  coalesce((body->'recorder'), body->'asserter')
FROM resource WHERE type = 'Condition' AND coalesce((body->>'$.verificationStatus.coding[0].code'), '') NOT IN ('entered-in-error', 'refuted')
UNION ALL
SELECT type, id, body, body, 'Observation', (body->'code'), (body->>'$.patient.reference'), (body->>'$.encounter.reference'),
  coalesce((body->>'onsetDateTime'), (body->>'$.onsetPeriod.start'), body->>'recordedDate'), NULL, coalesce((body->'recorder'), body->'asserter')
FROM resource WHERE type = 'AllergyIntolerance' AND coalesce((body->>'$.verificationStatus.coding[0].code'), '') NOT IN ('entered-in-error', 'refuted')
UNION ALL
SELECT type, id, body, body, 'Procedure', (body->'code'), (body->>'$.subject.reference'), (body->>'$.encounter.reference'),
  coalesce((body->>'performedDateTime'), body->>'$.performedPeriod.start'), coalesce((body->>'performedDateTime'), body->>'$.performedPeriod.end'),
  coalesce((body->'$.performer[0].actor'), body->'recorder')
FROM resource WHERE type = 'Procedure' AND (body->>'status') NOT IN ('entered-in-error', 'not-done', 'preparation')
UNION ALL
SELECT type, id, body, body, 'Drug', (body->'vaccineCode'), (body->>'$.patient.reference'), (body->>'$.encounter.reference'),
  coalesce((body->>'occurrenceDateTime'), body->>'recorded'), (body->>'occurrenceDateTime'), (body->'$.performer[0].actor')
FROM resource WHERE type = 'Immunization' AND (body->>'status') NOT IN ('entered-in-error', 'not-done')
UNION ALL
SELECT r.type, r.id, r.body, r.body, 'Drug',
  coalesce((r.body->'medicationCodeableConcept'), (m.body->'code'), json_object('text', r.body->>'$.medicationReference.display')),
  (r.body->>'$.subject.reference'), coalesce((r.body->>'$.encounter.reference'), r.body->>'$.context.reference'),
  CASE r.type WHEN 'MedicationRequest' THEN (r.body->>'authoredOn') WHEN 'MedicationDispense' THEN coalesce((r.body->>'whenHandedOver'), r.body->>'whenPrepared')
    ELSE coalesce((r.body->>'effectiveDateTime'), (r.body->>'$.effectivePeriod.start'), r.body->>'dateAsserted') END,
  coalesce((r.body->>'effectiveDateTime'), (r.body->>'$.effectivePeriod.end'), r.body->>'$.dispenseRequest.validityPeriod.end'),
  coalesce((r.body->'requester'), (r.body->'$.performer[0].actor'), r.body->'informationSource')
FROM resource AS r
LEFT JOIN resource AS m ON m.type = 'Medication' AND m.id = id_of((r.body->>'$.medicationReference.reference'), 'Medication')
WHERE r.type IN ('MedicationRequest', 'MedicationAdministration', 'MedicationStatement', 'MedicationDispense')
  AND (r.body->>'status') NOT IN ('entered-in-error', 'not-done', 'not-taken', 'intended', 'declined', 'preparation')
  AND NOT (r.body->>'status' IN ('cancelled', 'draft') AND r.type IN ('MedicationRequest', 'MedicationDispense'))
  AND coalesce((r.body->>'intent'), '') NOT IN ('proposal', 'option') AND coalesce((r.body->>'doNotPerform'), 'false') = 'false';

CREATE TABLE event AS
WITH told AS (
  SELECT
    h.*, v.visit_occurrence_id, p.id AS patient_id,
    coalesce(first_moment(h.since), v.visit_start_datetime) AS start_time,
    whole_second(last_moment(h.until)) AS end_time,
    coalesce(
      list_filter(from_json((h.about->'coding'), '["JSON"]'), lambda c: vocabulary_of(c->>'system') IS NOT NULL AND (c->>'code') IS NOT NULL)[1],
      h.about->'$.coding[0]') AS coding
  FROM happened AS h
  JOIN known_patient AS p ON p.id = id_of(h.patient, 'Patient')
  LEFT JOIN omop.visit_occurrence AS v
    ON v.visit_occurrence_id = omop_id('Encounter/' || id_of(h.encounter, 'Encounter')) AND v.person_id = omop_id('Patient/' || p.id)
)
SELECT
  omop_id(t.type || '/' || t.id || CASE WHEN m.place > 1 THEN '/' || m.place ELSE '' END) AS event_id,
  omop_id('Patient/' || t.patient_id) AS person_id,
  t.visit_occurrence_id,
  omop_id('Practitioner/' || id_of_any(t.agent, 'Practitioner')) AS provider_id,
  CAST(coalesce(m.concept_id, 0) AS INT) AS concept_id,
  CAST(coalesce(m.source_concept_id, 0) AS INT) AS source_concept_id,
  coalesce(m.domain_id, t.usual) AS domain_id,
  left(coalesce((t.coding->>'code'), (t.coding->>'display'), t.about->>'text'), 50) AS source_value,
  t.start_time, t.end_time, t.type, t.body, t.part,
  coalesce((t.part->'valueQuantity'), CASE WHEN t.usual = 'Drug' THEN coalesce(
    (t.body->'$.dosageInstruction[0].doseAndRate[0].doseQuantity'), (t.body->'$.dosage.dose'), (t.body->'$.dosage[0].doseAndRate[0].doseQuantity'), t.body->'doseQuantity') END) AS amount
FROM told AS t
LEFT JOIN mapping AS m ON m.vocabulary_id = vocabulary_of(t.coding->>'system') AND m.concept_code = (t.coding->>'code')
WHERE t.start_time IS NOT NULL;

CREATE MACRO unit_of(amount) AS coalesce((amount->>'code'), amount->>'unit');
CREATE MACRO zero_if(code, concept) AS CAST(CASE WHEN code IS NOT NULL THEN coalesce(concept, 0) END AS INT);

CREATE VIEW omop.person AS
SELECT
  omop_id('Patient/' || id) AS person_id,
  CAST(CASE WHEN sex IN ('M', 'male') THEN 8507 WHEN sex IN ('F', 'female') THEN 8532 ELSE 0 END AS INT) AS gender_concept_id,
  CAST(born[1:4] AS INT) AS year_of_birth,
  CASE WHEN length(born) > 4 THEN CAST(born[6:7] AS INT) END AS month_of_birth,
  CASE WHEN length(born) > 7 THEN CAST(born[9:10] AS INT) END AS day_of_birth,
  CASE WHEN length(born) > 7 THEN first_moment(born) END AS birth_datetime,
  CAST(CASE race_code WHEN '1002-5' THEN 8657 WHEN '2028-9' THEN 8515 WHEN '2054-5' THEN 8516 WHEN '2076-8' THEN 8557 WHEN '2106-3' THEN 8527 ELSE 0 END AS INT) AS race_concept_id,
  CAST(CASE ethnicity_code WHEN '2135-2' THEN 38003563 WHEN '2186-5' THEN 38003564 ELSE 0 END AS INT) AS ethnicity_concept_id,
  CASE WHEN json_array_length(body->'address') > 0 THEN omop_id('Patient/' || id) END AS location_id,
  omop_id('Practitioner/' || (SELECT min(r.id) FROM resource AS r WHERE r.type = 'Practitioner' AND r.id = id_of((told.body->>'$.generalPractitioner[0].reference'), 'Practitioner'))) AS provider_id,
  omop_id('Organization/' || (SELECT min(r.id) FROM resource AS r WHERE r.type = 'Organization' AND r.id = id_of((told.body->>'$.managingOrganization.reference'), 'Organization'))) AS care_site_id,
  left(id, 50) AS person_source_value, sex AS gender_source_value, 0 AS gender_source_concept_id,
  race_code AS race_source_value, 0 AS race_source_concept_id, ethnicity_code AS ethnicity_source_value, 0 AS ethnicity_source_concept_id
FROM (
  SELECT k.id, k.body, (k.body->>'birthDate') AS born, v.race_code, v.ethnicity_code,
    CASE WHEN v.birth_sex IN ('M', 'F') THEN v.birth_sex ELSE v.gender END AS sex
  FROM known_patient AS k JOIN patients AS v ON v.patient_id = k.id
) AS told;

CREATE VIEW omop.observation_period AS
SELECT person_id AS observation_period_id, person_id, min(a) AS observation_period_start_date, max(b) AS observation_period_end_date, 32817 AS period_type_concept_id
FROM (SELECT person_id, visit_start_date AS a, visit_end_date AS b FROM omop.visit_occurrence UNION ALL SELECT person_id, day_of(start_time), day_of(start_time) FROM event)
GROUP BY person_id;

CREATE VIEW omop.condition_occurrence AS
SELECT
  event_id AS condition_occurrence_id, person_id, concept_id AS condition_concept_id, day_of(start_time) AS condition_start_date, start_time AS condition_start_datetime,
  day_of(end_time) AS condition_end_date, end_time AS condition_end_datetime, 32817 AS condition_type_concept_id,
  CASE WHEN type = 'Condition' AND (body->>'$.verificationStatus.coding[0].code') IS NOT NULL THEN 0 END AS condition_status_concept_id, NULL AS stop_reason,
  provider_id, visit_occurrence_id, NULL AS visit_detail_id, source_value AS condition_source_value, source_concept_id AS condition_source_concept_id,
  CASE WHEN type = 'Condition' THEN (body->>'$.verificationStatus.coding[0].code') END AS condition_status_source_value
FROM event WHERE domain_id = 'Condition';

CREATE VIEW omop.procedure_occurrence AS
SELECT
  event_id AS procedure_occurrence_id, person_id, concept_id AS procedure_concept_id, day_of(start_time) AS procedure_date, start_time AS procedure_datetime,
  day_of(end_time) AS procedure_end_date, end_time AS procedure_end_datetime, 32817 AS procedure_type_concept_id, NULL AS modifier_concept_id, NULL AS quantity,
  provider_id, visit_occurrence_id, NULL AS visit_detail_id, source_value AS procedure_source_value, source_concept_id AS procedure_source_concept_id, NULL AS modifier_source_value
FROM event WHERE domain_id = 'Procedure';

CREATE VIEW omop.device_exposure AS
SELECT
  event_id AS device_exposure_id, person_id, concept_id AS device_concept_id, day_of(start_time) AS device_exposure_start_date, start_time AS device_exposure_start_datetime,
  day_of(end_time) AS device_exposure_end_date, end_time AS device_exposure_end_datetime, 32817 AS device_type_concept_id, NULL AS unique_device_id, NULL AS production_id,
  NULL AS quantity, provider_id, visit_occurrence_id, NULL AS visit_detail_id, source_value AS device_source_value, source_concept_id AS device_source_concept_id,
  zero_if(unit_of(amount), concept_of((amount->>'system'), unit_of(amount))) AS unit_concept_id, unit_of(amount) AS unit_source_value,
  zero_if(unit_of(amount), source_concept_of((amount->>'system'), unit_of(amount))) AS unit_source_concept_id
FROM event WHERE domain_id = 'Device';

CREATE VIEW omop.drug_exposure AS
SELECT
  event_id AS drug_exposure_id, person_id, concept_id AS drug_concept_id, day_of(start_time) AS drug_exposure_start_date, start_time AS drug_exposure_start_datetime,
  coalesce(day_of(end_time), day_of(start_time) + CAST(days - 1 AS INT), day_of(start_time)) AS drug_exposure_end_date, end_time AS drug_exposure_end_datetime,
  day_of(end_time) AS verbatim_end_date, 32817 AS drug_type_concept_id, NULL AS stop_reason,
  CAST((body->>'$.dispenseRequest.numberOfRepeatsAllowed') AS INT) AS refills,
  CAST(CASE type WHEN 'MedicationRequest' THEN (body->>'$.dispenseRequest.quantity.value') WHEN 'MedicationDispense' THEN (body->>'$.quantity.value')
    WHEN 'MedicationAdministration' THEN (body->>'$.dosage.dose.value') WHEN 'Immunization' THEN (body->>'$.doseQuantity.value') END AS DOUBLE) AS quantity,
  CAST(days AS INT) AS days_supply,
  coalesce((body->>'$.dosageInstruction[0].text'), (body->>'$.dosage.text'), body->>'$.dosage[0].text') AS sig,
  zero_if((route->>'code'), concept_of((route->>'system'), route->>'code')) AS route_concept_id,
  CASE WHEN type = 'Immunization' THEN (body->>'lotNumber') END AS lot_number, provider_id, visit_occurrence_id, NULL AS visit_detail_id,
  source_value AS drug_source_value, source_concept_id AS drug_source_concept_id, (route->>'code') AS route_source_value, unit_of(amount) AS dose_unit_source_value
FROM (
  SELECT *,
    coalesce((body->'$.dosageInstruction[0].route'), (body->'$.dosage.route'), (body->'$.dosage[0].route'), CASE WHEN type = 'Immunization' THEN (body->'route') END)->'$.coding[0]' AS route,
    CASE WHEN coalesce((supply->>'code'), supply->>'unit') IN ('d', 'day', 'days') THEN greatest(CAST((supply->>'value') AS DOUBLE), 1) END AS days
  FROM (SELECT *, coalesce((body->'$.dispenseRequest.expectedSupplyDuration'), body->'daysSupply') AS supply FROM event WHERE domain_id = 'Drug')
);

CREATE VIEW valued AS
SELECT *,
  (part->'$.valueCodeableConcept.coding[0]') AS answer,
  coalesce(CAST((part->>'$.valueQuantity.value') AS DOUBLE), CAST((part->>'valueInteger') AS DOUBLE)) AS number,
  coalesce(
    (part->>'$.valueCodeableConcept.coding[0].display'), (part->>'$.valueQuantity.value'), (part->>'valueInteger'), (part->>'$.valueCodeableConcept.text'),
    (part->>'valueString'), (part->>'valueBoolean'), (part->>'valueTime'), (part->>'valueDateTime'),
    nullif(concat((part->>'$.valueRatio.numerator.comparator'), (part->>'$.valueRatio.numerator.value'), ':', (part->>'$.valueRatio.denominator.comparator'), part->>'$.valueRatio.denominator.value'), ':'),
    nullif(concat((part->>'$.valueRange.low.value'), '..', part->>'$.valueRange.high.value'), '..')) AS words
FROM event;

CREATE VIEW omop.measurement AS
SELECT
  event_id AS measurement_id, person_id, concept_id AS measurement_concept_id, day_of(start_time) AS measurement_date, start_time AS measurement_datetime,
  strftime(start_time, '%H:%M:%S') AS measurement_time, 32817 AS measurement_type_concept_id,
  CAST(CASE (part->>'$.valueQuantity.comparator') WHEN '<' THEN 4171756 WHEN '<=' THEN 4171754 WHEN '>=' THEN 4171755 WHEN '>' THEN 4172704 END AS INT) AS operator_concept_id,
  number AS value_as_number, zero_if((answer->>'code'), concept_of((answer->>'system'), answer->>'code')) AS value_as_concept_id,
  zero_if(unit_of(amount), concept_of((amount->>'system'), unit_of(amount))) AS unit_concept_id,
  CAST((part->>'$.referenceRange[0].low.value') AS DOUBLE) AS range_low, CAST((part->>'$.referenceRange[0].high.value') AS DOUBLE) AS range_high,
  provider_id, visit_occurrence_id, NULL AS visit_detail_id, source_value AS measurement_source_value, source_concept_id AS measurement_source_concept_id,
  unit_of(amount) AS unit_source_value, zero_if(unit_of(amount), source_concept_of((amount->>'system'), unit_of(amount))) AS unit_source_concept_id,
  left(coalesce((answer->>'code'), words), 50) AS value_source_value, NULL AS measurement_event_id, NULL AS meas_event_field_concept_id
FROM valued WHERE domain_id = 'Measurement';

CREATE VIEW omop.observation AS
SELECT
  event_id AS observation_id, person_id, concept_id AS observation_concept_id, day_of(start_time) AS observation_date, start_time AS observation_datetime,
  32817 AS observation_type_concept_id, number AS value_as_number, CASE WHEN number IS NULL THEN left(words, 60) END AS value_as_string,
  zero_if((answer->>'code'), concept_of((answer->>'system'), answer->>'code')) AS value_as_concept_id, NULL AS qualifier_concept_id,
  zero_if(unit_of(amount), concept_of((amount->>'system'), unit_of(amount))) AS unit_concept_id, provider_id, visit_occurrence_id, NULL AS visit_detail_id,
  source_value AS observation_source_value, source_concept_id AS observation_source_concept_id, unit_of(amount) AS unit_source_value, NULL AS qualifier_source_value,
  left(coalesce((answer->>'code'), words), 50) AS value_source_value, NULL AS observation_event_id, NULL AS obs_event_field_concept_id
FROM valued WHERE domain_id NOT IN ('Condition', 'Device', 'Drug', 'Measurement', 'Procedure');

CREATE VIEW omop.death AS
SELECT
  omop_id('Patient/' || id) AS person_id, day_of(last_moment(died)) AS death_date,
  CASE WHEN died LIKE '%T%' THEN first_moment(died) ELSE date_trunc('day', last_moment(died)) END AS death_datetime,
  32817 AS death_type_concept_id, NULL AS cause_concept_id, NULL AS cause_source_value, NULL AS cause_source_concept_id
FROM (SELECT id, (body->>'deceasedDateTime') AS died FROM known_patient) WHERE died IS NOT NULL;

CREATE VIEW omop.location AS
SELECT
  omop_id(owner) AS location_id, left((a->>'$.line[0]'), 50) AS address_1, left((a->>'$.line[1]'), 50) AS address_2, left((a->>'city'), 50) AS city,
  CASE WHEN length(a->>'state') <= 2 THEN (a->>'state') END AS state, left(replace((a->>'postalCode'), '-', ''), 9) AS zip, left((a->>'district'), 20) AS county,
  left(owner, 50) AS location_source_value, CASE WHEN (a->>'country') IS NOT NULL THEN 0 END AS country_concept_id, left((a->>'country'), 80) AS country_source_value,
  NULL AS latitude, NULL AS longitude
FROM (
  SELECT type || '/' || id AS owner, coalesce(CASE WHEN type = 'Patient' THEN first_with((body->'address'), '$.use', 'home') END, body->'$.address[0]') AS a
  FROM resource WHERE type IN ('Patient', 'Organization') AND json_array_length(body->'address') > 0
);

CREATE VIEW omop.care_site AS
SELECT
  omop_id('Organization/' || id) AS care_site_id, left((body->>'name'), 255) AS care_site_name, 0 AS place_of_service_concept_id,
  CASE WHEN json_array_length(body->'address') > 0 THEN omop_id('Organization/' || id) END AS location_id, left(id, 50) AS care_site_source_value,
  (body->>'$.type[0].coding[0].code') AS place_of_service_source_value
FROM resource WHERE type = 'Organization';

CREATE VIEW omop.provider AS
SELECT
  omop_id('Practitioner/' || id) AS provider_id,
  left(array_to_string(list_append(coalesce((body->>'$.name[0].given[*]'), []), body->>'$.name[0].family'), ' '), 255) AS provider_name,
  first_with((body->'identifier'), '$.system', 'http://hl7.org/fhir/sid/us-npi')->>'value' AS npi, NULL AS dea, 0 AS specialty_concept_id, NULL AS care_site_id,
  CAST((body->>'birthDate')[1:4] AS INT) AS year_of_birth,
  CAST(CASE (body->>'gender') WHEN 'male' THEN 8507 WHEN 'female' THEN 8532 ELSE 0 END AS INT) AS gender_concept_id,
  left(id, 50) AS provider_source_value, (body->>'$.qualification[0].code.coding[0].code') AS specialty_source_value, 0 AS specialty_source_concept_id,
  (body->>'gender') AS gender_source_value, 0 AS gender_source_concept_id
FROM resource WHERE type = 'Practitioner';
