-- name: encounters
-- description: One row per encounter: visits, stays, calls.
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
--   practitioner_id STRING: id of the first participant who is a Practitioner; a reference by identifier counts where exactly one has it
--   organization_id STRING: id of the Organization that is responsible; a reference by identifier counts where exactly one has it
--   organization_name STRING: display of that reference
--   last_updated TIMESTAMP: when the server last changed the resource
WITH practitioner AS (
  SELECT identifier_key, max(id) AS practitioner_id
  FROM (
    SELECT id, coalesce(item['system'], '') || '|' || item['value'] AS identifier_key
    FROM (SELECT id, unnest(identifier) AS item FROM Practitioner)
  )
  GROUP BY identifier_key
  HAVING count(DISTINCT id) = 1
),
organization AS (
  SELECT identifier_key, max(id) AS organization_id
  FROM (
    SELECT id, coalesce(item['system'], '') || '|' || item['value'] AS identifier_key
    FROM (SELECT id, unnest(identifier) AS item FROM Organization)
  )
  GROUP BY identifier_key
  HAVING count(DISTINCT id) = 1
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
    array_filter(participant, p -> coalesce(p['individual']['__reference_type'], p['individual']['type']) = 'Practitioner')[1]['individual'] AS individual,
    serviceProvider,
    meta.__lastUpdated_start AS last_updated
  FROM Encounter
)
SELECT
  encounter_id,
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
  coalesce(individual['__reference_id'], practitioner.practitioner_id) AS practitioner_id,
  coalesce(serviceProvider['__reference_id'], organization.organization_id) AS organization_id,
  serviceProvider['display'] AS organization_name,
  last_updated
FROM encounter
LEFT JOIN practitioner ON practitioner.identifier_key = coalesce(
  nullif(split_part(individual['reference'], 'Practitioner?identifier=', 2), ''),
  coalesce(individual['identifier']['system'], '') || '|' || individual['identifier']['value'])
LEFT JOIN organization ON organization.identifier_key = coalesce(
  nullif(split_part(serviceProvider['reference'], 'Organization?identifier=', 2), ''),
  coalesce(serviceProvider['identifier']['system'], '') || '|' || serviceProvider['identifier']['value'])
