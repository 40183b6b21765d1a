-- name: fhir_statement
-- description: One row per thing that a clinical resource says to have happened, with the elements that OMOP has a place for. Not a table of the CDM.
-- fhir: R4, R4B
-- leaves out: what did not happen or is withdrawn: entered-in-error; refuted conditions and allergies; procedures, immunizations and administrations that were not done, cancelled or not begun; requests that are drafts, proposals or cancelled, or say not to; observations that are registered or cancelled
-- key: statement_id
-- columns:
--   statement_id STRING NOT NULL: Type/id, followed by #n for the n-th component of an Observation
--   resource_type STRING NOT NULL: type of the resource
--   patient_id STRING: id of the Patient
--   encounter_id STRING: id of the Encounter
--   default_domain_id STRING NOT NULL: the domain where no vocabulary says another: by resource type; an Observation of the categories laboratory and vital-signs is a Measurement, any other an Observation
--   code_system STRING: system of the coding that is mapped: the first of a system in fhir_code_system, else the first
--   code STRING: its code
--   code_text STRING: the concept as text
--   start_time TIMESTAMP: when it happened or began
--   end_time TIMESTAMP: when it ended
--   practitioner_key STRING: who did or said it, as the key of fhir_reference
--   status STRING: verification status of a condition
--   value_system STRING: system of the first coding of the value
--   value_code STRING: its code
--   value_number DOUBLE: the value as a number
--   value_comparator STRING: <, <=, >= or >
--   value_text STRING: the value as text
--   unit_system STRING: system of the unit's code
--   unit_code STRING: the unit's code, else its name
--   range_low DOUBLE: lower bound of the first reference range
--   range_high DOUBLE: upper bound of the first reference range
--   quantity DOUBLE: how much of a drug was dispensed, asked for or given
--   refills INT: repeats that are allowed
--   days_supply INT: days that a supply is for
--   sig STRING: dosage as text
--   route_system STRING: system of the route's coding
--   route_code STRING: its code
--   lot_number STRING: lot of a vaccine
WITH
-- A column that comes out of a UNION or a subquery here has a name that no table's column has: DataFusion takes the two for
-- each other where it moves the fields of a struct through a UNION.
reading AS (
  SELECT
    id AS reading_id, -1 AS component_index, status AS reading_status, subject AS reading_subject, encounter AS reading_encounter,
    category AS reading_category, code AS reading_code, performer AS reading_performer, referenceRange AS reading_range,
    coalesce(__effectiveDateTime_start, effectivePeriod.__start_start, __effectiveInstant_start) AS reading_start,
    coalesce(__effectiveDateTime_end, effectivePeriod.__end_end, __effectiveInstant_end) AS reading_end,
    valueQuantity AS as_quantity, valueCodeableConcept AS as_concept, valueString AS as_string, valueBoolean AS as_boolean,
    valueInteger AS as_integer, valueRange AS as_range, valueRatio AS as_ratio, valueTime AS as_time, valueDateTime AS as_date_time
  FROM Observation
  WHERE coalesce(array_length(component), 0) = 0
    OR valueQuantity IS NOT NULL OR valueCodeableConcept IS NOT NULL OR valueString IS NOT NULL OR valueBoolean IS NOT NULL
    OR valueInteger IS NOT NULL OR valueRange IS NOT NULL OR valueRatio IS NOT NULL OR valueSampledData IS NOT NULL
    OR valueTime IS NOT NULL OR valueDateTime IS NOT NULL OR valuePeriod IS NOT NULL
  UNION ALL
  SELECT
    panel_id, part_index, panel_status, panel_subject, panel_encounter,
    panel_category, part['code'], panel_performer, part['referenceRange'],
    panel_start, panel_end,
    part['valueQuantity'], part['valueCodeableConcept'], part['valueString'], part['valueBoolean'],
    part['valueInteger'], part['valueRange'], part['valueRatio'], part['valueTime'], part['valueDateTime']
  FROM (
    SELECT
      id AS panel_id, status AS panel_status, subject AS panel_subject, encounter AS panel_encounter,
      category AS panel_category, performer AS panel_performer,
      coalesce(__effectiveDateTime_start, effectivePeriod.__start_start, __effectiveInstant_start) AS panel_start,
      coalesce(__effectiveDateTime_end, effectivePeriod.__end_end, __effectiveInstant_end) AS panel_end,
      unnest(component) AS part,
      unnest(generate_series(1, CAST(array_length(component) AS BIGINT))) AS part_index
    FROM Observation
    WHERE array_length(component) > 0
  )
),
-- The drugs of four resource types, whose code may stand in a Medication.
drug AS (
  SELECT
    'MedicationRequest/' || id AS drug_statement_id, 'MedicationRequest' AS drug_type, subject AS drug_subject, encounter AS drug_encounter, requester AS drug_practitioner,
    medicationCodeableConcept.coding AS drug_codings, medicationCodeableConcept.text AS drug_text,
    CASE WHEN medicationReference.__reference_type = 'Medication' THEN medicationReference.__reference_id END AS medication_id, medicationReference.display AS medication_display,
    __authoredOn_start AS drug_start, dispenseRequest.validityPeriod.__end_end AS drug_end,
    dispenseRequest.quantity.__value_double AS drug_quantity, dispenseRequest.numberOfRepeatsAllowed AS drug_refills,
    dispenseRequest.expectedSupplyDuration.__value_double AS supply, coalesce(dispenseRequest.expectedSupplyDuration.code, dispenseRequest.expectedSupplyDuration.unit) AS supply_unit,
    dosageInstruction[1]['text'] AS drug_sig, dosageInstruction[1]['route']['coding'] AS route_codings,
    dosageInstruction[1]['doseAndRate'][1]['doseQuantity']['system'] AS dose_system,
    coalesce(dosageInstruction[1]['doseAndRate'][1]['doseQuantity']['code'], dosageInstruction[1]['doseAndRate'][1]['doseQuantity']['unit']) AS dose_code
  FROM MedicationRequest
  WHERE coalesce(status, 'unknown') NOT IN ('entered-in-error', 'cancelled', 'draft')
    AND coalesce(intent, 'order') NOT IN ('proposal', 'option') AND NOT coalesce(doNotPerform, false)
  UNION ALL
  SELECT
    'MedicationAdministration/' || id, 'MedicationAdministration', subject, context, performer[1]['actor'],
    medicationCodeableConcept.coding, medicationCodeableConcept.text,
    CASE WHEN medicationReference.__reference_type = 'Medication' THEN medicationReference.__reference_id END, medicationReference.display,
    coalesce(__effectiveDateTime_start, effectivePeriod.__start_start), coalesce(__effectiveDateTime_end, effectivePeriod.__end_end),
    dosage.dose.__value_double, NULL, NULL, NULL,
    dosage.text, dosage.route.coding, dosage.dose.system, coalesce(dosage.dose.code, dosage.dose.unit)
  FROM MedicationAdministration
  WHERE coalesce(status, 'unknown') NOT IN ('entered-in-error', 'not-done')
  UNION ALL
  SELECT
    'MedicationStatement/' || id, 'MedicationStatement', subject, context, informationSource,
    medicationCodeableConcept.coding, medicationCodeableConcept.text,
    CASE WHEN medicationReference.__reference_type = 'Medication' THEN medicationReference.__reference_id END, medicationReference.display,
    coalesce(__effectiveDateTime_start, effectivePeriod.__start_start, __dateAsserted_start), coalesce(__effectiveDateTime_end, effectivePeriod.__end_end),
    NULL, NULL, NULL, NULL,
    dosage[1]['text'], dosage[1]['route']['coding'], dosage[1]['doseAndRate'][1]['doseQuantity']['system'],
    coalesce(dosage[1]['doseAndRate'][1]['doseQuantity']['code'], dosage[1]['doseAndRate'][1]['doseQuantity']['unit'])
  FROM MedicationStatement
  WHERE coalesce(status, 'unknown') NOT IN ('entered-in-error', 'not-taken', 'intended')
  UNION ALL
  SELECT
    'MedicationDispense/' || id, 'MedicationDispense', subject, context, performer[1]['actor'],
    medicationCodeableConcept.coding, medicationCodeableConcept.text,
    CASE WHEN medicationReference.__reference_type = 'Medication' THEN medicationReference.__reference_id END, medicationReference.display,
    coalesce(__whenHandedOver_start, __whenPrepared_start), NULL,
    quantity.__value_double, NULL, daysSupply.__value_double, coalesce(daysSupply.code, daysSupply.unit),
    dosageInstruction[1]['text'], dosageInstruction[1]['route']['coding'], dosageInstruction[1]['doseAndRate'][1]['doseQuantity']['system'],
    coalesce(dosageInstruction[1]['doseAndRate'][1]['doseQuantity']['code'], dosageInstruction[1]['doseAndRate'][1]['doseQuantity']['unit'])
  FROM MedicationDispense
  WHERE coalesce(status, 'unknown') NOT IN ('entered-in-error', 'cancelled', 'declined', 'preparation')
),
coded_drug AS (
  SELECT
    drug.drug_statement_id, drug.drug_type, drug.drug_subject, drug.drug_encounter, drug.drug_practitioner,
    coalesce(drug.drug_codings, medicine.medicine_codings) AS coded_codings,
    coalesce(drug.drug_text, medicine.medicine_text, drug.medication_display) AS coded_text,
    drug.drug_start, drug.drug_end, drug.drug_quantity, drug.drug_refills,
    CASE WHEN drug.supply_unit IN ('d', 'day', 'days') THEN CAST(trunc(greatest(drug.supply, 1)) AS INT) END AS drug_days,
    drug.drug_sig, drug.route_codings, drug.dose_system, drug.dose_code
  FROM drug
  LEFT JOIN (SELECT id AS medicine_id, code.coding AS medicine_codings, code.text AS medicine_text FROM Medication) AS medicine
    ON medicine.medicine_id = drug.medication_id
),
statement AS (
  SELECT
    'Condition/' || id AS statement_id, 'Condition' AS resource_type, 'Condition' AS default_domain_id,
    subject AS the_subject, encounter AS the_encounter, coalesce(recorder, asserter) AS the_practitioner, code.coding AS the_codings, code.text AS the_text,
    coalesce(__onsetDateTime_start, onsetPeriod.__start_start, __recordedDate_start) AS the_start,
    coalesce(__abatementDateTime_end, abatementPeriod.__end_end) AS the_end,
    verificationStatus.coding[1]['code'] AS the_status,
    CASE WHEN false THEN code.coding END AS value_codings, CAST(NULL AS DOUBLE) AS value_number, CAST(NULL AS STRING) AS value_comparator,
    CAST(NULL AS STRING) AS value_text, CAST(NULL AS STRING) AS the_unit_system, CAST(NULL AS STRING) AS the_unit_code,
    CAST(NULL AS DOUBLE) AS range_low, CAST(NULL AS DOUBLE) AS range_high,
    CAST(NULL AS DOUBLE) AS the_quantity, CAST(NULL AS INT) AS the_refills, CAST(NULL AS INT) AS the_days_supply, CAST(NULL AS STRING) AS the_sig,
    CASE WHEN false THEN code.coding END AS the_route_codings, CAST(NULL AS STRING) AS the_lot_number
  FROM Condition
  WHERE coalesce(verificationStatus.coding[1]['code'], 'unknown') NOT IN ('entered-in-error', 'refuted')
  UNION ALL
  SELECT
    'AllergyIntolerance/' || id, 'AllergyIntolerance', 'Observation',
    patient, encounter, coalesce(recorder, asserter), code.coding, code.text,
    coalesce(__onsetDateTime_start, onsetPeriod.__start_start, __recordedDate_start), NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM AllergyIntolerance
  WHERE coalesce(verificationStatus.coding[1]['code'], 'unknown') NOT IN ('entered-in-error', 'refuted')
  UNION ALL
  SELECT
    'Procedure/' || id, 'Procedure', 'Procedure',
    subject, encounter, coalesce(performer[1]['actor'], recorder), code.coding, code.text,
    coalesce(__performedDateTime_start, performedPeriod.__start_start), coalesce(__performedDateTime_end, performedPeriod.__end_end),
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM Procedure
  WHERE coalesce(status, 'unknown') NOT IN ('entered-in-error', 'not-done', 'preparation')
  UNION ALL
  SELECT
    'Immunization/' || id, 'Immunization', 'Drug',
    patient, encounter, performer[1]['actor'], vaccineCode.coding, vaccineCode.text,
    coalesce(__occurrenceDateTime_start, __recorded_start), __occurrenceDateTime_end,
    NULL, NULL, NULL, NULL, NULL, doseQuantity.system, coalesce(doseQuantity.code, doseQuantity.unit), NULL, NULL,
    doseQuantity.__value_double, NULL, NULL, NULL, route.coding, lotNumber
  FROM Immunization
  WHERE coalesce(status, 'completed') NOT IN ('entered-in-error', 'not-done')
  UNION ALL
  SELECT
    CASE WHEN component_index > 0 THEN 'Observation/' || reading_id || '#' || CAST(component_index AS STRING) ELSE 'Observation/' || reading_id END,
    'Observation',
    CASE WHEN reading_category[1]['coding'][1]['code'] IN ('laboratory', 'vital-signs') THEN 'Measurement' ELSE 'Observation' END,
    reading_subject, reading_encounter, reading_performer[1], reading_code.coding, reading_code.text,
    reading_start, reading_end, NULL,
    as_concept.coding, coalesce(as_quantity.__value_double, CAST(as_integer AS DOUBLE)), as_quantity.comparator,
    coalesce(
      as_quantity.value, CAST(as_integer AS STRING), as_concept.text, as_string, CAST(as_boolean AS STRING), as_time, as_date_time,
      nullif(concat(as_ratio.numerator.comparator, as_ratio.numerator.value, ':', as_ratio.denominator.comparator, as_ratio.denominator.value), ':'),
      nullif(concat(as_range.low.value, '..', as_range.high.value), '..')
    ),
    as_quantity.system, coalesce(as_quantity.code, as_quantity.unit), reading_range[1]['low']['__value_double'], reading_range[1]['high']['__value_double'],
    NULL, NULL, NULL, NULL, NULL, NULL
  FROM reading
  WHERE coalesce(reading_status, 'unknown') NOT IN ('entered-in-error', 'registered', 'cancelled')
  UNION ALL
  SELECT
    drug_statement_id, drug_type, 'Drug',
    drug_subject, drug_encounter, drug_practitioner, coded_codings, coded_text,
    drug_start, drug_end, NULL, NULL, NULL, NULL, NULL, dose_system, dose_code, NULL, NULL,
    drug_quantity, drug_refills, drug_days, drug_sig, route_codings, NULL
  FROM coded_drug
),
-- The systems of fhir_code_system, in one place again: a lambda cannot read a table.
chosen AS (
  SELECT
    *,
    coalesce(
      array_filter(the_codings, c -> c['system'] IN (
        'http://snomed.info/sct', 'http://loinc.org', 'http://www.nlm.nih.gov/research/umls/rxnorm', 'http://hl7.org/fhir/sid/icd-10-cm',
        'http://hl7.org/fhir/sid/icd-10', 'http://www.cms.gov/Medicare/Coding/ICD10', 'http://hl7.org/fhir/sid/icd-9-cm',
        'http://hl7.org/fhir/sid/cvx', 'http://www.ama-assn.org/go/cpt', 'http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets',
        'http://hl7.org/fhir/sid/ndc', 'http://www.whocc.no/atc', 'http://nucc.org/provider-taxonomy', 'http://unitsofmeasure.org'
      ) AND c['code'] IS NOT NULL)[1],
      the_codings[1]
    ) AS coding
  FROM statement
)
SELECT
  statement_id,
  resource_type,
  CASE WHEN the_subject.__reference_type = 'Patient' THEN the_subject.__reference_id END AS patient_id,
  CASE WHEN the_encounter.__reference_type = 'Encounter' THEN the_encounter.__reference_id END AS encounter_id,
  default_domain_id,
  coding['system'] AS code_system,
  coding['code'] AS code,
  coalesce(coding['display'], the_text) AS code_text,
  the_start AS start_time,
  date_trunc('second', the_end) AS end_time,
  CASE
    WHEN the_practitioner.__reference_id IS NOT NULL THEN the_practitioner.__reference_type || '/' || the_practitioner.__reference_id
    WHEN the_practitioner.reference LIKE 'Practitioner?identifier=%' THEN 'Practitioner?' || percent_decode(split_part(the_practitioner.reference, '?identifier=', 2))
    WHEN the_practitioner.reference IS NULL THEN coalesce(the_practitioner.type, 'Practitioner') || '?' || coalesce(the_practitioner.identifier.system, '') || '|' || the_practitioner.identifier.value
  END AS practitioner_key,
  the_status AS status,
  value_codings[1]['system'] AS value_system,
  value_codings[1]['code'] AS value_code,
  value_number,
  value_comparator,
  coalesce(value_codings[1]['display'], value_text) AS value_text,
  the_unit_system AS unit_system,
  the_unit_code AS unit_code,
  range_low,
  range_high,
  the_quantity AS quantity,
  the_refills AS refills,
  the_days_supply AS days_supply,
  the_sig AS sig,
  the_route_codings[1]['system'] AS route_system,
  the_route_codings[1]['code'] AS route_code,
  the_lot_number AS lot_number
FROM chosen
