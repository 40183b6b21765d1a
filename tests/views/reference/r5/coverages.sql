-- The value of the first class of a kind.
CREATE MACRO class_value(body, kind) AS list_filter(
  from_json(json_extract(body, '$.class'), '["JSON"]'), lambda c: list_contains(c->>'$.type.coding[*].code', kind))[1]->>'$.value.value';

CREATE VIEW coverages AS
SELECT
  id AS coverage_id,
  id_of(body->>'$.beneficiary.reference', 'Patient') AS patient_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'type') AS code_display,
  first_moment(body->>'$.period.start') AS start_time,
  last_moment(body->>'$.period.end') AS end_time,
  id_of(body->>'$.subscriber.reference', 'Patient') AS subscriber_patient_id,
  body->>'$.subscriberId[0].value' AS subscriber_number,
  body->>'$.relationship.coding[0].code' AS relationship_code,
  class_value(body, 'group') AS group_number,
  class_value(body, 'plan') AS plan_number,
  CAST(body->>'order' AS INT) AS coverage_order,
  id_of_any(body->'insurer', 'Organization') AS organization_id,
  body->>'$.insurer.display' AS organization_name,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT *, chosen(body->'type', ['http://terminology.hl7.org/CodeSystem/v3-ActCode', 'https://nahdo.org/sopt']) AS coding
  FROM resource
)
WHERE type = 'Coverage';
