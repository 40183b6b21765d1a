-- name: encounter_stays
-- description: One row per inpatient stay of a patient: encounters of the classes IMP, ACUTE and NONAC that have begun and are not entered in error. How long it lasted, and whether it came within 30 days of the one before.
-- fhir: R4, R4B, R5
-- grain: SELECT count(*) FROM encounters WHERE patient_id IS NOT NULL AND class_code IN ('IMP', 'ACUTE', 'NONAC') AND start_time IS NOT NULL AND coalesce(status, '') NOT IN ('planned', 'cancelled', 'entered-in-error')
-- columns:
--   encounter_id STRING: id of the Encounter
--   patient_id STRING: id of the Patient
--   status STRING: status of the Encounter
--   class_code STRING: IMP, ACUTE or NONAC
--   start_time TIMESTAMP: admission; a partial date counts from its first moment
--   end_time TIMESTAMP: discharge; a partial date counts to its last moment; NULL while the stay lasts
--   discharge_disposition_code STRING: first coding of where the patient went
--   organization_id STRING: id of the Organization that is responsible
--   stay_hours DOUBLE: hours from admission to discharge; NULL while the stay lasts
--   stay_nights INT: midnights (UTC) between admission and discharge; NULL while the stay lasts
--   previous_encounter_id STRING: id of the patient's stay that began last before this one
--   days_since_previous DOUBLE: days from the discharge of that stay to this admission; negative where they overlap
--   is_readmission BOOLEAN: whether these are 0 to 30 days; false for a first stay, and where the two overlap, which is a transfer
--   next_encounter_id STRING: id of the patient's stay that began next after this one
--   is_readmitted BOOLEAN: whether that one is a readmission
WITH stay AS (
  SELECT
    encounter_id, patient_id, status, class_code, start_time, end_time, discharge_disposition_code, organization_id,
    lag(encounter_id) OVER patient_stays AS previous_encounter_id,
    (date_part('epoch', start_time) - date_part('epoch', lag(end_time) OVER patient_stays)) / 86400.0 AS days_since_previous,
    lead(encounter_id) OVER patient_stays AS next_encounter_id,
    (date_part('epoch', lead(start_time) OVER patient_stays) - date_part('epoch', end_time)) / 86400.0 AS days_to_next
  FROM encounters
  WHERE patient_id IS NOT NULL
    AND class_code IN ('IMP', 'ACUTE', 'NONAC')
    AND start_time IS NOT NULL
    AND coalesce(status, '') NOT IN ('planned', 'cancelled', 'entered-in-error')
  WINDOW patient_stays AS (PARTITION BY patient_id ORDER BY start_time, end_time NULLS LAST, encounter_id)
)
SELECT
  encounter_id,
  patient_id,
  status,
  class_code,
  start_time,
  end_time,
  discharge_disposition_code,
  organization_id,
  (date_part('epoch', end_time) - date_part('epoch', start_time)) / 3600.0 AS stay_hours,
  CAST(CAST(end_time AS DATE) - CAST(start_time AS DATE) AS INT) AS stay_nights,
  previous_encounter_id,
  days_since_previous,
  coalesce(days_since_previous BETWEEN 0 AND 30, false) AS is_readmission,
  next_encounter_id,
  coalesce(days_to_next BETWEEN 0 AND 30, false) AS is_readmitted
FROM stay
