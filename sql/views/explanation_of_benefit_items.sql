-- name: explanation_of_benefit_items
-- description: One row per item of an explanation of benefit, with what the insurer decided about it. Details of an item have no rows of their own, nor have items that the insurer added (addItem); they are in the table.
-- fhir: R4, R4B, R5
-- grain: SELECT coalesce(sum(array_length(item)), 0) FROM ExplanationOfBenefit
-- key: explanation_of_benefit_id of ExplanationOfBenefit
-- columns:
--   explanation_of_benefit_id STRING: id of the ExplanationOfBenefit
--   item_index INT: n for its n-th item; with explanation_of_benefit_id the key
--   item_sequence INT: the number that the item has in the ExplanationOfBenefit
--   patient_id STRING: id of the Patient
--   encounter_id STRING: id of the first Encounter of the item
--   status STRING: status of the ExplanationOfBenefit: active, cancelled, draft, entered-in-error
--   is_entered_in_error BOOLEAN: whether the ExplanationOfBenefit was recorded by mistake
--   category_code STRING: first coding of the category
--   revenue_code STRING: first coding of the revenue or cost centre
--   code_system STRING: system of the coding chosen from the product or service: CPT, else HCPCS, else SNOMED CT, else RxNorm, else NDC, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the product or service
--   start_time TIMESTAMP: when it was served, or when that began; a partial date counts from its first moment
--   end_time TIMESTAMP: when that ended; a partial date counts to its last moment
--   place_of_service_code STRING: first coding of where it was served
--   value_double DOUBLE: how many of it
--   value_unit STRING: the unit's code (UCUM where the server gives it), else its name
--   unit_price_amount DECIMAL: price of one
--   net_amount DECIMAL: price of all
--   submitted_amount DECIMAL: what the provider asked for: the first adjudication of the category submitted, or line_sbmtd_chrg_amt of CMS Blue Button
--   eligible_amount DECIMAL: what the insurer allows (eligible): the first adjudication of the category eligible, or line_alowd_chrg_amt of CMS Blue Button
--   deductible_amount DECIMAL: what the patient pays before the insurer does: the first adjudication of the category deductible, or line_bene_ptb_ddctbl_amt of CMS Blue Button
--   coinsurance_amount DECIMAL: the share that the patient pays: the first adjudication of the category coinsurance, or line_coinsrnc_amt of CMS Blue Button
--   copay_amount DECIMAL: the fixed sum that the patient pays: the first adjudication of the category copay
--   benefit_amount DECIMAL: what the insurer pays (benefit): the first adjudication of the category benefit, or line_nch_pmt_amt of CMS Blue Button
--   paid_to_provider_amount DECIMAL: what of that went to the provider: the first adjudication of the category paidtoprovider, or line_prvdr_pmt_amt of CMS Blue Button
--   currency STRING: currency of the amounts
--   last_updated TIMESTAMP: when the server last changed the resource
WITH item AS (
  SELECT
    id AS explanation_of_benefit_id,
    patient.__reference_id AS patient_id,
    status,
    meta.__lastUpdated_start AS last_updated,
    unnest(item) AS item,
    unnest(generate_series(1, CAST(array_length(item) AS BIGINT))) AS item_index
  FROM ExplanationOfBenefit
  WHERE array_length(item) > 0
)
SELECT
  explanation_of_benefit_id,
  CAST(item_index AS INT) AS item_index,
  item['sequence'] AS item_sequence,
  patient_id,
  item['encounter'][1]['__reference_id'] AS encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  item['category']['coding'][1]['code'] AS category_code,
  item['revenue']['coding'][1]['code'] AS revenue_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], item['productOrService']['text']) AS code_display,
  coalesce(item['__servicedDate_start'], item['servicedPeriod']['__start_start']) AS start_time,
  CASE
    WHEN item['servicedDate'] IS NOT NULL THEN item['__servicedDate_end']
    WHEN item['servicedPeriod']['end'] LIKE '%T%' THEN item['servicedPeriod']['__end_start']
    ELSE item['servicedPeriod']['__end_end']
  END AS end_time,
  item['locationCodeableConcept']['coding'][1]['code'] AS place_of_service_code,
  item['quantity']['__value_double'] AS value_double,
  coalesce(item['quantity']['code'], item['quantity']['unit']) AS value_unit,
  coalesce(TRY_CAST(item['unitPrice']['value'] AS DECIMAL(18, 2)), TRY_CAST(item['unitPrice']['__value_double'] AS DECIMAL(18, 2))) AS unit_price_amount,
  coalesce(TRY_CAST(item['net']['value'] AS DECIMAL(18, 2)), TRY_CAST(item['net']['__value_double'] AS DECIMAL(18, 2))) AS net_amount,
  coalesce(TRY_CAST(submitted['value'] AS DECIMAL(18, 2)), TRY_CAST(submitted['__value_double'] AS DECIMAL(18, 2))) AS submitted_amount,
  coalesce(TRY_CAST(eligible['value'] AS DECIMAL(18, 2)), TRY_CAST(eligible['__value_double'] AS DECIMAL(18, 2))) AS eligible_amount,
  coalesce(TRY_CAST(deductible['value'] AS DECIMAL(18, 2)), TRY_CAST(deductible['__value_double'] AS DECIMAL(18, 2))) AS deductible_amount,
  coalesce(TRY_CAST(coinsurance['value'] AS DECIMAL(18, 2)), TRY_CAST(coinsurance['__value_double'] AS DECIMAL(18, 2))) AS coinsurance_amount,
  coalesce(TRY_CAST(copay['value'] AS DECIMAL(18, 2)), TRY_CAST(copay['__value_double'] AS DECIMAL(18, 2))) AS copay_amount,
  coalesce(TRY_CAST(benefit['value'] AS DECIMAL(18, 2)), TRY_CAST(benefit['__value_double'] AS DECIMAL(18, 2))) AS benefit_amount,
  coalesce(TRY_CAST(paid_to_provider['value'] AS DECIMAL(18, 2)), TRY_CAST(paid_to_provider['__value_double'] AS DECIMAL(18, 2))) AS paid_to_provider_amount,
  coalesce(item['net']['currency'], item['unitPrice']['currency'], submitted['currency']) AS currency,
  last_updated
FROM (
  SELECT
    *,
    array_filter(item['adjudication'], a -> array_any_match(a['category']['coding'], c -> c['code'] IN ('submitted', 'https://bluebutton.cms.gov/resources/variables/line_sbmtd_chrg_amt')))[1]['amount'] AS submitted,
    array_filter(item['adjudication'], a -> array_any_match(a['category']['coding'], c -> c['code'] IN ('eligible', 'https://bluebutton.cms.gov/resources/variables/line_alowd_chrg_amt')))[1]['amount'] AS eligible,
    array_filter(item['adjudication'], a -> array_any_match(a['category']['coding'], c -> c['code'] IN ('deductible', 'https://bluebutton.cms.gov/resources/variables/line_bene_ptb_ddctbl_amt')))[1]['amount'] AS deductible,
    array_filter(item['adjudication'], a -> array_any_match(a['category']['coding'], c -> c['code'] IN ('coinsurance', 'https://bluebutton.cms.gov/resources/variables/line_coinsrnc_amt')))[1]['amount'] AS coinsurance,
    array_filter(item['adjudication'], a -> array_any_match(a['category']['coding'], c -> c['code'] = 'copay'))[1]['amount'] AS copay,
    array_filter(item['adjudication'], a -> array_any_match(a['category']['coding'], c -> c['code'] IN ('benefit', 'https://bluebutton.cms.gov/resources/variables/line_nch_pmt_amt')))[1]['amount'] AS benefit,
    array_filter(item['adjudication'], a -> array_any_match(a['category']['coding'], c -> c['code'] IN ('paidtoprovider', 'https://bluebutton.cms.gov/resources/variables/line_prvdr_pmt_amt')))[1]['amount'] AS paid_to_provider,
    preferred_coding(item['productOrService']['coding'], ['http://www.ama-assn.org/go/cpt', 'http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets', 'urn:oid:2.16.840.1.113883.6.285', 'http://snomed.info/sct', 'http://www.nlm.nih.gov/research/umls/rxnorm', 'http://hl7.org/fhir/sid/ndc']) AS coding
  FROM item
)
