//! The parameters of a kick-off, written as a query or as a Parameters resource, in each dialect.
//!
//! Values are joined by commas in versions 2 and 3: servers have been seen to read only the first of a repeated
//! `_type`, silently, by `GET` and by `POST`. Version 4 forbids the comma. `_typeFilter` is repeated from version 3 on,
//! because a comma may stand in it; where it has to be joined, commas within a filter are written as `%2C`, which is
//! then escaped once more like everything else.

use serde_json::{Value, json};
use url::form_urlencoded;

use super::request::ExportRequest;
use crate::dialect::Dialect;
use crate::server::Quirks;

/// The format that is asked for, and the only one that is read.
const OUTPUT_FORMAT: &str = "application/fhir+ndjson";

/// The code system of `includeAssociatedData` in version 4.
const ASSOCIATED_DATA: &str = "http://hl7.org/fhir/uv/bulkdata/CodeSystem/include-associated-data";

/// One parameter with all its values.
struct Parameter<'a> {
    name: &'a str,
    values: Vec<String>,
    /// The element that holds a value in a Parameters resource.
    element: &'static str,
    /// Whether the values become one, joined by commas.
    joined: bool,
}

/// Whether values are joined, by parameter.
struct Style {
    lists: bool,
    filters: bool,
}

impl Style {
    fn of(dialect: Dialect, quirks: &Quirks) -> Self {
        Self {
            lists: dialect < Dialect::Stu4 || quirks.first_of_repeated_only,
            filters: (dialect < Dialect::Stu3 && !quirks.type_filters_are_repeated)
                || quirks.first_of_repeated_only,
        }
    }
}

fn parameters<'a>(request: &'a ExportRequest, dialect: Dialect, quirks: &Quirks) -> Vec<Parameter<'a>> {
    let style = Style::of(dialect, quirks);
    let list = |name, values: &[String]| Parameter {
        name,
        values: values.to_vec(),
        element: "valueString",
        joined: style.lists,
    };
    let one = |name, value: Option<&String>, element| Parameter {
        name,
        values: value.cloned().into_iter().collect(),
        element,
        joined: false,
    };
    let escape = |filter: &String| if style.filters { filter.replace(',', "%2C") } else { filter.clone() };
    let associated = match dialect {
        Dialect::Stu2 => "valueCode",
        Dialect::Stu3 => "valueString",
        Dialect::Stu4 => "valueCoding",
    };
    let format = OUTPUT_FORMAT.to_owned();
    let partial = request.partial_manifests.then(|| "true".to_owned());
    let mut all = vec![
        one("_outputFormat", Some(&format), "valueString"),
        list("_type", &request.types),
        one("_since", request.since.as_ref(), "valueInstant"),
        one("_until", request.until.as_ref(), "valueInstant"),
        Parameter {
            values: request.type_filters.iter().map(escape).collect(),
            joined: style.filters,
            ..list("_typeFilter", &[])
        },
        list("_elements", &request.elements),
        Parameter {
            name: "patient",
            values: request.patients.iter().map(|id| patient_reference(id)).collect(),
            element: "valueReference",
            joined: false,
        },
        Parameter { element: associated, ..list("includeAssociatedData", &request.include_associated_data) },
        one("organizeOutputBy", request.organize_output_by.as_ref(), "valueString"),
        one("allowPartialManifests", partial.as_ref(), "valueBoolean"),
    ];
    all.extend(request.parameters.iter().map(|(name, value)| one(name, Some(value), "valueString")));
    all.retain(|parameter| !parameter.values.is_empty());
    all
}

/// `Patient/x` for `x` or `Patient/x`.
fn patient_reference(id: &str) -> String {
    if id.contains('/') { id.to_owned() } else { format!("Patient/{id}") }
}

/// The query of a kick-off by `GET`.
pub(crate) fn query(request: &ExportRequest, dialect: Dialect, quirks: &Quirks) -> String {
    // `+` means a space in a query: it is sent as %2B, in the format's name and in an offset like +02:00; and a space
    // as %20, which no reader takes for a plus sign.
    let encode = |value: &String| {
        form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>().replace('+', "%20")
    };
    let mut pairs = Vec::new();
    for Parameter { name, values, joined, .. } in parameters(request, dialect, quirks) {
        let name = encode(&name.to_owned());
        let values: Vec<String> = values.iter().map(encode).collect();
        match joined {
            true => pairs.push(format!("{name}={}", values.join(","))),
            false => pairs.extend(values.iter().map(|value| format!("{name}={value}"))),
        }
    }
    pairs.join("&")
}

/// The body of a kick-off by `POST`: a Parameters resource.
pub(crate) fn resource(request: &ExportRequest, dialect: Dialect, quirks: &Quirks) -> Value {
    let mut entries = Vec::new();
    for Parameter { name, values, element, joined } in parameters(request, dialect, quirks) {
        let values = if joined { vec![values.join(",")] } else { values };
        entries.extend(values.into_iter().map(|value| {
            let value = match element {
                "valueReference" => json!({"reference": value}),
                "valueBoolean" => json!(value == "true"),
                "valueCoding" if value.starts_with('_') => json!({"code": value}),
                "valueCoding" => json!({"system": ASSOCIATED_DATA, "code": value}),
                _ => json!(value),
            };
            json!({"name": name, element: value})
        }));
    }
    json!({"resourceType": "Parameters", "parameter": entries})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> ExportRequest {
        let own = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        ExportRequest {
            types: own(&["Patient", "Observation"]),
            since: Some("2024-01-01T00:00:00+02:00".into()),
            type_filters: own(&["Observation?code=a,b&x=c d", "MedicationRequest?status=completed"]),
            include_associated_data: own(&["LatestProvenanceResources", "_mine"]),
            parameters: vec![("_custom".into(), "a&b".into())],
            ..Default::default()
        }
    }

    #[test]
    fn a_query_of_version_2_has_commas_and_one_of_version_3_repeats_filters() {
        let quirks = Quirks::default();
        insta::assert_snapshot!(query(&full(), Dialect::Stu2, &quirks).replace('&', "\n"), @"
        _outputFormat=application%2Ffhir%2Bndjson
        _type=Patient,Observation
        _since=2024-01-01T00%3A00%3A00%2B02%3A00
        _typeFilter=Observation%3Fcode%3Da%252Cb%26x%3Dc%20d,MedicationRequest%3Fstatus%3Dcompleted
        includeAssociatedData=LatestProvenanceResources,_mine
        _custom=a%26b
        ");
        insta::assert_snapshot!(query(&full(), Dialect::Stu3, &quirks).replace('&', "\n"), @"
        _outputFormat=application%2Ffhir%2Bndjson
        _type=Patient,Observation
        _since=2024-01-01T00%3A00%3A00%2B02%3A00
        _typeFilter=Observation%3Fcode%3Da%2Cb%26x%3Dc%20d
        _typeFilter=MedicationRequest%3Fstatus%3Dcompleted
        includeAssociatedData=LatestProvenanceResources,_mine
        _custom=a%26b
        ");
    }

    #[test]
    fn the_specifications_own_example_is_written_as_it_has_it() {
        let filters = vec!["MedicationRequest?status=completed&date=gt2018-07-01T00:00:00Z".to_owned()];
        let request = ExportRequest { type_filters: filters, ..Default::default() };
        let query = query(&request, Dialect::Stu3, &Quirks::default());
        let expected =
            "_typeFilter=MedicationRequest%3Fstatus%3Dcompleted%26date%3Dgt2018-07-01T00%3A00%3A00Z";
        assert!(query.ends_with(expected), "{query}");
    }

    #[test]
    fn a_resource_of_version_4_has_an_entry_for_each_value_and_nothing_escaped() {
        let request = ExportRequest {
            until: Some("2024-02-01T00:00:00Z".into()),
            patients: vec!["a".into(), "Patient/b".into()],
            partial_manifests: true,
            organize_output_by: Some("Patient".into()),
            ..full()
        };
        let entry = |entry: &Value| serde_json::to_string(entry).unwrap();
        let body = resource(&request, Dialect::Stu4, &Quirks::default());
        let entries: Vec<_> = body["parameter"].as_array().unwrap().iter().map(entry).collect();
        insta::assert_snapshot!(entries.join("\n"), @r#"
        {"name":"_outputFormat","valueString":"application/fhir+ndjson"}
        {"name":"_type","valueString":"Patient"}
        {"name":"_type","valueString":"Observation"}
        {"name":"_since","valueInstant":"2024-01-01T00:00:00+02:00"}
        {"name":"_until","valueInstant":"2024-02-01T00:00:00Z"}
        {"name":"_typeFilter","valueString":"Observation?code=a,b&x=c d"}
        {"name":"_typeFilter","valueString":"MedicationRequest?status=completed"}
        {"name":"patient","valueReference":{"reference":"Patient/a"}}
        {"name":"patient","valueReference":{"reference":"Patient/b"}}
        {"name":"includeAssociatedData","valueCoding":{"code":"LatestProvenanceResources","system":"http://hl7.org/fhir/uv/bulkdata/CodeSystem/include-associated-data"}}
        {"name":"includeAssociatedData","valueCoding":{"code":"_mine"}}
        {"name":"organizeOutputBy","valueString":"Patient"}
        {"name":"allowPartialManifests","valueBoolean":true}
        {"name":"_custom","valueString":"a&b"}
        "#);
    }

    #[test]
    fn a_resource_of_version_2_joins_lists() {
        let body = resource(&full(), Dialect::Stu2, &Quirks::default());
        let value = |name: &str| {
            let entries = body["parameter"].as_array().unwrap();
            let found: Vec<_> = entries.iter().filter(|entry| entry["name"] == name).collect();
            assert_eq!(found.len(), 1, "{name}");
            found[0].as_object().unwrap().iter().find(|(key, _)| *key != "name").unwrap().1.clone()
        };
        assert_eq!(value("_type"), "Patient,Observation");
        assert_eq!(value("_typeFilter"), "Observation?code=a%2Cb&x=c d,MedicationRequest?status=completed");
    }

    #[test]
    fn where_only_the_first_of_several_is_read_they_are_joined_in_every_dialect() {
        let quirks = Quirks { first_of_repeated_only: true, ..Default::default() };
        assert!(query(&full(), Dialect::Stu3, &quirks).contains("_type=Patient,Observation&"));
        let body = resource(&full(), Dialect::Stu4, &quirks).to_string();
        assert!(body.contains(r#""Patient,Observation""#), "{body}");
        assert!(!resource(&full(), Dialect::Stu4, &Quirks::default()).to_string().contains("Patient,Obs"));
    }

    #[test]
    fn where_joined_filters_are_refused_they_are_repeated_in_every_dialect() {
        let quirks = Quirks { type_filters_are_repeated: true, ..Default::default() };
        assert_eq!(query(&full(), Dialect::Stu2, &quirks).matches("_typeFilter=").count(), 2);
        assert_eq!(query(&full(), Dialect::Stu2, &Quirks::default()).matches("_typeFilter=").count(), 1);
    }
}
