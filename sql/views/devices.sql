-- name: devices
-- description: One row per device: implants, aids, instruments.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM Device
-- key: device_id of Device
-- columns:
--   device_id STRING: id of the Device
--   patient_id STRING: id of the Patient in or on whom it is, where it belongs to one; NULL in R5, where the DeviceAssociation says it
--   status STRING: active, inactive, entered-in-error, unknown
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   code_system STRING: system of the coding chosen from the type: SNOMED CT, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the type
--   device_name STRING: the user-friendly name, else the first name
--   device_identifier STRING: device identifier (DI) of the first UDI, else the distinct identifier
--   udi STRING: the first UDI as people read it
--   manufacturer_name STRING: who made it
--   model_number STRING: model
--   lot_number STRING: lot
--   serial_number STRING: serial number
--   manufactured_time TIMESTAMP: when it was made; a partial date counts from its first moment
--   expiration_time TIMESTAMP: until when it may be used; a partial date counts to its last moment
--   organization_id STRING: id of the Organization that owns it; a reference by identifier counts where exactly one has it
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS device_id,
  patient.__reference_id AS patient_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], type.text) AS code_display,
  coalesce(array_filter(deviceName, n -> n['type'] = 'user-friendly-name')[1], deviceName[1])['name'] AS device_name,
  coalesce(udiCarrier[1]['deviceIdentifier'], distinctIdentifier) AS device_identifier,
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
  SELECT *, preferred_coding(type.coding, ['http://snomed.info/sct']) AS coding
  FROM Device
)
LEFT JOIN conditional_references AS found_organization ON found_organization.reference = conditional_reference(owner, 'Organization')
