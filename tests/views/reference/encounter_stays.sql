CREATE VIEW encounter_stays AS
WITH stay AS (
  SELECT *, row_number() OVER (PARTITION BY patient_id ORDER BY start_time, end_time NULLS LAST, encounter_id) AS place
  FROM encounters
  WHERE patient_id IS NOT NULL AND start_time IS NOT NULL AND class_code IN ('IMP', 'ACUTE', 'NONAC')
    AND coalesce(status, '') <> 'planned' AND coalesce(status, '') <> 'cancelled' AND NOT is_entered_in_error
)
SELECT
  this.encounter_id, this.patient_id, this.status, this.class_code, this.start_time, this.end_time,
  this.discharge_disposition_code, this.organization_id,
  date_diff('microsecond', this.start_time, this.end_time) / 3600e6 AS stay_hours,
  CAST(date_diff('day', CAST(this.start_time AS DATE), CAST(this.end_time AS DATE)) AS INT) AS stay_nights,
  before.encounter_id AS previous_encounter_id,
  date_diff('microsecond', before.end_time, this.start_time) / 86400e6 AS days_since_previous,
  coalesce(this.start_time >= before.end_time AND this.start_time <= before.end_time + INTERVAL 720 HOURS, false) AS is_readmission,
  after.encounter_id AS next_encounter_id,
  coalesce(after.start_time >= this.end_time AND after.start_time <= this.end_time + INTERVAL 720 HOURS, false) AS is_readmitted
FROM stay AS this
LEFT JOIN stay AS before ON before.patient_id = this.patient_id AND before.place = this.place - 1
LEFT JOIN stay AS after ON after.patient_id = this.patient_id AND after.place = this.place + 1;
