CREATE VIEW immunizations AS
SELECT
  id AS immunization_id,
  id_of(body->>'$.patient.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  body->>'$.statusReason.coding[0].code' AS status_reason_code,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'vaccineCode') AS code_display,
  first_moment(body->>'occurrenceDateTime') AS start_time,
  last_moment(body->>'occurrenceDateTime') AS end_time,
  CAST(body->>'primarySource' AS BOOLEAN) AS is_primary_source,
  body->>'lotNumber' AS lot_number,
  last_moment(body->>'expirationDate') AS expiration_time,
  coalesce(body->>'$.manufacturer.reference.display', body->>'$.manufacturer.concept.coding[0].display', body->>'$.manufacturer.concept.text') AS manufacturer_name,
  amount(body->'doseQuantity') AS value_double,
  unit(body->'doseQuantity') AS value_unit,
  body->>'$.site.coding[0].code' AS site_code,
  body->>'$.route.coding[0].code' AS route_code,
  body->>'$.protocolApplied[0].doseNumber' AS dose_number,
  body->>'$.protocolApplied[0].targetDisease[0].coding[0].code' AS target_disease_code,
  id_of_any(first_said(body->'performer', '$.actor', 'Practitioner'), 'Practitioner') AS practitioner_id,
  id_of_any(body->'location', 'Location') AS location_id,
  body->>'$.location.display' AS location_name,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT *, chosen(body->'vaccineCode', ['http://hl7.org/fhir/sid/cvx', 'http://hl7.org/fhir/sid/ndc', 'http://snomed.info/sct']) AS coding
  FROM resource
)
WHERE type = 'Immunization';
