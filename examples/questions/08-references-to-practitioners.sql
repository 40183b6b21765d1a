-- question: From which elements do resources of any type refer to the practitioner with the NPI 9999881292?
-- A reference has the practitioner's id, or the search for the identifier that it stands for.
SELECT r.element_path, count(*) AS reference_count
FROM refs r LEFT JOIN conditional_references c ON c.reference = r.reference
WHERE r.target_type = 'Practitioner'
  AND coalesce(r.target_id, c.resource_id) IN (
    SELECT id FROM identifiers
    WHERE element_path = 'Practitioner.identifier' AND identifier_system = 'http://hl7.org/fhir/sid/us-npi' AND identifier_value = '9999881292'
  )
GROUP BY r.element_path
ORDER BY r.element_path
