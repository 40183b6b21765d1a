CREATE VIEW vitals AS
SELECT
  observation_id, component_index, patient_id, encounter_id, status, is_entered_in_error,
  CASE WHEN code_system = 'http://loinc.org' THEN vital_sign END AS vital_sign, panel_code,
  code_system, code, code_display, start_time, end_time, issued_time, value_type, value_comparator, value_double, value_unit,
  value_code, value_text, interpretation_code, data_absent_code, last_updated
FROM observations
LEFT JOIN (VALUES
  ('8480-6', 'systolic_blood_pressure'), ('8462-4', 'diastolic_blood_pressure'), ('8867-4', 'heart_rate'),
  ('9279-1', 'respiratory_rate'), ('8310-5', 'body_temperature'), ('2708-6', 'oxygen_saturation'),
  ('59408-5', 'oxygen_saturation'), ('8302-2', 'body_height'), ('8306-3', 'body_height'), ('3137-7', 'body_height'),
  ('29463-7', 'body_weight'), ('3141-9', 'body_weight'), ('39156-5', 'body_mass_index'), ('9843-4', 'head_circumference')
) AS usual (code, vital_sign) USING (code)
WHERE list_contains(string_split(category_codes, ','), 'vital-signs') OR (code_system = 'http://loinc.org' AND vital_sign IS NOT NULL);
