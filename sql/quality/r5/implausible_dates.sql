-- name: implausible_dates
-- fhir: R5
WITH event AS (
  SELECT 'Condition' AS resource_type, id AS resource_id, 'onset[x]' AS element, subject.__reference_id AS about_id,
    coalesce(__onsetDateTime_start, onsetPeriod.__start_start) AS first_moment, coalesce(__onsetDateTime_end, onsetPeriod.__start_end) AS last_of_first, coalesce(__abatementDateTime_end, abatementPeriod.__end_end) AS last_moment
  FROM Condition WHERE coalesce(verificationStatus.coding[1]['code'], 'unknown') <> 'entered-in-error'
  UNION ALL
  SELECT 'Encounter', id, 'actualPeriod', subject.__reference_id,
    actualPeriod.__start_start, actualPeriod.__start_end, actualPeriod.__end_end
  FROM Encounter WHERE coalesce(status, 'unknown') <> 'entered-in-error'
  UNION ALL
  SELECT 'Immunization', id, 'occurrence[x]', patient.__reference_id,
    __occurrenceDateTime_start, __occurrenceDateTime_end, NULL
  FROM Immunization WHERE coalesce(status, 'unknown') <> 'entered-in-error'
  UNION ALL
  SELECT 'MedicationAdministration', id, 'occurence[x]', subject.__reference_id,
    coalesce(__occurenceDateTime_start, occurencePeriod.__start_start), coalesce(__occurenceDateTime_end, occurencePeriod.__start_end), occurencePeriod.__end_end
  FROM MedicationAdministration WHERE coalesce(status, 'unknown') <> 'entered-in-error'
  UNION ALL
  SELECT 'MedicationRequest', id, 'authoredOn', subject.__reference_id,
    __authoredOn_start, __authoredOn_end, NULL
  FROM MedicationRequest WHERE coalesce(status, 'unknown') <> 'entered-in-error'
  UNION ALL
  SELECT 'Observation', id, 'effective[x]', subject.__reference_id,
    coalesce(__effectiveDateTime_start, effectivePeriod.__start_start, __effectiveInstant_start), coalesce(__effectiveDateTime_end, effectivePeriod.__start_end, __effectiveInstant_end), effectivePeriod.__end_end
  FROM Observation WHERE coalesce(status, 'unknown') <> 'entered-in-error'
  UNION ALL
  SELECT 'Procedure', id, 'occurrence[x]', subject.__reference_id,
    coalesce(__occurrenceDateTime_start, occurrencePeriod.__start_start), coalesce(__occurrenceDateTime_end, occurrencePeriod.__start_end), occurrencePeriod.__end_end
  FROM Procedure WHERE coalesce(status, 'unknown') <> 'entered-in-error'
),
life AS (
  SELECT id AS life_id, __birthDate_start AS born, __birthDate_end AS born_at_latest, __deceasedDateTime_start AS died_at_earliest, __deceasedDateTime_end AS died FROM Patient
),
judged AS (
  SELECT resource_type, resource_id, element,
    CASE
      WHEN last_of_first < TIMESTAMP '1900-01-01T00:00:00Z' THEN 'before 1900'
      WHEN first_moment > now() THEN 'in the future'
      WHEN last_moment < first_moment THEN 'end before start'
      WHEN last_of_first < born THEN 'before birth'
      WHEN first_moment > died THEN 'after death'
    END AS problem
  FROM event
  LEFT JOIN life ON life_id = about_id
  UNION ALL
  SELECT 'Patient', life_id, 'birthDate',
    CASE WHEN born > now() THEN 'in the future' WHEN born_at_latest < TIMESTAMP '1900-01-01T00:00:00Z' THEN 'before 1900' END
  FROM life
  UNION ALL
  SELECT 'Patient', life_id, 'deceased[x]',
    CASE WHEN died_at_earliest > now() THEN 'in the future' WHEN died < born THEN 'before birth' END
  FROM life
)
SELECT resource_type, resource_id AS id, element, problem
FROM judged
WHERE problem IS NOT NULL
