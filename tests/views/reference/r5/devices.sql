CREATE VIEW devices AS
SELECT
  id AS device_id,
  CAST(NULL AS VARCHAR) AS patient_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'$.type[0]') AS code_display,
  coalesce(first_with(body->'name', '$.type', 'user-friendly-name'), body->'$.name[0]')->>'value' AS device_name,
  coalesce(body->>'$.udiCarrier[0].deviceIdentifier', body->>'$.biologicalSourceEvent.value') AS device_identifier,
  body->>'$.udiCarrier[0].carrierHRF' AS udi,
  body->>'manufacturer' AS manufacturer_name,
  body->>'modelNumber' AS model_number,
  body->>'lotNumber' AS lot_number,
  body->>'serialNumber' AS serial_number,
  first_moment(body->>'manufactureDate') AS manufactured_time,
  last_moment(body->>'expirationDate') AS expiration_time,
  id_of_any(body->'owner', 'Organization') AS organization_id,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (SELECT *, chosen(body->'$.type[0]', ['http://snomed.info/sct']) AS coding FROM resource)
WHERE type = 'Device';
