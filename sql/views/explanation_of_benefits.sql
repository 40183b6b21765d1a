-- name: explanation_of_benefits
-- description: One row per explanation of benefit: what an insurer decided about a claim, and pays.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM ExplanationOfBenefit
-- key: explanation_of_benefit_id of ExplanationOfBenefit
-- columns:
--   explanation_of_benefit_id STRING: id of the ExplanationOfBenefit
--   claim_id STRING: id of the Claim
--   patient_id STRING: id of the Patient
--   encounter_id STRING: id of the first Encounter of the first item
--   status STRING: active, cancelled, draft, entered-in-error
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   type_code STRING: first coding of the type, such as professional, institutional, pharmacy
--   use_code STRING: claim, preauthorization, predetermination
--   start_time TIMESTAMP: start of the time of the services; a partial date counts from its first moment
--   end_time TIMESTAMP: end of that time; a partial date counts to its last moment
--   outcome_code STRING: queued, complete, error, partial
--   disposition_text STRING: the decision in words
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
--   submitted_amount DECIMAL: what the provider asked for: the first total of the category submitted
--   eligible_amount DECIMAL: what the insurer allows (eligible): the first total of the category eligible
--   deductible_amount DECIMAL: what the patient pays before the insurer does: the first total of the category deductible
--   coinsurance_amount DECIMAL: the share that the patient pays: the first total of the category coinsurance
--   copay_amount DECIMAL: the fixed sum that the patient pays: the first total of the category copay
--   benefit_amount DECIMAL: what the insurer pays (benefit): the first total of the category benefit
--   paid_to_provider_amount DECIMAL: what of that went to the provider: the first total of the category paidtoprovider
--   payment_amount DECIMAL: the sum that is paid
--   payment_time TIMESTAMP: when it is paid; a partial date counts from its first moment
--   currency STRING: currency of the payment, else of the first total
--   last_updated TIMESTAMP: when the server last changed the resource
SELECT
  id AS explanation_of_benefit_id,
  claim.__reference_id AS claim_id,
  patient.__reference_id AS patient_id,
  item[1]['encounter'][1]['__reference_id'] AS encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  type.coding[1]['code'] AS type_code,
  use AS use_code,
  billablePeriod.__start_start AS start_time,
  CASE WHEN billablePeriod.end LIKE '%T%' THEN billablePeriod.__end_start ELSE billablePeriod.__end_end END AS end_time,
  outcome AS outcome_code,
  disposition AS disposition_text,
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
  coalesce(TRY_CAST(submitted['value'] AS DECIMAL(18, 2)), TRY_CAST(submitted['__value_double'] AS DECIMAL(18, 2))) AS submitted_amount,
  coalesce(TRY_CAST(eligible['value'] AS DECIMAL(18, 2)), TRY_CAST(eligible['__value_double'] AS DECIMAL(18, 2))) AS eligible_amount,
  coalesce(TRY_CAST(deductible['value'] AS DECIMAL(18, 2)), TRY_CAST(deductible['__value_double'] AS DECIMAL(18, 2))) AS deductible_amount,
  coalesce(TRY_CAST(coinsurance['value'] AS DECIMAL(18, 2)), TRY_CAST(coinsurance['__value_double'] AS DECIMAL(18, 2))) AS coinsurance_amount,
  coalesce(TRY_CAST(copay['value'] AS DECIMAL(18, 2)), TRY_CAST(copay['__value_double'] AS DECIMAL(18, 2))) AS copay_amount,
  coalesce(TRY_CAST(benefit['value'] AS DECIMAL(18, 2)), TRY_CAST(benefit['__value_double'] AS DECIMAL(18, 2))) AS benefit_amount,
  coalesce(TRY_CAST(paid_to_provider['value'] AS DECIMAL(18, 2)), TRY_CAST(paid_to_provider['__value_double'] AS DECIMAL(18, 2))) AS paid_to_provider_amount,
  coalesce(TRY_CAST(payment.amount['value'] AS DECIMAL(18, 2)), TRY_CAST(payment.amount['__value_double'] AS DECIMAL(18, 2))) AS payment_amount,
  payment.__date_start AS payment_time,
  coalesce(payment.amount.currency, total[1]['amount']['currency']) AS currency,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    array_filter(total, t -> array_any_match(t['category']['coding'], c -> c['code'] = 'submitted'))[1]['amount'] AS submitted,
    array_filter(total, t -> array_any_match(t['category']['coding'], c -> c['code'] = 'eligible'))[1]['amount'] AS eligible,
    array_filter(total, t -> array_any_match(t['category']['coding'], c -> c['code'] = 'deductible'))[1]['amount'] AS deductible,
    array_filter(total, t -> array_any_match(t['category']['coding'], c -> c['code'] = 'coinsurance'))[1]['amount'] AS coinsurance,
    array_filter(total, t -> array_any_match(t['category']['coding'], c -> c['code'] = 'copay'))[1]['amount'] AS copay,
    array_filter(total, t -> array_any_match(t['category']['coding'], c -> c['code'] = 'benefit'))[1]['amount'] AS benefit,
    array_filter(total, t -> array_any_match(t['category']['coding'], c -> c['code'] = 'paidtoprovider'))[1]['amount'] AS paid_to_provider,
    preferred_coding(diagnosis[1]['diagnosisCodeableConcept']['coding'], ['http://hl7.org/fhir/sid/icd-10-cm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/icd-9-cm']) AS diagnosis_coding,
    coalesce(array_filter(insurance, i -> i['focal'])[1], insurance[1]) AS asked
  FROM ExplanationOfBenefit
)
LEFT JOIN conditional_references AS found_provider ON found_provider.reference = conditional_reference(provider)
LEFT JOIN conditional_references AS found_location ON found_location.reference = conditional_reference(facility, 'Location')
