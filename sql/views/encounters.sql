-- name: encounters
-- description: One row per encounter: visits, stays, calls.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM Encounter
-- columns:
--   encounter_id STRING: id of the Encounter
--   patient_id STRING: id of the Patient; NULL where the subject is a Group or cannot be resolved
--   part_of_encounter_id STRING: id of the Encounter of which this one is a part
--   status STRING: planned, arrived, triaged, in-progress, onleave, finished, cancelled, entered-in-error, unknown
--   class_code STRING: class, such as AMB, EMER, IMP
--   code_system STRING: system of the first coding of the first type
--   code STRING: code of the first coding of the first type
--   code_display STRING: display of that coding, else the text of the type
--   start_time TIMESTAMP: start of the period; a partial date counts from its first moment
--   end_time TIMESTAMP: end of the period; a partial date counts to its last moment; NULL while it lasts
--   reason_code STRING: first coding of the first reason
--   reason_display STRING: display of that coding, else the text of the reason
--   admit_source_code STRING: first coding of where the patient came from
--   discharge_disposition_code STRING: first coding of where the patient went
--   practitioner_id STRING: id of the first participant who is a Practitioner; a reference by identifier counts where exactly one has it and needs no type
--   organization_id STRING: id of the Organization that is responsible; a reference by identifier counts where exactly one has it
--   organization_name STRING: display of that reference
--   last_updated TIMESTAMP: when the server last changed the resource
WITH practitioner AS (
  -- Keys as a search has them: `system|value`, `|value` without a system, and `value` whatever the system. A value that has
  -- a bar gets no key of the last kind, for it would read as one of the first.
  SELECT identifier_key, max(id) AS practitioner_id
  FROM (
    SELECT id, unnest([coalesce(item['system'], '') || '|' || item['value'], CASE WHEN item['value'] NOT LIKE '%|%' THEN item['value'] END]) AS identifier_key
    FROM (SELECT id, unnest(identifier) AS item FROM Practitioner)
  )
  GROUP BY identifier_key
  HAVING count(DISTINCT id) = 1
),
organization AS (
  SELECT identifier_key, max(id) AS organization_id
  FROM (
    SELECT id, unnest([coalesce(item['system'], '') || '|' || item['value'], CASE WHEN item['value'] NOT LIKE '%|%' THEN item['value'] END]) AS identifier_key
    FROM (SELECT id, unnest(identifier) AS item FROM Organization)
  )
  GROUP BY identifier_key
  HAVING count(DISTINCT id) = 1
),
identified AS (
  -- The first participant whose type nothing says, but whose identifier exactly one Practitioner has.
  SELECT encounter_id, min(place) AS place, first_value(practitioner_id ORDER BY place) AS practitioner_id
  FROM practitioner
  JOIN (
    SELECT
      id AS encounter_id,
      unnest(array_transform(participant, p -> CASE WHEN coalesce(p['individual']['__reference_type'], p['individual']['type']) IS NULL
        THEN coalesce(p['individual']['identifier']['system'], '') || '|' || p['individual']['identifier']['value'] END)) AS identifier_key,
      unnest(generate_series(1, CAST(array_length(participant) AS BIGINT))) AS place
    FROM Encounter
  ) AS participant ON participant.identifier_key = practitioner.identifier_key
  GROUP BY encounter_id
),
encounter AS (
  SELECT
    id AS encounter_id,
    CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
    partOf.__reference_id AS part_of_encounter_id,
    status,
    class.code AS class_code,
    type[1]['coding'][1] AS type_coding,
    type[1]['text'] AS type_text,
    period.__start_start AS start_time,
    CASE WHEN period.end LIKE '%T%' THEN period.__end_start ELSE period.__end_end END AS end_time,
    reasonCode[1]['coding'][1] AS reason_coding,
    reasonCode[1]['text'] AS reason_text,
    hospitalization.admitSource.coding[1]['code'] AS admit_source_code,
    hospitalization.dischargeDisposition.coding[1]['code'] AS discharge_disposition_code,
    place,
    participant[place]['individual'] AS individual,
    serviceProvider,
    meta.__lastUpdated_start AS last_updated
  FROM (
    SELECT
      *,
      CAST(array_position(array_transform(participant, p -> coalesce(p['individual']['__reference_type'], p['individual']['type'])), 'Practitioner') AS BIGINT) AS place
    FROM Encounter
  )
)
SELECT
  encounter.encounter_id,
  patient_id,
  part_of_encounter_id,
  status,
  class_code,
  type_coding['system'] AS code_system,
  type_coding['code'] AS code,
  coalesce(type_coding['display'], type_text) AS code_display,
  start_time,
  end_time,
  reason_coding['code'] AS reason_code,
  coalesce(reason_coding['display'], reason_text) AS reason_display,
  admit_source_code,
  discharge_disposition_code,
  CASE
    WHEN identified.place < encounter.place OR encounter.place IS NULL THEN identified.practitioner_id
    ELSE coalesce(individual['__reference_id'], practitioner.practitioner_id)
  END AS practitioner_id,
  coalesce(serviceProvider['__reference_id'], organization.organization_id) AS organization_id,
  serviceProvider['display'] AS organization_name,
  last_updated
FROM encounter
LEFT JOIN identified ON identified.encounter_id = encounter.encounter_id
LEFT JOIN practitioner ON practitioner.identifier_key = coalesce(
  CASE WHEN individual['__reference_type'] = 'Practitioner'
    THEN nullif(percent_decode(split_part(individual['reference'], 'Practitioner?identifier=', 2)), '') END,
  coalesce(individual['identifier']['system'], '') || '|' || individual['identifier']['value'])
LEFT JOIN organization ON organization.identifier_key = coalesce(
  CASE WHEN serviceProvider['__reference_type'] = 'Organization'
    THEN nullif(percent_decode(split_part(serviceProvider['reference'], 'Organization?identifier=', 2)), '') END,
  coalesce(serviceProvider['identifier']['system'], '') || '|' || serviceProvider['identifier']['value'])
