CREATE VIEW medication_exposures AS
SELECT
  type AS resource_type,
  id AS resource_id,
  CASE type
    WHEN 'MedicationRequest' THEN id
    WHEN 'MedicationAdministration' THEN id_of(body->>'$.request.reference', 'MedicationRequest')
    WHEN 'MedicationStatement' THEN first_id(body->'derivedFrom', 'MedicationRequest')
    ELSE first_id(body->'authorizingPrescription', 'MedicationRequest')
  END AS medication_request_id,
  id_of(body->>'$.subject.reference', 'Patient') AS patient_id,
  id_of(body->>'$.encounter.reference', 'Encounter') AS encounter_id,
  medication_id,
  body->>'status' AS status,
  code_system, code, code_display,
  first_moment(coalesce(
    body->>'authoredOn', body->>'whenHandedOver', body->>'whenPrepared', body->>'occurenceDateTime',
    body->>'$.occurencePeriod.start', body->>'effectiveDateTime', body->>'$.effectivePeriod.start'
  )) AS start_time,
  last_moment(coalesce(
    body->>'$.dispenseRequest.validityPeriod.end', body->>'occurenceDateTime', body->>'$.occurencePeriod.end', body->>'effectiveDateTime', body->>'$.effectivePeriod.end'
  )) AS end_time,
  coalesce(days(body->'$.dispenseRequest.expectedSupplyDuration', ''), days(body->'daysSupply', 'd')) AS days_supply,
  dosage->>'$.route.coding[0].code' AS route_code,
  amount(dose) AS value_double,
  unit(dose) AS value_unit,
  first_moment(body->>'$.meta.lastUpdated') AS last_updated
FROM (
  SELECT *, coalesce(dosage->'$.doseAndRate[0].doseQuantity', dosage->'dose') AS dose
  FROM (
    SELECT
      *,
      CASE type
        WHEN 'MedicationAdministration' THEN body->'dosage'
        WHEN 'MedicationStatement' THEN body->'$.dosage[0]'
        ELSE body->'$.dosageInstruction[0]'
      END AS dosage
    FROM resource
  )
)
JOIN medication_named USING (type, id)
WHERE id_of(body->>'$.subject.reference', 'Patient') IS NOT NULL
  AND coalesce(body->>'status', '') NOT IN (
    'entered-in-error', 'cancelled', 'draft', 'preparation', 'declined', 'not-done', 'not-taken', 'intended')
  AND coalesce(chosen(body->'$.adherence.code', ['http://hl7.org/fhir/CodeSystem/medication-statement-adherence'])->>'code', '') <> 'not-taking'
  AND coalesce(body->>'intent', '') NOT IN ('proposal', 'plan', 'option')
  AND coalesce(body->>'doNotPerform', 'false') = 'false';
