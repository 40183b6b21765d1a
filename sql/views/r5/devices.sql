-- name: devices
-- fhir: R5
-- grain: SELECT count(*) FROM Device
SELECT
  id AS device_id,
  CAST(NULL AS STRING) AS patient_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], type[1]['text']) AS code_display,
  coalesce(array_filter(name, n -> n['type'] = 'user-friendly-name')[1], name[1])['value'] AS device_name,
  coalesce(udiCarrier[1]['deviceIdentifier'], biologicalSourceEvent.value) AS device_identifier,
  udiCarrier[1]['carrierHRF'] AS udi,
  manufacturer AS manufacturer_name,
  modelNumber AS model_number,
  lotNumber AS lot_number,
  serialNumber AS serial_number,
  __manufactureDate_start AS manufactured_time,
  CASE WHEN expirationDate LIKE '%T%' THEN __expirationDate_start ELSE __expirationDate_end END AS expiration_time,
  coalesce(owner.__reference_id, found_organization.resource_id) AS organization_id,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT *, preferred_coding(type[1]['coding'], ['http://snomed.info/sct']) AS coding
  FROM Device
)
LEFT JOIN conditional_references AS found_organization ON found_organization.reference = conditional_reference(owner, 'Organization')
