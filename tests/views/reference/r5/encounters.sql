-- The first participant who says to be a Practitioner, or says nothing and has the identifier of one.
CREATE VIEW practitioner_of_encounter AS
SELECT id, first(practitioner_id ORDER BY place) AS practitioner_id
FROM (
  SELECT id, place, target_type(individual) AS said_type, id_of_any(individual, 'Practitioner') AS practitioner_id
  FROM (
    SELECT
      id,
      unnest(from_json(body->'participant', '["JSON"]'))->'actor' AS individual,
      generate_subscripts(from_json(body->'participant', '["JSON"]'), 1) AS place
    FROM resource
    WHERE type = 'Encounter'
  )
)
WHERE said_type = 'Practitioner' OR (said_type IS NULL AND practitioner_id IS NOT NULL)
GROUP BY id;

CREATE VIEW encounters AS
SELECT
  id AS encounter_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.partOf.reference', 'Encounter') AS part_of_encounter_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  (body->>'$.class[*].coding[*].code')[1] AS class_code,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'$.type[0]') AS code_display,
  first_moment(body->>'$.actualPeriod.start') AS start_time,
  last_moment(body->>'$.actualPeriod.end') AS end_time,
  reason->>'code' AS reason_code,
  shown(reason, coded_reason) AS reason_display,
  body->>'$.admission.admitSource.coding[0].code' AS admit_source_code,
  body->>'$.admission.dischargeDisposition.coding[0].code' AS discharge_disposition_code,
  practitioner_id,
  id_of_any(body->'serviceProvider', 'Organization') AS organization_id,
  body->>'$.serviceProvider.display' AS organization_name,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT
    *,
    chosen(body->'$.type[0]', ['http://snomed.info/sct', 'http://www.ama-assn.org/go/cpt']) AS coding,
    first_concept(to_json(body->'$.reason[*].value[*]')) AS coded_reason,
    diagnosis_of(coded_reason) AS reason
  FROM resource
)
LEFT JOIN practitioner_of_encounter USING (id)
WHERE type = 'Encounter';
