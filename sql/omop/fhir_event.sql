-- name: fhir_event
-- description: One row per statement of fhir_statement that OMOP can hold, with the person, the visit and the provider resolved. Not a table of the CDM.
-- fhir: R4, R4B
-- leaves out: statements of nobody in person, and those without any date, not even the encounter's
-- key: statement_id
-- columns:
--   statement_id STRING NOT NULL: as in fhir_statement
--   resource_type STRING NOT NULL: as in fhir_statement
--   person_id BIGINT NOT NULL: the person
--   visit_occurrence_id BIGINT: the visit, where visit_occurrence has it
--   provider_id BIGINT: the provider, where exactly one is meant
--   default_domain_id STRING NOT NULL: as in fhir_statement
--   code STRING: as in fhir_statement
--   code_text STRING: as in fhir_statement
--   code_key STRING: the code with its vocabulary, as in fhir_code_map
--   start_time TIMESTAMP NOT NULL: as in fhir_statement; without it, the start of the encounter
--   end_time TIMESTAMP: as in fhir_statement
--   status STRING: as in fhir_statement
--   value_code STRING: as in fhir_statement
--   value_key STRING: the value's code with its vocabulary
--   value_number DOUBLE: as in fhir_statement
--   value_comparator STRING: as in fhir_statement
--   value_text STRING: as in fhir_statement
--   unit_code STRING: as in fhir_statement
--   unit_key STRING: the unit with its vocabulary
--   range_low DOUBLE: as in fhir_statement
--   range_high DOUBLE: as in fhir_statement
--   quantity DOUBLE: as in fhir_statement
--   refills INT: as in fhir_statement
--   days_supply INT: as in fhir_statement
--   sig STRING: as in fhir_statement
--   route_code STRING: as in fhir_statement
--   route_key STRING: the route with its vocabulary
--   lot_number STRING: as in fhir_statement
SELECT
  s.statement_id,
  s.resource_type,
  omop_id('Patient/' || p.known_patient_id) AS person_id,
  omop_id('Encounter/' || v.encounter_id) AS visit_occurrence_id,
  omop_id('Practitioner/' || r.resource_id) AS provider_id,
  s.default_domain_id,
  s.code,
  s.code_text,
  code_vocabulary.vocabulary_id || '|' || s.code AS code_key,
  coalesce(s.start_time, v.encounter_start) AS start_time,
  s.end_time,
  s.status,
  s.value_code,
  value_vocabulary.vocabulary_id || '|' || s.value_code AS value_key,
  s.value_number,
  s.value_comparator,
  s.value_text,
  s.unit_code,
  unit_vocabulary.vocabulary_id || '|' || s.unit_code AS unit_key,
  s.range_low,
  s.range_high,
  s.quantity,
  s.refills,
  s.days_supply,
  s.sig,
  s.route_code,
  route_vocabulary.vocabulary_id || '|' || s.route_code AS route_key,
  s.lot_number
FROM omop.fhir_statement AS s
JOIN (SELECT id AS known_patient_id FROM Patient WHERE __birthDate_start IS NOT NULL) AS p ON p.known_patient_id = s.patient_id
LEFT JOIN (
  SELECT e.id AS encounter_id, e.period.__start_start AS encounter_start, e.subject.__reference_id AS encounter_patient
  FROM Encounter AS e
  WHERE coalesce(e.status, 'unknown') NOT IN ('entered-in-error', 'planned', 'cancelled')
    AND e.subject.__reference_type = 'Patient' AND e.period.__start_start IS NOT NULL
) AS v ON v.encounter_id = s.encounter_id AND v.encounter_patient = s.patient_id
LEFT JOIN omop.fhir_reference AS r ON r.reference_key = s.practitioner_key AND s.practitioner_key LIKE 'Practitioner%'
LEFT JOIN omop.fhir_code_system AS code_vocabulary ON code_vocabulary.system = s.code_system
LEFT JOIN omop.fhir_code_system AS value_vocabulary ON value_vocabulary.system = s.value_system
LEFT JOIN omop.fhir_code_system AS unit_vocabulary ON unit_vocabulary.system = s.unit_system
LEFT JOIN omop.fhir_code_system AS route_vocabulary ON route_vocabulary.system = s.route_system
WHERE coalesce(s.start_time, v.encounter_start) IS NOT NULL
