-- name: claim_items
-- description: One row per item of a claim: a service or product. Details of an item (detail, subDetail) have no rows of their own; they are in the table.
-- fhir: R4, R4B, R5
-- grain: SELECT coalesce(sum(array_length(item)), 0) FROM Claim
-- key: claim_id of Claim
-- columns:
--   claim_id STRING: id of the Claim
--   item_index INT: n for its n-th item; with claim_id the key
--   item_sequence INT: the number that the item has in the Claim
--   patient_id STRING: id of the Patient
--   encounter_id STRING: id of the first Encounter of the item
--   status STRING: status of the Claim: active, cancelled, draft, entered-in-error
--   is_entered_in_error BOOLEAN: whether the Claim was recorded by mistake
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
--   currency STRING: currency of the amounts
--   last_updated TIMESTAMP: when the server last changed the resource
WITH item AS (
  SELECT
    id AS claim_id,
    patient.__reference_id AS patient_id,
    status,
    meta.__lastUpdated_start AS last_updated,
    unnest(item) AS item,
    unnest(generate_series(1, CAST(array_length(item) AS BIGINT))) AS item_index
  FROM Claim
  WHERE array_length(item) > 0
)
SELECT
  claim_id,
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
  coalesce(item['net']['currency'], item['unitPrice']['currency']) AS currency,
  last_updated
FROM (
  SELECT
    *,
    preferred_coding(item['productOrService']['coding'], ['http://www.ama-assn.org/go/cpt', 'http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets', 'urn:oid:2.16.840.1.113883.6.285', 'http://snomed.info/sct', 'http://www.nlm.nih.gov/research/umls/rxnorm', 'http://hl7.org/fhir/sid/ndc']) AS coding
  FROM item
)
