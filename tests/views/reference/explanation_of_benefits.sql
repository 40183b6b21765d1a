-- What the first of a list of adjudications or totals that has one of these categories amounts to.
CREATE MACRO adjudged(list, codes) AS list_filter(
  from_json(list, '["JSON"]'), lambda a: list_has_any(a->>'$.category.coding[*].code', codes))[1]->'amount';

CREATE VIEW explanation_of_benefits AS
SELECT
  id AS explanation_of_benefit_id,
  id_of(body->>'$.claim.reference', 'Claim') AS claim_id,
  id_of(body->>'$.patient.reference', 'Patient') AS patient_id,
  id_of(body->>'$.item[0].encounter[0].reference', 'Encounter') AS encounter_id,
  body->>'status' AS status,
  is_mistake(body->>'status') AS is_entered_in_error,
  body->>'$.type.coding[0].code' AS type_code,
  body->>'use' AS use_code,
  first_moment(body->>'$.billablePeriod.start') AS start_time,
  last_moment(body->>'$.billablePeriod.end') AS end_time,
  body->>'outcome' AS outcome_code,
  body->>'disposition' AS disposition_text,
  first_moment(body->>'created') AS created_time,
  diagnosis->>'system' AS diagnosis_code_system,
  diagnosis->>'code' AS diagnosis_code,
  id_of(body->>'$.diagnosis[0].diagnosisReference.reference', 'Condition') AS diagnosis_condition_id,
  CASE WHEN target_type(body->'provider') = 'Practitioner' THEN id_of_any(body->'provider', 'Practitioner') END AS practitioner_id,
  CASE WHEN target_type(body->'provider') = 'Organization' THEN id_of_any(body->'provider', 'Organization') END AS organization_id,
  body->>'$.provider.display' AS provider_name,
  id_of_any(body->'facility', 'Location') AS location_id,
  id_of(asked->>'$.coverage.reference', 'Coverage') AS coverage_id,
  asked->>'$.coverage.display' AS coverage_name,
  CAST(coalesce(json_array_length(body, '$.item'), 0) AS INT) AS item_count,
  money(adjudged(body->'total', ['submitted'])) AS submitted_amount,
  money(adjudged(body->'total', ['eligible'])) AS eligible_amount,
  money(adjudged(body->'total', ['deductible'])) AS deductible_amount,
  money(adjudged(body->'total', ['coinsurance'])) AS coinsurance_amount,
  money(adjudged(body->'total', ['copay'])) AS copay_amount,
  money(adjudged(body->'total', ['benefit'])) AS benefit_amount,
  money(adjudged(body->'total', ['paidtoprovider'])) AS paid_to_provider_amount,
  money(body->'$.payment.amount') AS payment_amount,
  first_moment(body->>'$.payment.date') AS payment_time,
  coalesce(body->>'$.payment.amount.currency', body->>'$.total[0].amount.currency') AS currency,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT
    *,
    chosen(body->'$.diagnosis[0].diagnosisCodeableConcept',
      ['http://hl7.org/fhir/sid/icd-10-cm', 'http://snomed.info/sct', 'http://hl7.org/fhir/sid/icd-9-cm']) AS diagnosis,
    coalesce(first_with(body->'insurance', '$.focal', 'true'), body->'$.insurance[0]') AS asked
  FROM resource
)
WHERE type = 'ExplanationOfBenefit';
