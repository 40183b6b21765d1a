-- name: allergies
-- description: One row per allergy or intolerance, also where it says that none is known.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM AllergyIntolerance
-- key: allergy_id of AllergyIntolerance
-- columns:
--   allergy_id STRING: id of the AllergyIntolerance
--   patient_id STRING: id of the Patient
--   encounter_id STRING: id of the Encounter in which it was recorded
--   status STRING: clinical status: active, inactive, resolved
--   verification_status STRING: unconfirmed, confirmed, refuted, entered-in-error
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake: the verification status is entered-in-error
--   type_code STRING: allergy, intolerance
--   category_codes STRING: food, medication, environment, biologic; separated by commas where there are several
--   criticality_code STRING: low, high, unable-to-assess
--   code_system STRING: system of the coding chosen: SNOMED CT, else RxNorm, else UNII, else NDC, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the concept
--   start_time TIMESTAMP: onset, from a date or a period; a partial date counts from its first moment
--   last_occurrence_time TIMESTAMP: when the last reaction was; a partial date counts from its first moment
--   recorded_time TIMESTAMP: when it was first recorded
--   reaction_code STRING: code of the first manifestation of the first reaction: SNOMED CT, else the first
--   reaction_display STRING: display of that coding, else the text of the manifestation
--   reaction_severity_code STRING: mild, moderate, severe: of the first reaction
--   reaction_count INT: how many reactions are told
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS allergy_id,
  patient.__reference_id AS patient_id,
  encounter.__reference_id AS encounter_id,
  clinicalStatus.coding[1]['code'] AS status,
  verificationStatus.coding[1]['code'] AS verification_status,
  coalesce(array_any_match(verificationStatus.coding, c -> c['code'] = 'entered-in-error'), false) AS is_entered_in_error,
  type AS type_code,
  nullif(array_to_string(category, ','), '') AS category_codes,
  criticality AS criticality_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], allergy.code.text) AS code_display,
  coalesce(__onsetDateTime_start, onsetPeriod.__start_start) AS start_time,
  __lastOccurrence_start AS last_occurrence_time,
  __recordedDate_start AS recorded_time,
  reaction_coding['code'] AS reaction_code,
  coalesce(reaction_coding['display'], reaction[1]['manifestation'][1]['text']) AS reaction_display,
  reaction[1]['severity'] AS reaction_severity_code,
  CAST(coalesce(array_length(reaction), 0) AS INT) AS reaction_count,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(code.coding, ['http://snomed.info/sct', 'http://www.nlm.nih.gov/research/umls/rxnorm', 'http://fdasis.nlm.nih.gov', 'http://hl7.org/fhir/sid/ndc']) AS coding,
    preferred_coding(reaction[1]['manifestation'][1]['coding'], ['http://snomed.info/sct']) AS reaction_coding
  FROM AllergyIntolerance
) AS allergy
