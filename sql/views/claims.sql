-- name: claims
-- description: One row per claim: what a provider asks an insurer to pay, and what it asks to approve beforehand.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM Claim
-- key: claim_id of Claim
-- columns:
--   claim_id STRING: id of the Claim
--   patient_id STRING: id of the Patient
--   encounter_id STRING: id of the first Encounter of the first item
--   status STRING: active, cancelled, draft, entered-in-error
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   type_code STRING: first coding of the type, such as professional, institutional, pharmacy
--   use_code STRING: claim, preauthorization, predetermination
--   start_time TIMESTAMP: start of the time of the services; a partial date counts from its first moment
--   end_time TIMESTAMP: end of that time; a partial date counts to its last moment
--   created_time TIMESTAMP: when it was made; a partial date counts from its first moment
--   diagnosis_code_system STRING: system of the coding chosen from the first diagnosis: ICD-10-CM, else SNOMED CT, else ICD-9-CM, else the first
--   diagnosis_code STRING: code of that coding
--   diagnosis_condition_id STRING: id of the Condition, where the first diagnosis refers to one
--   practitioner_id STRING: id of the Practitioner who provides; a reference by identifier counts where exactly one has it
--   organization_id STRING: id of the Organization that provides; a reference by identifier counts where exactly one has it
--   provider_name STRING: display of that reference
--   location_id STRING: id of the Location of the services; a reference by identifier counts where exactly one has it
--   coverage_id STRING: id of the Coverage of the insurance that is asked to pay (focal), else of the first
--   coverage_name STRING: display of that reference
--   item_count INT: how many items it has
--   total_amount DECIMAL: what it asks for
--   total_currency STRING: its currency
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS claim_id,
  patient.__reference_id AS patient_id,
  item[1]['encounter'][1]['__reference_id'] AS encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  type.coding[1]['code'] AS type_code,
  use AS use_code,
  billablePeriod.__start_start AS start_time,
  CASE WHEN billablePeriod.end LIKE '%T%' THEN billablePeriod.__end_start ELSE billablePeriod.__end_end END AS end_time,
  __created_start AS created_time,
  diagnosis_coding['system'] AS diagnosis_code_system,
  diagnosis_coding['code'] AS diagnosis_code,
  diagnosis[1]['diagnosisReference']['__reference_id'] AS diagnosis_condition_id,
  CASE WHEN coalesce(provider.__reference_type, found_provider.resource_type) = 'Practitioner'
    THEN coalesce(provider.__reference_id, found_provider.resource_id) END AS practitioner_id,
  CASE WHEN coalesce(provider.__reference_type, found_provider.resource_type) = 'Organization'
    THEN coalesce(provider.__reference_id, found_provider.resource_id) END AS organization_id,
  provider.display AS provider_name,
  coalesce(facility.__reference_id, found_location.resource_id) AS location_id,
  asked['coverage']['__reference_id'] AS coverage_id,
  asked['coverage']['display'] AS coverage_name,
  CAST(coalesce(array_length(item), 0) AS INT) AS item_count,
  coalesce(TRY_CAST(total.value AS DECIMAL(18, 2)), TRY_CAST(total.__value_double AS DECIMAL(18, 2))) AS total_amount,
  total.currency AS total_currency,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(diagnosis[1]['diagnosisCodeableConcept']['coding'], ['http://hl7.org/fhir/sid/icd-10-cm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/icd-9-cm']) AS diagnosis_coding,
    coalesce(array_filter(insurance, i -> i['focal'])[1], insurance[1]) AS asked
  FROM Claim
)
LEFT JOIN conditional_references AS found_provider ON found_provider.reference = conditional_reference(provider)
LEFT JOIN conditional_references AS found_location ON found_location.reference = conditional_reference(facility, 'Location')
