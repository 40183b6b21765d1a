-- name: encounters
-- fhir: R5
-- grain: SELECT count(*) FROM Encounter
WITH practitioner AS (
  -- Of a participant whose type nothing says, the identifier must find a Practitioner.
  SELECT encounter_id, practitioner_id
  FROM (
    SELECT encounter_id, practitioner_id, row_number() OVER (PARTITION BY encounter_id ORDER BY place) AS rank
    FROM (
      SELECT
        encounter_id,
        place,
        coalesce(individual['__reference_type'], individual['type']) AS said_type,
        coalesce(individual['__reference_id'], found.resource_id) AS practitioner_id
      FROM (
        SELECT
          id AS encounter_id,
          unnest(participant)['actor'] AS individual,
          unnest(generate_series(1, CAST(array_length(participant) AS BIGINT))) AS place
        FROM Encounter
      )
      LEFT JOIN conditional_references AS found ON found.reference = conditional_reference(individual, 'Practitioner')
    )
    WHERE said_type = 'Practitioner' OR (said_type IS NULL AND practitioner_id IS NOT NULL)
  )
  WHERE rank = 1
)
SELECT
  id AS encounter_id,
  CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
  partOf.__reference_id AS part_of_encounter_id,
  status,
  coalesce(status = 'entered-in-error', false) AS is_entered_in_error,
  flatten(array_transform(class, c -> c['coding']))[1]['code'] AS class_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], type[1]['text']) AS code_display,
  actualPeriod.__start_start AS start_time,
  CASE WHEN actualPeriod.end LIKE '%T%' THEN actualPeriod.__end_start ELSE actualPeriod.__end_end END AS end_time,
  reason_coding['code'] AS reason_code,
  coalesce(reason_coding['display'], coded_reason['text']) AS reason_display,
  admission.admitSource.coding[1]['code'] AS admit_source_code,
  admission.dischargeDisposition.coding[1]['code'] AS discharge_disposition_code,
  practitioner.practitioner_id,
  coalesce(serviceProvider.__reference_id, organization.resource_id) AS organization_id,
  serviceProvider.display AS organization_name,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(coded_reason['coding'], ['http://snomed.info/sct', 'http://hl7.org/fhir/sid/icd-10-cm', 'http://hl7.org/fhir/sid/icd-10', 'http://hl7.org/fhir/sid/icd-9-cm']) AS reason_coding
  FROM (
    SELECT
      *,
      preferred_coding(type[1]['coding'], ['http://snomed.info/sct', 'http://www.ama-assn.org/go/cpt']) AS coding,
      array_filter(flatten(array_transform(reason, r -> r['value'])), v -> v['concept'] IS NOT NULL)[1]['concept'] AS coded_reason
    FROM Encounter
  )
) AS encounter
LEFT JOIN practitioner ON practitioner.encounter_id = encounter.id
LEFT JOIN conditional_references AS organization ON organization.reference = conditional_reference(serviceProvider, 'Organization')
