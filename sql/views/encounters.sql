-- name: encounters
-- description: One row per encounter: visits, stays, calls.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM Encounter
-- key: encounter_id of Encounter
-- columns:
--   encounter_id STRING: id of the Encounter
--   patient_id STRING: id of the Patient; NULL where the subject is a Group or cannot be resolved
--   part_of_encounter_id STRING: id of the Encounter of which this one is a part
--   status STRING: planned, arrived, triaged, in-progress, onleave, finished, cancelled, entered-in-error, unknown; in R5 planned, in-progress, on-hold, discharged, completed, cancelled, discontinued, entered-in-error, unknown
--   is_entered_in_error BOOLEAN: whether it was recorded by mistake
--   class_code STRING: class, such as AMB, EMER, IMP; of several, which R5 allows, the first that is coded
--   code_system STRING: system of the coding chosen from the first type: SNOMED CT, else CPT, else the first
--   code STRING: code of that coding
--   code_display STRING: display of that coding, else the text of the type
--   start_time TIMESTAMP: start of the period; a partial date counts from its first moment
--   end_time TIMESTAMP: end of the period; a partial date counts to its last moment; NULL while it lasts
--   reason_code STRING: code of the first reason, chosen as in conditions
--   reason_display STRING: display of that coding, else the text of the reason
--   admit_source_code STRING: first coding of where the patient came from
--   discharge_disposition_code STRING: first coding of where the patient went
--   practitioner_id STRING: id of the first participant who is a Practitioner; a reference by identifier counts where exactly one has it and needs no type
--   organization_id STRING: id of the Organization that is responsible; a reference by identifier counts where exactly one has it
--   organization_name STRING: display of that reference
--   last_updated TIMESTAMP: when the server last changed the resource
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
          unnest(participant)['individual'] AS individual,
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
  class.code AS class_code,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], type[1]['text']) AS code_display,
  period.__start_start AS start_time,
  CASE WHEN period.end LIKE '%T%' THEN period.__end_start ELSE period.__end_end END AS end_time,
  reason_coding['code'] AS reason_code,
  coalesce(reason_coding['display'], reasonCode[1]['text']) AS reason_display,
  hospitalization.admitSource.coding[1]['code'] AS admit_source_code,
  hospitalization.dischargeDisposition.coding[1]['code'] AS discharge_disposition_code,
  practitioner.practitioner_id,
  coalesce(serviceProvider.__reference_id, organization.resource_id) AS organization_id,
  serviceProvider.display AS organization_name,
  meta.__lastUpdated_start AS last_updated
FROM (
  SELECT
    *,
    preferred_coding(type[1]['coding'], ['http://snomed.info/sct', 'http://www.ama-assn.org/go/cpt']) AS coding,
    preferred_coding(reasonCode[1]['coding'], ['http://snomed.info/sct', 'http://hl7.org/fhir/sid/icd-10-cm', 'http://hl7.org/fhir/sid/icd-10', 'http://hl7.org/fhir/sid/icd-9-cm']) AS reason_coding
  FROM Encounter
) AS encounter
LEFT JOIN practitioner ON practitioner.encounter_id = encounter.id
LEFT JOIN conditional_references AS organization ON organization.reference = conditional_reference(serviceProvider, 'Organization')
