-- name: medication_requests
-- description: One row per medication request: prescriptions and orders.
-- fhir: R4, R4B
-- grain: SELECT count(*) FROM MedicationRequest
-- columns:
--   medication_request_id STRING: id of the MedicationRequest
--   patient_id STRING: id of the Patient; NULL where the subject is a Group or cannot be resolved
--   encounter_id STRING: id of the Encounter in which it was made
--   medication_id STRING: id of the Medication, where the request refers to one
--   status STRING: active, on-hold, cancelled, completed, entered-in-error, stopped, draft, unknown
--   intent_code STRING: proposal, plan, order, original-order, reflex-order, filler-order, instance-order, option
--   category_code STRING: first coding of the first category, such as inpatient or community
--   code_system STRING: system of the first coding of the medication, from the request or from the Medication it refers to
--   code STRING: code of the same coding
--   code_display STRING: display of the same coding, else the text of the concept, else the display of the reference
--   start_time TIMESTAMP: when it was written (authoredOn); a partial date counts from its first moment
--   end_time TIMESTAMP: until when it may be dispensed; a partial date counts to its last moment
--   is_as_needed BOOLEAN: whether the first dosage is to be taken as needed; true also where it says for what (asNeededCodeableConcept)
--   dosage_text STRING: the first dosage as text
--   value_double DOUBLE: amount of the first dose of the first dosage
--   value_unit STRING: its unit's code (UCUM where the server gives it), else its name
--   dispense_double DOUBLE: amount to be dispensed each time
--   dispense_unit STRING: its unit's code, else its name
--   repeats_allowed INT: how many times it may be dispensed again
--   reason_code STRING: first coding of the first reason
--   reason_condition_id STRING: id of the first Condition given as a reason
--   practitioner_id STRING: id of the Practitioner who asked for it; a reference by identifier counts where exactly one has it
--   last_updated TIMESTAMP: when the server last changed the resource
WITH practitioner AS (
  -- Keys as a search has them: `system|value`, `|value` without a system, and `value` whatever the system. A value that has
  -- a bar gets no key of the last kind, for it would read as one of the first.
  SELECT identifier_key, max(id) AS practitioner_id
  FROM (
    SELECT id, unnest([coalesce(item['system'], '') || '|' || item['value'], CASE WHEN item['value'] NOT LIKE '%|%' THEN item['value'] END]) AS identifier_key
    FROM (SELECT id, unnest(identifier) AS item FROM Practitioner)
  )
  GROUP BY identifier_key
  HAVING count(DISTINCT id) = 1
),
medication AS (
  SELECT id AS medication_id, code AS concept FROM Medication
),
request AS (
  SELECT
    id AS medication_request_id,
    CASE WHEN subject.__reference_type = 'Patient' THEN subject.__reference_id END AS patient_id,
    encounter.__reference_id AS encounter_id,
    CASE WHEN medicationReference.__reference_type = 'Medication' THEN medicationReference.__reference_id END AS medication_id,
    medicationReference.display AS medication_display,
    medicationCodeableConcept,
    status,
    intent AS intent_code,
    category[1]['coding'][1]['code'] AS category_code,
    __authoredOn_start AS start_time,
    CASE
      WHEN dispenseRequest.validityPeriod.end LIKE '%T%' THEN dispenseRequest.validityPeriod.__end_start
      ELSE dispenseRequest.validityPeriod.__end_end
    END AS end_time,
    dosageInstruction[1]['asNeededCodeableConcept'] IS NOT NULL OR dosageInstruction[1]['asNeededBoolean'] AS is_as_needed,
    dosageInstruction[1]['text'] AS dosage_text,
    dosageInstruction[1]['doseAndRate'][1]['doseQuantity'] AS dose,
    dispenseRequest.quantity AS dispense,
    dispenseRequest.numberOfRepeatsAllowed AS repeats_allowed,
    reasonCode[1]['coding'][1]['code'] AS reason_code,
    array_filter(reasonReference, r -> r['__reference_type'] = 'Condition')[1]['__reference_id'] AS reason_condition_id,
    requester,
    meta.__lastUpdated_start AS last_updated
  FROM MedicationRequest
)
SELECT
  medication_request_id,
  patient_id,
  encounter_id,
  request.medication_id,
  status,
  intent_code,
  category_code,
  coalesce(medicationCodeableConcept.coding[1]['system'], concept.coding[1]['system']) AS code_system,
  coalesce(medicationCodeableConcept.coding[1]['code'], concept.coding[1]['code']) AS code,
  coalesce(
    medicationCodeableConcept.coding[1]['display'], medicationCodeableConcept.text,
    concept.coding[1]['display'], concept.text, medication_display
  ) AS code_display,
  start_time,
  end_time,
  is_as_needed,
  dosage_text,
  dose['__value_double'] AS value_double,
  coalesce(dose['code'], dose['unit']) AS value_unit,
  dispense['__value_double'] AS dispense_double,
  coalesce(dispense['code'], dispense['unit']) AS dispense_unit,
  repeats_allowed,
  reason_code,
  reason_condition_id,
  coalesce(CASE WHEN requester['__reference_type'] = 'Practitioner' THEN requester['__reference_id'] END, practitioner.practitioner_id) AS practitioner_id,
  last_updated
FROM request
LEFT JOIN medication ON medication.medication_id = request.medication_id
LEFT JOIN practitioner ON practitioner.identifier_key = coalesce(
  CASE WHEN requester['__reference_type'] = 'Practitioner'
    THEN nullif(percent_decode(split_part(requester['reference'], 'Practitioner?identifier=', 2)), '') END,
  CASE WHEN coalesce(requester['__reference_type'], requester['type'], 'Practitioner') = 'Practitioner'
    THEN coalesce(requester['identifier']['system'], '') || '|' || requester['identifier']['value'] END)
