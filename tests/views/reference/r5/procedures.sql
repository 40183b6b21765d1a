CREATE VIEW procedures AS
SELECT
  id AS procedure_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  body->>'$.category[0].coding[0].code' AS category_code,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'code') AS code_display,
  first_moment(coalesce(body->>'occurrenceDateTime', body->>'$.occurrencePeriod.start')) AS start_time,
  last_moment(coalesce(body->>'occurrenceDateTime', body->>'$.occurrencePeriod.end')) AS end_time,
  first_concept(body->'reason')->>'$.coding[0].code' AS reason_code,
  shown(first_concept(body->'reason')->'$.coding[0]', first_concept(body->'reason')) AS reason_display,
  first_id(to_json(body->'$.reason[*].reference'), 'Condition') AS reason_condition_id,
  body->>'$.bodySite[0].coding[0].code' AS body_site_code,
  body->>'$.outcome.coding[0].code' AS outcome_code,
  id_of_any(first_said(body->'performer', '$.actor', 'Practitioner'), 'Practitioner') AS practitioner_id,
  id_of_any(body->'location', 'Location') AS location_id,
  body->>'$.location.display' AS location_name,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT *, chosen(body->'code', [
    'http://snomed.info/sct', 'http://www.ama-assn.org/go/cpt', 'http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets',
    'urn:oid:2.16.840.1.113883.6.285', 'http://www.cms.gov/Medicare/Coding/ICD10', 'http://loinc.org']) AS coding
  FROM resource
)
WHERE type = 'Procedure';
