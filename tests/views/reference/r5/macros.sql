-- Beside ../macros.sql: what R5 has otherwise.

-- The first concept of a list of CodeableReferences.
CREATE MACRO first_concept(list) AS list_filter(
  list_transform(from_json(list, '["JSON"]'), lambda r: json_extract(r, '$.concept')), lambda c: c IS NOT NULL)[1];
-- The first number or address of a kind among those of all contacts.
CREATE MACRO contact_telecom(body, kind) AS first_with(to_json(json_extract(body, '$.contact[*].telecom[*]')), '$.system', kind)->>'value';
