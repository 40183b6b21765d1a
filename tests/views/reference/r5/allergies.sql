CREATE VIEW allergies AS
SELECT
  id AS allergy_id,
  id_of(body->>'$.patient.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  body->>'$.clinicalStatus.coding[0].code' AS status,
  body->>'$.verificationStatus.coding[0].code' AS verification_status,
  coalesce(list_contains(body->>'$.verificationStatus.coding[*].code', 'entered-in-error'), false) AS is_entered_in_error,
  body->>'$.type.coding[0].code' AS type_code,
  nullif(array_to_string(body->>'$.category[*]', ','), '') AS category_codes,
  body->>'criticality' AS criticality_code,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, body->'code') AS code_display,
  first_moment(coalesce(body->>'onsetDateTime', body->>'$.onsetPeriod.start')) AS start_time,
  first_moment(body->>'lastOccurrence') AS last_occurrence_time,
  first_moment(body->>'recordedDate') AS recorded_time,
  reaction_coding->>'code' AS reaction_code,
  shown(reaction_coding, body->'$.reaction[0].manifestation[0].concept') AS reaction_display,
  body->>'$.reaction[0].severity' AS reaction_severity_code,
  CAST(coalesce(json_array_length(body, '$.reaction'), 0) AS INT) AS reaction_count,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT
    *,
    chosen(body->'code', [
      'http://snomed.info/sct', 'http://www.nlm.nih.gov/research/umls/rxnorm', 'http://fdasis.nlm.nih.gov', 'http://hl7.org/fhir/sid/ndc'
    ]) AS coding,
    chosen(body->'$.reaction[0].manifestation[0].concept', ['http://snomed.info/sct']) AS reaction_coding
  FROM resource
)
WHERE type = 'AllergyIntolerance';
