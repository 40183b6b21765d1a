-- name: immunizations
-- description: One row per immunization: a vaccine given, or not given (status not-done).
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM Immunization
-- key: immunization_id of Immunization
-- columns:
--   immunization_id STRING: id of the Immunization
--   patient_id STRING: id of the Patient
--   encounter_id STRING: id of the Encounter in which it was given
--   status STRING: completed, entered-in-error, not-done
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   status_reason_code STRING: first coding of why it was not given
--   code_system STRING: system of the coding chosen from the vaccine: CVX, else NDC, else SNOMED CT, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the vaccine
--   start_time TIMESTAMP: when it was given; a partial date counts from its first moment
--   end_time TIMESTAMP: the same; a partial date counts to its last moment
--   is_primary_source BOOLEAN: whether the record comes from who gave it
--   lot_number STRING: lot of the vaccine
--   expiration_time TIMESTAMP: until when the vaccine was usable; a partial date counts to its last moment
--   manufacturer_name STRING: display of who made the vaccine
--   value_double DOUBLE: amount of the dose
--   value_unit STRING: its unit's code (UCUM where the server gives it), else its name
--   site_code STRING: first coding of where in the body it was given
--   route_code STRING: first coding of how it got into the body
--   dose_number STRING: which dose of the first protocol it was, as the server says: a number or a text
--   target_disease_code STRING: first coding of the first disease of the first protocol
--   practitioner_id STRING: id of the first performer who is said to be a Practitioner; a reference by identifier counts where exactly one has it
--   location_id STRING: id of the Location; a reference by identifier counts where exactly one has it
--   location_name STRING: display of that reference
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS immunization_id,
  patient.__reference_id AS patient_id,
  encounter.__reference_id AS encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  statusReason.coding[1]['code'] AS status_reason_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], vaccineCode.text) AS code_display,
  __occurrenceDateTime_start AS start_time,
  CASE WHEN occurrenceDateTime LIKE '%T%' THEN __occurrenceDateTime_start ELSE __occurrenceDateTime_end END AS end_time,
  primarySource AS is_primary_source,
  lotNumber AS lot_number,
  CASE WHEN expirationDate LIKE '%T%' THEN __expirationDate_start ELSE __expirationDate_end END AS expiration_time,
  manufacturer.display AS manufacturer_name,
  doseQuantity.__value_double AS value_double,
  coalesce(doseQuantity.code, doseQuantity.unit) AS value_unit,
  site.coding[1]['code'] AS site_code,
  route.coding[1]['code'] AS route_code,
  coalesce(CAST(protocolApplied[1]['doseNumberPositiveInt'] AS STRING), protocolApplied[1]['doseNumberString']) AS dose_number,
  protocolApplied[1]['targetDisease'][1]['coding'][1]['code'] AS target_disease_code,
  coalesce(practitioner['__reference_id'], found_practitioner.resource_id) AS practitioner_id,
  coalesce(location.__reference_id, found_location.resource_id) AS location_id,
  location.display AS location_name,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(vaccineCode.coding, ['http://hl7.org/fhir/sid/cvx', 'http://hl7.org/fhir/sid/ndc', 'http://snomed.info/sct']) AS coding,
    array_filter(performer, p -> coalesce(p['actor']['__reference_type'], p['actor']['type']) = 'Practitioner')[1]['actor'] AS practitioner
  FROM Immunization
)
LEFT JOIN conditional_references AS found_practitioner ON found_practitioner.reference = conditional_reference(practitioner)
LEFT JOIN conditional_references AS found_location ON found_location.reference = conditional_reference(location, 'Location')
