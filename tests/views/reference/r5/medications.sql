CREATE VIEW medications AS
SELECT
  id AS medication_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'code') AS code_display,
  body->>'$.batch.lotNumber' AS lot_number,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (SELECT *, drug_of(body->'code') AS coding FROM resource)
WHERE type = 'Medication';

-- What a request, an administration, a statement or a dispense says of its medication, by itself or by reference.
CREATE VIEW medication_named AS
SELECT
  r.type,
  r.id,
  id_of(r.body->>'$.medication.reference.reference', 'Medication') AS medication_id,
  coalesce(own->>'system', m.code_system) AS code_system,
  coalesce(own->>'code', m.code) AS code,
  coalesce(shown(own, r.body->'$.medication.concept'), m.code_display, r.body->>'$.medication.reference.display') AS code_display
FROM (SELECT *, drug_of(body->'$.medication.concept') AS own FROM resource) AS r
LEFT JOIN medications AS m ON m.medication_id = id_of(r.body->>'$.medication.reference.reference', 'Medication')
WHERE r.type IN ('MedicationRequest', 'MedicationAdministration', 'MedicationStatement', 'MedicationDispense');
