-- name: medications
-- description: One row per Medication: what requests, administrations, statements and dispenses refer to where they do not say it themselves.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM Medication
-- key: medication_id of Medication
-- columns:
--   medication_id STRING: id of the Medication
--   status STRING: active, inactive, entered-in-error
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   code_system STRING: system of the coding chosen: RxNorm, else SNOMED CT, else NDC, else ATC, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the concept
--   lot_number STRING: lot of the package
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS medication_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], medication.code.text) AS code_display,
  batch.lotNumber AS lot_number,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(code.coding, ['http://www.nlm.nih.gov/research/umls/rxnorm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/ndc', 'http://www.whocc.no/atc']) AS coding
  FROM Medication
) AS medication
