-- name: unresolved_references
-- description: References to a resource that the lake does not have. The problem is the Type/id that is missing.
-- kind: check
-- fhir: R4, R4B, R5
WITH known AS (
  SELECT 'Account' AS known_type, id AS known_id FROM Account
  UNION ALL
  SELECT 'ActivityDefinition', id FROM ActivityDefinition
  UNION ALL
  SELECT 'AdverseEvent', id FROM AdverseEvent
  UNION ALL
  SELECT 'AllergyIntolerance', id FROM AllergyIntolerance
  UNION ALL
  SELECT 'Appointment', id FROM Appointment
  UNION ALL
  SELECT 'AppointmentResponse', id FROM AppointmentResponse
  UNION ALL
  SELECT 'AuditEvent', id FROM AuditEvent
  UNION ALL
  SELECT 'Basic', id FROM Basic
  UNION ALL
  SELECT 'Binary', id FROM Binary
  UNION ALL
  SELECT 'BiologicallyDerivedProduct', id FROM BiologicallyDerivedProduct
  UNION ALL
  SELECT 'BodyStructure', id FROM BodyStructure
  UNION ALL
  SELECT 'Bundle', id FROM Bundle
  UNION ALL
  SELECT 'CapabilityStatement', id FROM CapabilityStatement
  UNION ALL
  SELECT 'CarePlan', id FROM CarePlan
  UNION ALL
  SELECT 'CareTeam', id FROM CareTeam
  UNION ALL
  SELECT 'ChargeItem', id FROM ChargeItem
  UNION ALL
  SELECT 'ChargeItemDefinition', id FROM ChargeItemDefinition
  UNION ALL
  SELECT 'Claim', id FROM Claim
  UNION ALL
  SELECT 'ClaimResponse', id FROM ClaimResponse
  UNION ALL
  SELECT 'ClinicalImpression', id FROM ClinicalImpression
  UNION ALL
  SELECT 'CodeSystem', id FROM CodeSystem
  UNION ALL
  SELECT 'Communication', id FROM Communication
  UNION ALL
  SELECT 'CommunicationRequest', id FROM CommunicationRequest
  UNION ALL
  SELECT 'CompartmentDefinition', id FROM CompartmentDefinition
  UNION ALL
  SELECT 'Composition', id FROM Composition
  UNION ALL
  SELECT 'ConceptMap', id FROM ConceptMap
  UNION ALL
  SELECT 'Condition', id FROM Condition
  UNION ALL
  SELECT 'Consent', id FROM Consent
  UNION ALL
  SELECT 'Contract', id FROM Contract
  UNION ALL
  SELECT 'Coverage', id FROM Coverage
  UNION ALL
  SELECT 'CoverageEligibilityRequest', id FROM CoverageEligibilityRequest
  UNION ALL
  SELECT 'CoverageEligibilityResponse', id FROM CoverageEligibilityResponse
  UNION ALL
  SELECT 'DetectedIssue', id FROM DetectedIssue
  UNION ALL
  SELECT 'Device', id FROM Device
  UNION ALL
  SELECT 'DeviceDefinition', id FROM DeviceDefinition
  UNION ALL
  SELECT 'DeviceMetric', id FROM DeviceMetric
  UNION ALL
  SELECT 'DeviceRequest', id FROM DeviceRequest
  UNION ALL
  SELECT 'DiagnosticReport', id FROM DiagnosticReport
  UNION ALL
  SELECT 'DocumentReference', id FROM DocumentReference
  UNION ALL
  SELECT 'Encounter', id FROM Encounter
  UNION ALL
  SELECT 'Endpoint', id FROM Endpoint
  UNION ALL
  SELECT 'EnrollmentRequest', id FROM EnrollmentRequest
  UNION ALL
  SELECT 'EnrollmentResponse', id FROM EnrollmentResponse
  UNION ALL
  SELECT 'EpisodeOfCare', id FROM EpisodeOfCare
  UNION ALL
  SELECT 'EventDefinition', id FROM EventDefinition
  UNION ALL
  SELECT 'Evidence', id FROM Evidence
  UNION ALL
  SELECT 'EvidenceVariable', id FROM EvidenceVariable
  UNION ALL
  SELECT 'ExampleScenario', id FROM ExampleScenario
  UNION ALL
  SELECT 'ExplanationOfBenefit', id FROM ExplanationOfBenefit
  UNION ALL
  SELECT 'FamilyMemberHistory', id FROM FamilyMemberHistory
  UNION ALL
  SELECT 'Flag', id FROM Flag
  UNION ALL
  SELECT 'Goal', id FROM Goal
  UNION ALL
  SELECT 'GraphDefinition', id FROM GraphDefinition
  UNION ALL
  SELECT 'Group', id FROM Group
  UNION ALL
  SELECT 'GuidanceResponse', id FROM GuidanceResponse
  UNION ALL
  SELECT 'HealthcareService', id FROM HealthcareService
  UNION ALL
  SELECT 'ImagingStudy', id FROM ImagingStudy
  UNION ALL
  SELECT 'Immunization', id FROM Immunization
  UNION ALL
  SELECT 'ImmunizationEvaluation', id FROM ImmunizationEvaluation
  UNION ALL
  SELECT 'ImmunizationRecommendation', id FROM ImmunizationRecommendation
  UNION ALL
  SELECT 'ImplementationGuide', id FROM ImplementationGuide
  UNION ALL
  SELECT 'InsurancePlan', id FROM InsurancePlan
  UNION ALL
  SELECT 'Invoice', id FROM Invoice
  UNION ALL
  SELECT 'Library', id FROM Library
  UNION ALL
  SELECT 'Linkage', id FROM Linkage
  UNION ALL
  SELECT 'List', id FROM List
  UNION ALL
  SELECT 'Location', id FROM Location
  UNION ALL
  SELECT 'Measure', id FROM Measure
  UNION ALL
  SELECT 'MeasureReport', id FROM MeasureReport
  UNION ALL
  SELECT 'Medication', id FROM Medication
  UNION ALL
  SELECT 'MedicationAdministration', id FROM MedicationAdministration
  UNION ALL
  SELECT 'MedicationDispense', id FROM MedicationDispense
  UNION ALL
  SELECT 'MedicationKnowledge', id FROM MedicationKnowledge
  UNION ALL
  SELECT 'MedicationRequest', id FROM MedicationRequest
  UNION ALL
  SELECT 'MedicationStatement', id FROM MedicationStatement
  UNION ALL
  SELECT 'MessageDefinition', id FROM MessageDefinition
  UNION ALL
  SELECT 'MessageHeader', id FROM MessageHeader
  UNION ALL
  SELECT 'MolecularSequence', id FROM MolecularSequence
  UNION ALL
  SELECT 'NamingSystem', id FROM NamingSystem
  UNION ALL
  SELECT 'NutritionOrder', id FROM NutritionOrder
  UNION ALL
  SELECT 'Observation', id FROM Observation
  UNION ALL
  SELECT 'ObservationDefinition', id FROM ObservationDefinition
  UNION ALL
  SELECT 'OperationDefinition', id FROM OperationDefinition
  UNION ALL
  SELECT 'OperationOutcome', id FROM OperationOutcome
  UNION ALL
  SELECT 'Organization', id FROM Organization
  UNION ALL
  SELECT 'OrganizationAffiliation', id FROM OrganizationAffiliation
  UNION ALL
  SELECT 'Parameters', id FROM Parameters
  UNION ALL
  SELECT 'Patient', id FROM Patient
  UNION ALL
  SELECT 'PaymentNotice', id FROM PaymentNotice
  UNION ALL
  SELECT 'PaymentReconciliation', id FROM PaymentReconciliation
  UNION ALL
  SELECT 'Person', id FROM Person
  UNION ALL
  SELECT 'PlanDefinition', id FROM PlanDefinition
  UNION ALL
  SELECT 'Practitioner', id FROM Practitioner
  UNION ALL
  SELECT 'PractitionerRole', id FROM PractitionerRole
  UNION ALL
  SELECT 'Procedure', id FROM Procedure
  UNION ALL
  SELECT 'Provenance', id FROM Provenance
  UNION ALL
  SELECT 'Questionnaire', id FROM Questionnaire
  UNION ALL
  SELECT 'QuestionnaireResponse', id FROM QuestionnaireResponse
  UNION ALL
  SELECT 'RelatedPerson', id FROM RelatedPerson
  UNION ALL
  SELECT 'ResearchStudy', id FROM ResearchStudy
  UNION ALL
  SELECT 'ResearchSubject', id FROM ResearchSubject
  UNION ALL
  SELECT 'RiskAssessment', id FROM RiskAssessment
  UNION ALL
  SELECT 'Schedule', id FROM Schedule
  UNION ALL
  SELECT 'SearchParameter', id FROM SearchParameter
  UNION ALL
  SELECT 'ServiceRequest', id FROM ServiceRequest
  UNION ALL
  SELECT 'Slot', id FROM Slot
  UNION ALL
  SELECT 'Specimen', id FROM Specimen
  UNION ALL
  SELECT 'SpecimenDefinition', id FROM SpecimenDefinition
  UNION ALL
  SELECT 'StructureDefinition', id FROM StructureDefinition
  UNION ALL
  SELECT 'StructureMap', id FROM StructureMap
  UNION ALL
  SELECT 'Subscription', id FROM Subscription
  UNION ALL
  SELECT 'Substance', id FROM Substance
  UNION ALL
  SELECT 'SupplyDelivery', id FROM SupplyDelivery
  UNION ALL
  SELECT 'SupplyRequest', id FROM SupplyRequest
  UNION ALL
  SELECT 'Task', id FROM Task
  UNION ALL
  SELECT 'TerminologyCapabilities', id FROM TerminologyCapabilities
  UNION ALL
  SELECT 'TestReport', id FROM TestReport
  UNION ALL
  SELECT 'TestScript', id FROM TestScript
  UNION ALL
  SELECT 'ValueSet', id FROM ValueSet
  UNION ALL
  SELECT 'VerificationResult', id FROM VerificationResult
  UNION ALL
  SELECT 'VisionPrescription', id FROM VisionPrescription
),
reference AS (
  SELECT resource_type, id, substr(element_path, length(resource_type) + 2) AS element, target_type, target_id
  FROM refs
  -- A reference to a type that only some FHIR versions have is not judged.
  WHERE target_id IS NOT NULL AND target_type IN (
    'Account', 'ActivityDefinition', 'AdverseEvent', 'AllergyIntolerance', 'Appointment', 'AppointmentResponse', 'AuditEvent', 'Basic', 'Binary',
    'BiologicallyDerivedProduct', 'BodyStructure', 'Bundle', 'CapabilityStatement', 'CarePlan', 'CareTeam', 'ChargeItem', 'ChargeItemDefinition',
    'Claim', 'ClaimResponse', 'ClinicalImpression', 'CodeSystem', 'Communication', 'CommunicationRequest', 'CompartmentDefinition', 'Composition',
    'ConceptMap', 'Condition', 'Consent', 'Contract', 'Coverage', 'CoverageEligibilityRequest', 'CoverageEligibilityResponse', 'DetectedIssue',
    'Device', 'DeviceDefinition', 'DeviceMetric', 'DeviceRequest', 'DiagnosticReport', 'DocumentReference', 'Encounter', 'Endpoint',
    'EnrollmentRequest', 'EnrollmentResponse', 'EpisodeOfCare', 'EventDefinition', 'Evidence', 'EvidenceVariable', 'ExampleScenario',
    'ExplanationOfBenefit', 'FamilyMemberHistory', 'Flag', 'Goal', 'GraphDefinition', 'Group', 'GuidanceResponse', 'HealthcareService',
    'ImagingStudy', 'Immunization', 'ImmunizationEvaluation', 'ImmunizationRecommendation', 'ImplementationGuide', 'InsurancePlan', 'Invoice',
    'Library', 'Linkage', 'List', 'Location', 'Measure', 'MeasureReport', 'Medication', 'MedicationAdministration', 'MedicationDispense',
    'MedicationKnowledge', 'MedicationRequest', 'MedicationStatement', 'MessageDefinition', 'MessageHeader', 'MolecularSequence', 'NamingSystem',
    'NutritionOrder', 'Observation', 'ObservationDefinition', 'OperationDefinition', 'OperationOutcome', 'Organization', 'OrganizationAffiliation',
    'Parameters', 'Patient', 'PaymentNotice', 'PaymentReconciliation', 'Person', 'PlanDefinition', 'Practitioner', 'PractitionerRole', 'Procedure',
    'Provenance', 'Questionnaire', 'QuestionnaireResponse', 'RelatedPerson', 'ResearchStudy', 'ResearchSubject', 'RiskAssessment', 'Schedule',
    'SearchParameter', 'ServiceRequest', 'Slot', 'Specimen', 'SpecimenDefinition', 'StructureDefinition', 'StructureMap', 'Subscription', 'Substance',
    'SupplyDelivery', 'SupplyRequest', 'Task', 'TerminologyCapabilities', 'TestReport', 'TestScript', 'ValueSet', 'VerificationResult',
    'VisionPrescription'
  )
)
SELECT resource_type, id, element, target_type || '/' || target_id AS problem
FROM known
RIGHT JOIN reference ON known_type = target_type AND known_id = target_id
WHERE known_id IS NULL
