-- name: fhir_code_system
-- description: One row per FHIR code system that OMOP has a vocabulary of. Not a table of the CDM.
-- fhir: R4, R4B
-- leaves out: nothing
-- key: system
-- columns:
--   system STRING NOT NULL: the code system, as FHIR writes it
--   vocabulary_id STRING NOT NULL: the vocabulary's id in OMOP
SELECT system, vocabulary_id
FROM (
  VALUES
    ('http://snomed.info/sct', 'SNOMED'),
    ('http://loinc.org', 'LOINC'),
    ('http://www.nlm.nih.gov/research/umls/rxnorm', 'RxNorm'),
    ('http://hl7.org/fhir/sid/icd-10-cm', 'ICD10CM'),
    ('http://hl7.org/fhir/sid/icd-10', 'ICD10'),
    ('http://www.cms.gov/Medicare/Coding/ICD10', 'ICD10PCS'),
    ('http://hl7.org/fhir/sid/icd-9-cm', 'ICD9CM'),
    ('http://hl7.org/fhir/sid/cvx', 'CVX'),
    ('http://www.ama-assn.org/go/cpt', 'CPT4'),
    ('http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets', 'HCPCS'),
    ('http://hl7.org/fhir/sid/ndc', 'NDC'),
    ('http://www.whocc.no/atc', 'ATC'),
    ('http://nucc.org/provider-taxonomy', 'NUCC'),
    ('http://unitsofmeasure.org', 'UCUM')
) AS known (system, vocabulary_id)
