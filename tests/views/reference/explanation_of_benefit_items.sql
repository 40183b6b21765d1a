CREATE VIEW explanation_of_benefit_items AS
SELECT
  id AS explanation_of_benefit_id,
  CAST(item_index AS INT) AS item_index,
  CAST(item->>'sequence' AS INT) AS item_sequence,
  id_of(body->>'$.patient.reference', 'Patient') AS patient_id,
  id_of(item->>'$.encounter[0].reference', 'Encounter') AS encounter_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  item->>'$.category.coding[0].code' AS category_code,
  item->>'$.revenue.coding[0].code' AS revenue_code,
  coding->>'system' AS code_system,
  coding->>'code' AS code,
  shown(coding, item->'productOrService') AS code_display,
  first_moment(coalesce(item->>'servicedDate', item->>'$.servicedPeriod.start')) AS start_time,
  last_moment(coalesce(item->>'servicedDate', item->>'$.servicedPeriod.end')) AS end_time,
  item->>'$.locationCodeableConcept.coding[0].code' AS place_of_service_code,
  amount(item->'quantity') AS value_double,
  unit(item->'quantity') AS value_unit,
  money(item->'unitPrice') AS unit_price_amount,
  money(item->'net') AS net_amount,
  money(adjudged(item->'adjudication', ['submitted', 'https://bluebutton.cms.gov/resources/variables/line_sbmtd_chrg_amt'])) AS submitted_amount,
  money(adjudged(item->'adjudication', ['eligible', 'https://bluebutton.cms.gov/resources/variables/line_alowd_chrg_amt'])) AS eligible_amount,
  money(adjudged(item->'adjudication', ['deductible', 'https://bluebutton.cms.gov/resources/variables/line_bene_ptb_ddctbl_amt'])) AS deductible_amount,
  money(adjudged(item->'adjudication', ['coinsurance', 'https://bluebutton.cms.gov/resources/variables/line_coinsrnc_amt'])) AS coinsurance_amount,
  money(adjudged(item->'adjudication', ['copay'])) AS copay_amount,
  money(adjudged(item->'adjudication', ['benefit', 'https://bluebutton.cms.gov/resources/variables/line_nch_pmt_amt'])) AS benefit_amount,
  money(adjudged(item->'adjudication', ['paidtoprovider', 'https://bluebutton.cms.gov/resources/variables/line_prvdr_pmt_amt'])) AS paid_to_provider_amount,
  coalesce(item->>'$.net.currency', item->>'$.unitPrice.currency',
    adjudged(item->'adjudication', ['submitted', 'https://bluebutton.cms.gov/resources/variables/line_sbmtd_chrg_amt'])->>'currency') AS currency,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT *, chosen(item->'productOrService', [
    'http://www.ama-assn.org/go/cpt', 'http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets', 'urn:oid:2.16.840.1.113883.6.285',
    'http://snomed.info/sct', 'http://www.nlm.nih.gov/research/umls/rxnorm', 'http://hl7.org/fhir/sid/ndc']) AS coding
  FROM (
    SELECT
      id, body,
      unnest(from_json(body->'item', '["JSON"]')) AS item,
      generate_subscripts(from_json(body->'item', '["JSON"]'), 1) AS item_index
    FROM resource
    WHERE type = 'ExplanationOfBenefit'
  )
);
