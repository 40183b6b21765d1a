-- name: coverages
-- description: One row per coverage: insurance, or who pays oneself.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM Coverage
-- key: coverage_id of Coverage
-- columns:
--   coverage_id STRING: id of the Coverage
--   patient_id STRING: id of the Patient who benefits
--   status STRING: active, cancelled, draft, entered-in-error
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   code_system STRING: system of the coding chosen from the type: HL7's ActCode, else the Source of Payment Typology, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the type
--   start_time TIMESTAMP: since when it is in force; a partial date counts from its first moment
--   end_time TIMESTAMP: until when; a partial date counts to its last moment
--   subscriber_patient_id STRING: id of the Patient who signed up, where it is one
--   subscriber_number STRING: number that the insurer gave to the subscriber
--   relationship_code STRING: first coding of what the patient is to the subscriber, such as self or child
--   group_number STRING: value of the first class of type group
--   plan_number STRING: value of the first class of type plan
--   coverage_order INT: which coverage is to be asked first
--   organization_id STRING: id of the Organization that is the first payor; a reference by identifier counts where exactly one has it
--   organization_name STRING: display of that reference
--   last_updated TIMESTAMP: when the server last changed the resource
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
  subscriberId AS subscriber_number,
  relationship.coding[1]['code'] AS relationship_code,
  array_filter(class, c -> array_any_match(c['type']['coding'], t -> t['code'] = 'group'))[1]['value'] AS group_number,
  array_filter(class, c -> array_any_match(c['type']['coding'], t -> t['code'] = 'plan'))[1]['value'] AS plan_number,
  coverage.order AS coverage_order,
  coalesce(
    CASE WHEN payor[1]['__reference_type'] = 'Organization' THEN payor[1]['__reference_id'] END,
    found_organization.resource_id
  ) AS organization_id,
  payor[1]['display'] AS organization_name,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(type.coding, ['http://terminology.hl7.org/CodeSystem/v3-ActCode', 'https://nahdo.org/sopt']) AS coding
  FROM Coverage
) AS coverage
LEFT JOIN conditional_references AS found_organization
  ON found_organization.reference = conditional_reference(payor[1]) AND found_organization.resource_type = 'Organization'
