-- name: coverages
-- fhir: R5
-- grain: SELECT count(*) FROM Coverage
SELECT
  id AS coverage_id,
  beneficiary.__reference_id AS patient_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], type.text) AS code_display,
  period.__start_start AS start_time,
  CASE WHEN period.end LIKE '%T%' THEN period.__end_start ELSE period.__end_end END AS end_time,
  CASE WHEN subscriber.__reference_type = 'Patient' THEN subscriber.__reference_id END AS subscriber_patient_id,
  subscriberId[1]['value'] AS subscriber_number,
  relationship.coding[1]['code'] AS relationship_code,
  array_filter(class, c -> array_any_match(c['type']['coding'], t -> t['code'] = 'group'))[1]['value']['value'] AS group_number,
  array_filter(class, c -> array_any_match(c['type']['coding'], t -> t['code'] = 'plan'))[1]['value']['value'] AS plan_number,
  coverage.order AS coverage_order,
  coalesce(insurer.__reference_id, found_organization.resource_id) AS organization_id,
  insurer.display AS organization_name,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(type.coding, ['http://terminology.hl7.org/CodeSystem/v3-ActCode', 'https://nahdo.org/sopt']) AS coding
  FROM Coverage
) AS coverage
LEFT JOIN conditional_references AS found_organization ON found_organization.reference = conditional_reference(insurer, 'Organization')
