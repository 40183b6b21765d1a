-- name: unresolved_references
-- description: References to a resource that the lake does not have. The problem is the Type/id that is missing.
-- kind: check
-- fhir: R4, R4B
WITH reference AS (
  SELECT 'AllergyIntolerance' AS resource_type, id AS resource_id, 'patient' AS element, patient.__reference_type AS target_type, patient.__reference_id AS target_id FROM AllergyIntolerance
  UNION ALL
  SELECT 'AllergyIntolerance', id, 'encounter', encounter.__reference_type, encounter.__reference_id FROM AllergyIntolerance
  UNION ALL
  SELECT 'AllergyIntolerance', id, 'recorder', recorder.__reference_type, recorder.__reference_id FROM AllergyIntolerance
  UNION ALL
  SELECT 'AllergyIntolerance', id, 'asserter', asserter.__reference_type, asserter.__reference_id FROM AllergyIntolerance
  UNION ALL
  SELECT 'CarePlan', id, 'subject', subject.__reference_type, subject.__reference_id FROM CarePlan
  UNION ALL
  SELECT 'CarePlan', id, 'encounter', encounter.__reference_type, encounter.__reference_id FROM CarePlan
  UNION ALL
  SELECT 'CareTeam', id, 'subject', subject.__reference_type, subject.__reference_id FROM CareTeam
  UNION ALL
  SELECT 'CareTeam', id, 'encounter', encounter.__reference_type, encounter.__reference_id FROM CareTeam
  UNION ALL
  SELECT 'Claim', id, 'patient', patient.__reference_type, patient.__reference_id FROM Claim
  UNION ALL
  SELECT 'Claim', id, 'provider', provider.__reference_type, provider.__reference_id FROM Claim
  UNION ALL
  SELECT 'Claim', id, 'insurer', insurer.__reference_type, insurer.__reference_id FROM Claim
  UNION ALL
  SELECT 'Condition', id, 'subject', subject.__reference_type, subject.__reference_id FROM Condition
  UNION ALL
  SELECT 'Condition', id, 'encounter', encounter.__reference_type, encounter.__reference_id FROM Condition
  UNION ALL
  SELECT 'Condition', id, 'recorder', recorder.__reference_type, recorder.__reference_id FROM Condition
  UNION ALL
  SELECT 'Condition', id, 'asserter', asserter.__reference_type, asserter.__reference_id FROM Condition
  UNION ALL
  SELECT 'Coverage', id, 'beneficiary', beneficiary.__reference_type, beneficiary.__reference_id FROM Coverage
  UNION ALL
  SELECT 'Device', id, 'patient', patient.__reference_type, patient.__reference_id FROM Device
  UNION ALL
  SELECT 'DiagnosticReport', id, 'subject', subject.__reference_type, subject.__reference_id FROM DiagnosticReport
  UNION ALL
  SELECT 'DiagnosticReport', id, 'encounter', encounter.__reference_type, encounter.__reference_id FROM DiagnosticReport
  UNION ALL
  SELECT 'DocumentReference', id, 'subject', subject.__reference_type, subject.__reference_id FROM DocumentReference
  UNION ALL
  SELECT 'DocumentReference', id, 'custodian', custodian.__reference_type, custodian.__reference_id FROM DocumentReference
  UNION ALL
  SELECT 'Encounter', id, 'subject', subject.__reference_type, subject.__reference_id FROM Encounter
  UNION ALL
  SELECT 'Encounter', id, 'serviceProvider', serviceProvider.__reference_type, serviceProvider.__reference_id FROM Encounter
  UNION ALL
  SELECT 'Encounter', id, 'partOf', partOf.__reference_type, partOf.__reference_id FROM Encounter
  UNION ALL
  SELECT 'ExplanationOfBenefit', id, 'patient', patient.__reference_type, patient.__reference_id FROM ExplanationOfBenefit
  UNION ALL
  SELECT 'ExplanationOfBenefit', id, 'claim', claim.__reference_type, claim.__reference_id FROM ExplanationOfBenefit
  UNION ALL
  SELECT 'ExplanationOfBenefit', id, 'provider', provider.__reference_type, provider.__reference_id FROM ExplanationOfBenefit
  UNION ALL
  SELECT 'ExplanationOfBenefit', id, 'insurer', insurer.__reference_type, insurer.__reference_id FROM ExplanationOfBenefit
  UNION ALL
  SELECT 'Goal', id, 'subject', subject.__reference_type, subject.__reference_id FROM Goal
  UNION ALL
  SELECT 'ImagingStudy', id, 'subject', subject.__reference_type, subject.__reference_id FROM ImagingStudy
  UNION ALL
  SELECT 'ImagingStudy', id, 'encounter', encounter.__reference_type, encounter.__reference_id FROM ImagingStudy
  UNION ALL
  SELECT 'Immunization', id, 'patient', patient.__reference_type, patient.__reference_id FROM Immunization
  UNION ALL
  SELECT 'Immunization', id, 'encounter', encounter.__reference_type, encounter.__reference_id FROM Immunization
  UNION ALL
  SELECT 'Location', id, 'managingOrganization', managingOrganization.__reference_type, managingOrganization.__reference_id FROM Location
  UNION ALL
  SELECT 'Location', id, 'partOf', partOf.__reference_type, partOf.__reference_id FROM Location
  UNION ALL
  SELECT 'MedicationAdministration', id, 'subject', subject.__reference_type, subject.__reference_id FROM MedicationAdministration
  UNION ALL
  SELECT 'MedicationAdministration', id, 'context', context.__reference_type, context.__reference_id FROM MedicationAdministration
  UNION ALL
  SELECT 'MedicationAdministration', id, 'medicationReference', medicationReference.__reference_type, medicationReference.__reference_id FROM MedicationAdministration
  UNION ALL
  SELECT 'MedicationAdministration', id, 'request', request.__reference_type, request.__reference_id FROM MedicationAdministration
  UNION ALL
  SELECT 'MedicationDispense', id, 'subject', subject.__reference_type, subject.__reference_id FROM MedicationDispense
  UNION ALL
  SELECT 'MedicationDispense', id, 'context', context.__reference_type, context.__reference_id FROM MedicationDispense
  UNION ALL
  SELECT 'MedicationDispense', id, 'medicationReference', medicationReference.__reference_type, medicationReference.__reference_id FROM MedicationDispense
  UNION ALL
  SELECT 'MedicationRequest', id, 'subject', subject.__reference_type, subject.__reference_id FROM MedicationRequest
  UNION ALL
  SELECT 'MedicationRequest', id, 'encounter', encounter.__reference_type, encounter.__reference_id FROM MedicationRequest
  UNION ALL
  SELECT 'MedicationRequest', id, 'medicationReference', medicationReference.__reference_type, medicationReference.__reference_id FROM MedicationRequest
  UNION ALL
  SELECT 'MedicationRequest', id, 'requester', requester.__reference_type, requester.__reference_id FROM MedicationRequest
  UNION ALL
  SELECT 'MedicationStatement', id, 'subject', subject.__reference_type, subject.__reference_id FROM MedicationStatement
  UNION ALL
  SELECT 'MedicationStatement', id, 'context', context.__reference_type, context.__reference_id FROM MedicationStatement
  UNION ALL
  SELECT 'MedicationStatement', id, 'medicationReference', medicationReference.__reference_type, medicationReference.__reference_id FROM MedicationStatement
  UNION ALL
  SELECT 'Observation', id, 'subject', subject.__reference_type, subject.__reference_id FROM Observation
  UNION ALL
  SELECT 'Observation', id, 'encounter', encounter.__reference_type, encounter.__reference_id FROM Observation
  UNION ALL
  SELECT 'Observation', id, 'specimen', specimen.__reference_type, specimen.__reference_id FROM Observation
  UNION ALL
  SELECT 'Observation', id, 'device', device.__reference_type, device.__reference_id FROM Observation
  UNION ALL
  SELECT 'Organization', id, 'partOf', partOf.__reference_type, partOf.__reference_id FROM Organization
  UNION ALL
  SELECT 'Patient', id, 'managingOrganization', managingOrganization.__reference_type, managingOrganization.__reference_id FROM Patient
  UNION ALL
  SELECT 'PractitionerRole', id, 'practitioner', practitioner.__reference_type, practitioner.__reference_id FROM PractitionerRole
  UNION ALL
  SELECT 'PractitionerRole', id, 'organization', organization.__reference_type, organization.__reference_id FROM PractitionerRole
  UNION ALL
  SELECT 'Procedure', id, 'subject', subject.__reference_type, subject.__reference_id FROM Procedure
  UNION ALL
  SELECT 'Procedure', id, 'encounter', encounter.__reference_type, encounter.__reference_id FROM Procedure
  UNION ALL
  SELECT 'Procedure', id, 'recorder', recorder.__reference_type, recorder.__reference_id FROM Procedure
  UNION ALL
  SELECT 'ServiceRequest', id, 'subject', subject.__reference_type, subject.__reference_id FROM ServiceRequest
  UNION ALL
  SELECT 'ServiceRequest', id, 'encounter', encounter.__reference_type, encounter.__reference_id FROM ServiceRequest
  UNION ALL
  SELECT 'ServiceRequest', id, 'requester', requester.__reference_type, requester.__reference_id FROM ServiceRequest
  UNION ALL
  SELECT 'Specimen', id, 'subject', subject.__reference_type, subject.__reference_id FROM Specimen
  UNION ALL
  SELECT 'CarePlan', list_owner, 'addresses', list_item['__reference_type'], list_item['__reference_id'] FROM (SELECT id AS list_owner, unnest(addresses) AS list_item FROM CarePlan)
  UNION ALL
  SELECT 'DiagnosticReport', list_owner, 'performer', list_item['__reference_type'], list_item['__reference_id'] FROM (SELECT id AS list_owner, unnest(performer) AS list_item FROM DiagnosticReport)
  UNION ALL
  SELECT 'DiagnosticReport', list_owner, 'result', list_item['__reference_type'], list_item['__reference_id'] FROM (SELECT id AS list_owner, unnest(result) AS list_item FROM DiagnosticReport)
  UNION ALL
  SELECT 'Observation', list_owner, 'performer', list_item['__reference_type'], list_item['__reference_id'] FROM (SELECT id AS list_owner, unnest(performer) AS list_item FROM Observation)
  UNION ALL
  SELECT 'Observation', list_owner, 'hasMember', list_item['__reference_type'], list_item['__reference_id'] FROM (SELECT id AS list_owner, unnest(hasMember) AS list_item FROM Observation)
  UNION ALL
  SELECT 'Observation', list_owner, 'derivedFrom', list_item['__reference_type'], list_item['__reference_id'] FROM (SELECT id AS list_owner, unnest(derivedFrom) AS list_item FROM Observation)
  UNION ALL
  SELECT 'Patient', list_owner, 'generalPractitioner', list_item['__reference_type'], list_item['__reference_id'] FROM (SELECT id AS list_owner, unnest(generalPractitioner) AS list_item FROM Patient)
  UNION ALL
  SELECT 'Procedure', list_owner, 'reasonReference', list_item['__reference_type'], list_item['__reference_id'] FROM (SELECT id AS list_owner, unnest(reasonReference) AS list_item FROM Procedure)
  UNION ALL
  SELECT 'MedicationRequest', list_owner, 'reasonReference', list_item['__reference_type'], list_item['__reference_id'] FROM (SELECT id AS list_owner, unnest(reasonReference) AS list_item FROM MedicationRequest)
  UNION ALL
  SELECT 'PractitionerRole', list_owner, 'location', list_item['__reference_type'], list_item['__reference_id'] FROM (SELECT id AS list_owner, unnest(location) AS list_item FROM PractitionerRole)
  UNION ALL
  SELECT 'Encounter', list_owner, 'participant.individual', list_item['individual']['__reference_type'], list_item['individual']['__reference_id'] FROM (SELECT id AS list_owner, unnest(participant) AS list_item FROM Encounter)
  UNION ALL
  SELECT 'Encounter', list_owner, 'location.location', list_item['location']['__reference_type'], list_item['location']['__reference_id'] FROM (SELECT id AS list_owner, unnest(location) AS list_item FROM Encounter)
  UNION ALL
  SELECT 'Procedure', list_owner, 'performer.actor', list_item['actor']['__reference_type'], list_item['actor']['__reference_id'] FROM (SELECT id AS list_owner, unnest(performer) AS list_item FROM Procedure)
  UNION ALL
  SELECT 'Immunization', list_owner, 'performer.actor', list_item['actor']['__reference_type'], list_item['actor']['__reference_id'] FROM (SELECT id AS list_owner, unnest(performer) AS list_item FROM Immunization)
  UNION ALL
  SELECT 'CareTeam', list_owner, 'participant.member', list_item['member']['__reference_type'], list_item['member']['__reference_id'] FROM (SELECT id AS list_owner, unnest(participant) AS list_item FROM CareTeam)
  UNION ALL
  SELECT 'MedicationAdministration', list_owner, 'performer.actor', list_item['actor']['__reference_type'], list_item['actor']['__reference_id'] FROM (SELECT id AS list_owner, unnest(performer) AS list_item FROM MedicationAdministration)
),
known AS (
  SELECT 'AllergyIntolerance' AS known_type, id AS known_id FROM AllergyIntolerance
  UNION ALL
  SELECT 'CarePlan', id FROM CarePlan
  UNION ALL
  SELECT 'CareTeam', id FROM CareTeam
  UNION ALL
  SELECT 'Claim', id FROM Claim
  UNION ALL
  SELECT 'Condition', id FROM Condition
  UNION ALL
  SELECT 'Coverage', id FROM Coverage
  UNION ALL
  SELECT 'Device', id FROM Device
  UNION ALL
  SELECT 'DiagnosticReport', id FROM DiagnosticReport
  UNION ALL
  SELECT 'DocumentReference', id FROM DocumentReference
  UNION ALL
  SELECT 'Encounter', id FROM Encounter
  UNION ALL
  SELECT 'ExplanationOfBenefit', id FROM ExplanationOfBenefit
  UNION ALL
  SELECT 'Goal', id FROM Goal
  UNION ALL
  SELECT 'Group', id FROM Group
  UNION ALL
  SELECT 'HealthcareService', id FROM HealthcareService
  UNION ALL
  SELECT 'ImagingStudy', id FROM ImagingStudy
  UNION ALL
  SELECT 'Immunization', id FROM Immunization
  UNION ALL
  SELECT 'Location', id FROM Location
  UNION ALL
  SELECT 'Medication', id FROM Medication
  UNION ALL
  SELECT 'MedicationAdministration', id FROM MedicationAdministration
  UNION ALL
  SELECT 'MedicationDispense', id FROM MedicationDispense
  UNION ALL
  SELECT 'MedicationRequest', id FROM MedicationRequest
  UNION ALL
  SELECT 'MedicationStatement', id FROM MedicationStatement
  UNION ALL
  SELECT 'Observation', id FROM Observation
  UNION ALL
  SELECT 'Organization', id FROM Organization
  UNION ALL
  SELECT 'Patient', id FROM Patient
  UNION ALL
  SELECT 'Practitioner', id FROM Practitioner
  UNION ALL
  SELECT 'PractitionerRole', id FROM PractitionerRole
  UNION ALL
  SELECT 'Procedure', id FROM Procedure
  UNION ALL
  SELECT 'QuestionnaireResponse', id FROM QuestionnaireResponse
  UNION ALL
  SELECT 'RelatedPerson', id FROM RelatedPerson
  UNION ALL
  SELECT 'ServiceRequest', id FROM ServiceRequest
  UNION ALL
  SELECT 'Specimen', id FROM Specimen
  UNION ALL
  SELECT 'Substance', id FROM Substance
)
SELECT reference.resource_type, reference.resource_id AS id, reference.element, reference.target_type || '/' || reference.target_id AS problem
FROM known
RIGHT JOIN reference ON known.known_type = reference.target_type AND known.known_id = reference.target_id
WHERE known.known_id IS NULL AND reference.target_id IS NOT NULL
  AND reference.target_type IN ('AllergyIntolerance', 'CarePlan', 'CareTeam', 'Claim', 'Condition', 'Coverage', 'Device', 'DiagnosticReport', 'DocumentReference', 'Encounter', 'ExplanationOfBenefit', 'Goal', 'Group', 'HealthcareService', 'ImagingStudy', 'Immunization', 'Location', 'Medication', 'MedicationAdministration', 'MedicationDispense', 'MedicationRequest', 'MedicationStatement', 'Observation', 'Organization', 'Patient', 'Practitioner', 'PractitionerRole', 'Procedure', 'QuestionnaireResponse', 'RelatedPerson', 'ServiceRequest', 'Specimen', 'Substance')
