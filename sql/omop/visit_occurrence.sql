-- name: visit_occurrence
-- description: One row per Encounter that took place.
-- fhir: R4, R4B
-- leaves out: entered-in-error, planned and cancelled encounters; encounters of nobody in person, and without a start
-- key: visit_occurrence_id
-- columns:
--   visit_occurrence_id BIGINT NOT NULL: omop_id of Encounter/id
--   person_id BIGINT NOT NULL: the person
--   visit_concept_id INT NOT NULL: of Encounter.class, as HL7's guide FHIR to OMOP maps it: 9202 outpatient (AMB), 9203 emergency (EMER), 9201 inpatient (IMP, and its kinds ACUTE and NONAC), 581476 home (HH), 262 (OBSENC), 722455 telehealth (VR), else 0
--   visit_start_date DATE NOT NULL: first day, in UTC
--   visit_start_datetime TIMESTAMP: when it began
--   visit_end_date DATE NOT NULL: last day, in UTC; the first one where no end is known
--   visit_end_datetime TIMESTAMP: when it ended; when it began where no end is known
--   visit_type_concept_id INT NOT NULL: 32817, EHR
--   provider_id BIGINT: the first participant that is a Practitioner of the lake
--   care_site_id BIGINT: the service provider, where it is one of the lake
--   visit_source_value STRING: code of Encounter.class
--   visit_source_concept_id INT: 0
--   admitted_from_concept_id INT: 0 where there is a source value
--   admitted_from_source_value STRING: code of the admission source
--   discharged_to_concept_id INT: 0 where there is a source value
--   discharged_to_source_value STRING: code of the discharge disposition
--   preceding_visit_occurrence_id BIGINT: not filled: NULL
WITH encounter AS (
  SELECT
    id AS encounter_id,
    CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
    class.code AS class_code,
    period.__start_start AS start_time,
    date_trunc('second', period.__end_end) AS end_time,
    array_filter(participant, p -> p['individual']['__reference_type'] = 'Practitioner')[1]['individual'] AS seen_by,
    serviceProvider AS provided_by,
    hospitalization.admitSource.coding[1]['code'] AS admit_source,
    hospitalization.dischargeDisposition.coding[1]['code'] AS discharged_to
  FROM Encounter
  WHERE coalesce(status, 'unknown') NOT IN ('entered-in-error', 'planned', 'cancelled') AND period.__start_start IS NOT NULL
),
visit AS (
  SELECT
    encounter_id, patient_id, class_code, start_time, end_time, admit_source, discharged_to,
    CASE
      WHEN seen_by['__reference_id'] IS NOT NULL THEN 'Practitioner/' || seen_by['__reference_id']
      WHEN seen_by['reference'] LIKE 'Practitioner?identifier=%' THEN 'Practitioner?' || percent_decode(split_part(seen_by['reference'], '?identifier=', 2))
    END AS practitioner_key,
    CASE
      WHEN provided_by['__reference_type'] = 'Organization' AND provided_by['__reference_id'] IS NOT NULL THEN 'Organization/' || provided_by['__reference_id']
      WHEN provided_by['reference'] LIKE 'Organization?identifier=%' THEN 'Organization?' || percent_decode(split_part(provided_by['reference'], '?identifier=', 2))
      WHEN provided_by['reference'] IS NULL THEN 'Organization?' || coalesce(provided_by['identifier']['system'], '') || '|' || provided_by['identifier']['value']
    END AS organization_key
  FROM encounter
)
SELECT
  omop_id('Encounter/' || v.encounter_id) AS visit_occurrence_id,
  omop_id('Patient/' || p.known_patient_id) AS person_id,
  CAST(CASE v.class_code
    WHEN 'AMB' THEN 9202
    WHEN 'EMER' THEN 9203
    WHEN 'IMP' THEN 9201
    WHEN 'ACUTE' THEN 9201
    WHEN 'NONAC' THEN 9201
    WHEN 'HH' THEN 581476
    WHEN 'OBSENC' THEN 262
    WHEN 'VR' THEN 722455
    ELSE 0
  END AS INT) AS visit_concept_id,
  CAST(v.start_time AS DATE) AS visit_start_date,
  v.start_time AS visit_start_datetime,
  CAST(coalesce(v.end_time, v.start_time) AS DATE) AS visit_end_date,
  coalesce(v.end_time, v.start_time) AS visit_end_datetime,
  CAST(32817 AS INT) AS visit_type_concept_id,
  omop_id('Practitioner/' || practitioner.resource_id) AS provider_id,
  omop_id('Organization/' || organization.resource_id) AS care_site_id,
  substr(v.class_code, 1, 50) AS visit_source_value,
  CAST(0 AS INT) AS visit_source_concept_id,
  CAST(CASE WHEN v.admit_source IS NOT NULL THEN 0 END AS INT) AS admitted_from_concept_id,
  substr(v.admit_source, 1, 50) AS admitted_from_source_value,
  CAST(CASE WHEN v.discharged_to IS NOT NULL THEN 0 END AS INT) AS discharged_to_concept_id,
  substr(v.discharged_to, 1, 50) AS discharged_to_source_value,
  CAST(NULL AS BIGINT) AS preceding_visit_occurrence_id
FROM visit AS v
JOIN (SELECT id AS known_patient_id FROM Patient WHERE __birthDate_start IS NOT NULL) AS p ON p.known_patient_id = v.patient_id
LEFT JOIN omop.fhir_reference AS practitioner ON practitioner.reference_key = v.practitioner_key
LEFT JOIN omop.fhir_reference AS organization ON organization.reference_key = v.organization_key
