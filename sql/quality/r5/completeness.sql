-- name: completeness
-- fhir: R5
SELECT resource_type, element, row_count AS rows, filled, round(CAST(filled AS DOUBLE) / row_count, 4) AS share
FROM (
  SELECT 'Patient' AS resource_type, count(*) AS row_count,
    unnest(['birthDate', 'gender', 'name', 'identifier', 'address', 'telecom', 'deceased[x]', 'communication', 'maritalStatus', 'generalPractitioner']) AS element,
    unnest([count(birthDate), count(gender), count(name), count(identifier), count(address), count(telecom), count(CASE WHEN deceasedBoolean IS NOT NULL OR deceasedDateTime IS NOT NULL THEN 1 END), count(communication), count(maritalStatus), count(generalPractitioner)]) AS filled
  FROM Patient
  UNION ALL
  SELECT 'Encounter' AS resource_type, count(*) AS row_count,
    unnest(['status', 'class', 'type', 'subject', 'actualPeriod.start', 'actualPeriod.end', 'serviceProvider', 'participant', 'location', 'reason']) AS element,
    unnest([count(status), count(class), count(type), count(subject), count(actualPeriod.start), count(actualPeriod.end), count(serviceProvider), count(participant), count(location), count(reason)]) AS filled
  FROM Encounter
  UNION ALL
  SELECT 'Condition' AS resource_type, count(*) AS row_count,
    unnest(['clinicalStatus', 'verificationStatus', 'category', 'code', 'subject', 'encounter', 'onset[x]', 'abatement[x]', 'recordedDate', 'severity']) AS element,
    unnest([count(clinicalStatus), count(verificationStatus), count(category), count(code), count(subject), count(encounter), count(CASE WHEN onsetDateTime IS NOT NULL OR onsetAge IS NOT NULL OR onsetPeriod IS NOT NULL OR onsetRange IS NOT NULL OR onsetString IS NOT NULL THEN 1 END), count(CASE WHEN abatementDateTime IS NOT NULL OR abatementAge IS NOT NULL OR abatementPeriod IS NOT NULL OR abatementRange IS NOT NULL OR abatementString IS NOT NULL THEN 1 END), count(recordedDate), count(severity)]) AS filled
  FROM Condition
  UNION ALL
  SELECT 'Observation' AS resource_type, count(*) AS row_count,
    unnest(['status', 'category', 'code', 'subject', 'encounter', 'effective[x]', 'issued', 'performer', 'value[x]', 'interpretation', 'referenceRange', 'component']) AS element,
    unnest([count(status), count(category), count(code), count(subject), count(encounter), count(CASE WHEN effectiveDateTime IS NOT NULL OR effectivePeriod IS NOT NULL OR effectiveTiming IS NOT NULL OR effectiveInstant IS NOT NULL THEN 1 END), count(issued), count(performer), count(CASE WHEN valueQuantity IS NOT NULL OR valueCodeableConcept IS NOT NULL OR valueString IS NOT NULL OR valueBoolean IS NOT NULL OR valueInteger IS NOT NULL OR valueRange IS NOT NULL OR valueRatio IS NOT NULL OR valueSampledData IS NOT NULL OR valueTime IS NOT NULL OR valueDateTime IS NOT NULL OR valuePeriod IS NOT NULL OR valueAttachment IS NOT NULL OR valueReference IS NOT NULL THEN 1 END), count(interpretation), count(referenceRange), count(component)]) AS filled
  FROM Observation
  UNION ALL
  SELECT 'Procedure' AS resource_type, count(*) AS row_count,
    unnest(['status', 'code', 'subject', 'encounter', 'occurrence[x]', 'performer', 'reason', 'bodySite']) AS element,
    unnest([count(status), count(code), count(subject), count(encounter), count(CASE WHEN occurrenceDateTime IS NOT NULL OR occurrencePeriod IS NOT NULL OR occurrenceString IS NOT NULL OR occurrenceAge IS NOT NULL OR occurrenceRange IS NOT NULL OR occurrenceTiming IS NOT NULL THEN 1 END), count(performer), count(reason), count(bodySite)]) AS filled
  FROM Procedure
  UNION ALL
  SELECT 'MedicationRequest' AS resource_type, count(*) AS row_count,
    unnest(['status', 'intent', 'medication', 'subject', 'encounter', 'authoredOn', 'requester', 'dosageInstruction', 'dispenseRequest', 'reason']) AS element,
    unnest([count(status), count(intent), count(medication), count(subject), count(encounter), count(authoredOn), count(requester), count(dosageInstruction), count(dispenseRequest), count(reason)]) AS filled
  FROM MedicationRequest
  UNION ALL
  SELECT 'Immunization' AS resource_type, count(*) AS row_count,
    unnest(['status', 'vaccineCode', 'patient', 'encounter', 'occurrence[x]', 'lotNumber', 'performer']) AS element,
    unnest([count(status), count(vaccineCode), count(patient), count(encounter), count(CASE WHEN occurrenceDateTime IS NOT NULL OR occurrenceString IS NOT NULL THEN 1 END), count(lotNumber), count(performer)]) AS filled
  FROM Immunization
  UNION ALL
  SELECT 'AllergyIntolerance' AS resource_type, count(*) AS row_count,
    unnest(['clinicalStatus', 'verificationStatus', 'code', 'patient', 'criticality', 'reaction', 'recordedDate']) AS element,
    unnest([count(clinicalStatus), count(verificationStatus), count(code), count(patient), count(criticality), count(reaction), count(recordedDate)]) AS filled
  FROM AllergyIntolerance
  UNION ALL
  SELECT 'DiagnosticReport' AS resource_type, count(*) AS row_count,
    unnest(['status', 'category', 'code', 'subject', 'encounter', 'effective[x]', 'result', 'presentedForm', 'conclusion']) AS element,
    unnest([count(status), count(category), count(code), count(subject), count(encounter), count(CASE WHEN effectiveDateTime IS NOT NULL OR effectivePeriod IS NOT NULL THEN 1 END), count(result), count(presentedForm), count(conclusion)]) AS filled
  FROM DiagnosticReport
  UNION ALL
  SELECT 'Practitioner' AS resource_type, count(*) AS row_count,
    unnest(['identifier', 'name', 'gender', 'qualification']) AS element,
    unnest([count(identifier), count(name), count(gender), count(qualification)]) AS filled
  FROM Practitioner
  UNION ALL
  SELECT 'Organization' AS resource_type, count(*) AS row_count,
    unnest(['identifier', 'name', 'type', 'contact.address']) AS element,
    unnest([count(identifier), count(name), count(type), count(CASE WHEN array_any_match(contact, c -> c['address'] IS NOT NULL) THEN 1 END)]) AS filled
  FROM Organization
  UNION ALL
  SELECT 'Location' AS resource_type, count(*) AS row_count,
    unnest(['identifier', 'name', 'address', 'position', 'managingOrganization']) AS element,
    unnest([count(identifier), count(name), count(address), count(position), count(managingOrganization)]) AS filled
  FROM Location
)
WHERE row_count > 0
ORDER BY resource_type, element
