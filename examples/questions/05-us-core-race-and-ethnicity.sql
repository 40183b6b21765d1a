-- question: How many patients are of each US Core race and ethnicity?
SELECT
  extension(extension, 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-race', 'ombCategory')['valueCoding']['display'] AS race,
  extension(extension, 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity', 'text')['valueString'] AS ethnicity,
  count(*) AS patients
FROM Patient
GROUP BY race, ethnicity
ORDER BY race, ethnicity
