-- name: allergies
-- fhir: R5
-- grain: SELECT count(*) FROM AllergyIntolerance
SELECT
  id AS allergy_id,
  patient.__reference_id AS patient_id,
  encounter.__reference_id AS encounter_id,
  clinicalStatus.coding[1]['code'] AS status,
  verificationStatus.coding[1]['code'] AS verification_status,
  coalesce(array_any_match(verificationStatus.coding, c -> c['code'] = 'entered-in-error'), false) AS is_entered_in_error,
  type.coding[1]['code'] AS type_code,
  nullif(array_to_string(category, ','), '') AS category_codes,
  criticality AS criticality_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], allergy.code.text) AS code_display,
  coalesce(__onsetDateTime_start, onsetPeriod.__start_start) AS start_time,
  __lastOccurrence_start AS last_occurrence_time,
  __recordedDate_start AS recorded_time,
  reaction_coding['code'] AS reaction_code,
  coalesce(reaction_coding['display'], reaction[1]['manifestation'][1]['concept']['text']) AS reaction_display,
  reaction[1]['severity'] AS reaction_severity_code,
  CAST(coalesce(array_length(reaction), 0) AS INT) AS reaction_count,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(code.coding, ['http://snomed.info/sct', 'http://www.nlm.nih.gov/research/umls/rxnorm', 'http://fdasis.nlm.nih.gov', 'http://hl7.org/fhir/sid/ndc']) AS coding,
    preferred_coding(reaction[1]['manifestation'][1]['concept']['coding'], ['http://snomed.info/sct']) AS reaction_coding
  FROM AllergyIntolerance
) AS allergy
