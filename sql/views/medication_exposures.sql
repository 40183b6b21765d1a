-- name: medication_exposures
-- description: One row per record of a medication that the patient was given, took or was to take: from requests, dispenses, administrations and statements. Records that are no exposure are not there: entered in error, not done, not taken, cancelled, declined, drafts, what was only proposed, and what was forbidden.
-- fhir: R4, R4B, R5
-- grain: SELECT (SELECT count(*) FROM MedicationRequest WHERE subject.__reference_type = 'Patient' AND subject.__reference_id IS NOT NULL AND intent NOT IN ('proposal', 'plan', 'option') AND coalesce(status, '') NOT IN ('cancelled', 'entered-in-error', 'draft') AND coalesce(doNotPerform, false) = false) + (SELECT count(*) FROM MedicationDispense WHERE subject.__reference_type = 'Patient' AND subject.__reference_id IS NOT NULL AND coalesce(status, '') NOT IN ('preparation', 'cancelled', 'entered-in-error', 'declined')) + (SELECT count(*) FROM MedicationAdministration WHERE subject.__reference_type = 'Patient' AND subject.__reference_id IS NOT NULL AND coalesce(status, '') NOT IN ('not-done', 'entered-in-error')) + (SELECT count(*) FROM medication_statements WHERE patient_id IS NOT NULL AND coalesce(status, '') NOT IN ('entered-in-error', 'not-taken', 'intended', 'draft') AND coalesce(adherence_code, '') <> 'not-taking')
-- columns:
--   resource_type STRING: MedicationRequest, MedicationDispense, MedicationAdministration or MedicationStatement; who wants one row for each prescription and not also for each dose takes one of them
--   resource_id STRING: id of that resource; with resource_type the key
--   medication_request_id STRING: id of the MedicationRequest behind it, where it says so; of a request its own
--   patient_id STRING: id of the Patient
--   encounter_id STRING: id of the Encounter
--   medication_id STRING: id of the Medication, where the resource refers to one
--   status STRING: status of the resource
--   code_system STRING: system of the coding chosen from the medication, as in medication_requests
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the concept, else the display of the reference
--   start_time TIMESTAMP: when it was written, handed out, given or taken; a partial date counts from its first moment
--   end_time TIMESTAMP: end of that where it is said; of a request the end of its validity; a partial date counts to its last moment
--   days_supply DOUBLE: how many days a dispensed amount is to last
--   route_code STRING: first coding of how it gets into the body
--   value_double DOUBLE: amount of a dose
--   value_unit STRING: its unit's code (UCUM where the server gives it), else its name
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  'MedicationRequest' AS resource_type, medication_request_id AS resource_id, medication_request_id,
  patient_id, encounter_id, medication_id, status, code_system, code, code_display,
  start_time, end_time, days_supply, route_code, value_double, value_unit, last_updated
FROM medication_requests
WHERE patient_id IS NOT NULL
  AND intent_code NOT IN ('proposal', 'plan', 'option')
  AND coalesce(status, '') NOT IN ('cancelled', 'entered-in-error', 'draft')
  AND NOT is_prohibited
UNION ALL
SELECT
  'MedicationDispense', medication_dispense_id, medication_request_id,
  patient_id, encounter_id, medication_id, status, code_system, code, code_display,
  start_time, CAST(NULL AS TIMESTAMP), days_supply, route_code, value_double, value_unit, last_updated
FROM medication_dispenses
WHERE patient_id IS NOT NULL AND coalesce(status, '') NOT IN ('preparation', 'cancelled', 'entered-in-error', 'declined')
UNION ALL
SELECT
  'MedicationAdministration', medication_administration_id, medication_request_id,
  patient_id, encounter_id, medication_id, status, code_system, code, code_display,
  start_time, end_time, CAST(NULL AS DOUBLE), route_code, value_double, value_unit, last_updated
FROM medication_administrations
WHERE patient_id IS NOT NULL AND coalesce(status, '') NOT IN ('not-done', 'entered-in-error')
UNION ALL
SELECT
  'MedicationStatement', medication_statement_id, medication_request_id,
  patient_id, encounter_id, medication_id, status, code_system, code, code_display,
  start_time, end_time, CAST(NULL AS DOUBLE), route_code, value_double, value_unit, last_updated
FROM medication_statements
WHERE patient_id IS NOT NULL
  AND coalesce(status, '') NOT IN ('entered-in-error', 'not-taken', 'intended', 'draft')
  AND coalesce(adherence_code, '') <> 'not-taking'
