-- name: immunizations
-- fhir: R5
-- grain: SELECT count(*) FROM Immunization
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
  coalesce(manufacturer.reference.display, manufacturer.concept.coding[1]['display'], manufacturer.concept.text) AS manufacturer_name,
  doseQuantity.__value_double AS value_double,
  coalesce(doseQuantity.code, doseQuantity.unit) AS value_unit,
  site.coding[1]['code'] AS site_code,
  route.coding[1]['code'] AS route_code,
  protocolApplied[1]['doseNumber'] AS dose_number,
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
