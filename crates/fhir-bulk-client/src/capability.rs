//! What a server says about itself: its
//! [CapabilityStatement](https://hl7.org/fhir/R4/capabilitystatement.html) at `[base]/metadata`.
//!
//! It is advice: servers export without announcing it and announce what they do not do.

use serde::Deserialize;

use crate::client::BulkClient;
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::http::Call;
use crate::lenient;

/// The longest CapabilityStatement that is read, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// What a server says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The FHIR version, for example `4.0.1`.
    pub fhir_version: String,
    /// The software's name and version, for example `HAPI FHIR Server 8.8.0`.
    pub software: Option<String>,
    /// The base URL by which the server knows itself.
    pub implementation_url: Option<String>,
    /// Whether an operation named `export` is announced at the level of the system.
    pub system_export: bool,
    /// … of the type Patient.
    pub patient_export: bool,
    /// … of the type Group.
    pub group_export: bool,
    /// The versions of the Bulk Data specification that it names.
    pub dialects: Vec<Dialect>,
    /// The resource types that it names.
    pub types: Vec<String>,
    /// What it says that its exports do not support, though searches do: types, and parameters as `Observation?code`.
    pub not_exported: Vec<String>,
}

impl Capability {
    /// The version to speak: the newest of those that the server names, but the ballot of version 4 only where it names
    /// no other.
    pub fn dialect(&self) -> Option<Dialect> {
        let published = self.dialects.iter().filter(|dialect| **dialect < Dialect::Stu4).max();
        published.or(self.dialects.iter().max()).copied()
    }
}

impl BulkClient {
    /// Asks the server for its CapabilityStatement.
    ///
    /// # Errors
    /// As any request; [`ErrorKind::Protocol`] if the answer is no CapabilityStatement.
    pub async fn capability(&self) -> Result<Capability, Error> {
        let url = self.at_base("metadata")?;
        let answer = self.transport.send(&Call::get(url, "application/fhir+json")).await.map_err(
            |error| match error.kind() {
                ErrorKind::NotFound => {
                    error.with_hint("is this the FHIR base, for example one that ends with /fhir?")
                }
                _ => error,
            },
        )?;
        let url = answer.url.clone();
        let body = answer.body.read(MAX_BODY).await?;
        parse(&body).map_err(|error| error.with_url("GET", &url))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    resource_type: String,
    fhir_version: String,
    software: Option<Software>,
    implementation: Option<Implementation>,
    #[serde(default)]
    rest: Vec<Rest>,
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    instantiates: Vec<String>,
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    implementation_guide: Vec<String>,
}

#[derive(Deserialize)]
struct Software {
    name: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Implementation {
    url: Option<String>,
}

#[derive(Deserialize)]
struct Rest {
    #[serde(default)]
    operation: Vec<Operation>,
    #[serde(default)]
    resource: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    #[serde(rename = "type")]
    type_: String,
    #[serde(default)]
    operation: Vec<Operation>,
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    extension: Vec<Extension>,
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    search_param: Vec<SearchParam>,
}

#[derive(Deserialize)]
struct SearchParam {
    #[serde(default)]
    name: String,
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    extension: Vec<Extension>,
}

#[derive(Deserialize)]
struct Extension {
    #[serde(default)]
    url: String,
}

impl Extension {
    /// `http://hl7.org/fhir/uv/bulkdata/Extension/operation-not-supported`: not for exports.
    fn excludes_exports(&self) -> bool {
        self.url.contains("/bulkdata/") && self.url.ends_with("/operation-not-supported")
    }
}

impl Resource {
    /// Itself and its parameters, as far as exports do not support them.
    fn not_exported(&self) -> impl Iterator<Item = String> {
        let excluded = |extensions: &[Extension]| extensions.iter().any(Extension::excludes_exports);
        let own = excluded(&self.extension).then(|| self.type_.clone());
        let parameters = self.search_param.iter().filter(move |parameter| excluded(&parameter.extension));
        own.into_iter().chain(parameters.map(|parameter| format!("{}?{}", self.type_, parameter.name)))
    }
}

#[derive(Deserialize)]
struct Operation {
    name: String,
    definition: Option<String>,
}

pub(crate) fn parse(body: &[u8]) -> Result<Capability, Error> {
    let no_statement = |why: &str| {
        Error::new(ErrorKind::Protocol, format!("the server's metadata are no CapabilityStatement: {why}"))
            .with_hint("is this the FHIR base, for example one that ends with /fhir?")
    };
    let statement: Statement =
        serde_json::from_slice(body).map_err(|error| no_statement(&error.to_string()))?;
    if statement.resource_type != "CapabilityStatement" {
        return Err(no_statement("the resource is of another type"));
    }
    let software = statement.software.as_ref().map(|software| {
        [software.name.as_deref(), software.version.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    });
    let has_export = |operations: &[Operation]| {
        operations.iter().any(|operation| operation.name.trim_start_matches('$') == "export")
    };
    let of_type = |name: &str| {
        let mut resources = statement.rest.iter().flat_map(|rest| &rest.resource);
        resources.any(|resource| resource.type_ == name && has_export(&resource.operation))
    };
    let mut dialects: Vec<Dialect> = named_versions(&statement).filter_map(Dialect::of_version).collect();
    dialects.sort();
    dialects.dedup();
    Ok(Capability {
        dialects,
        types: statement.rest.iter().flat_map(|rest| &rest.resource).map(|one| one.type_.clone()).collect(),
        not_exported: statement
            .rest
            .iter()
            .flat_map(|rest| &rest.resource)
            .flat_map(Resource::not_exported)
            .collect(),
        system_export: statement.rest.iter().any(|rest| has_export(&rest.operation)),
        patient_export: of_type("Patient"),
        group_export: of_type("Group"),
        fhir_version: statement.fhir_version,
        software: software.filter(|software| !software.is_empty()),
        implementation_url: statement.implementation.and_then(|implementation| implementation.url),
    })
}

/// The versions in the canonical URLs of the specification's parts; an operation `export-v4` is one too.
fn named_versions(statement: &Statement) -> impl Iterator<Item = &str> {
    let of_types = statement.rest.iter().flat_map(|rest| &rest.resource).flat_map(|one| &one.operation);
    let operations = statement.rest.iter().flat_map(|rest| &rest.operation).chain(of_types);
    let by_name = operations.clone().filter_map(|operation| operation.name.strip_prefix("export-v"));
    let definitions = operations.filter_map(|operation| operation.definition.as_deref());
    let canonicals = definitions
        .chain(statement.instantiates.iter().chain(&statement.implementation_guide).map(String::as_str));
    canonicals
        .filter(|url| url.contains("bulkdata"))
        .filter_map(|url| Some(url.split_once('|')?.1))
        .chain(by_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_that_matter_are_read() {
        let body = br#"{"resourceType":"CapabilityStatement","status":"active","fhirVersion":"4.0.1",
            "software":{"name":"HAPI FHIR Server","version":"8.8.0"},
            "implementation":{"description":"x","url":"http://127.0.0.1:8090/fhir"},
            "rest":[{"mode":"server","operation":[{"name":"export","definition":"x"}],
                     "resource":[{"type":"Group","operation":[{"name":"export"}]},{"type":"Patient"}]}]}"#;
        let expected = Capability {
            fhir_version: "4.0.1".into(),
            software: Some("HAPI FHIR Server 8.8.0".into()),
            implementation_url: Some("http://127.0.0.1:8090/fhir".into()),
            system_export: true,
            patient_export: false,
            group_export: true,
            dialects: Vec::new(),
            types: vec!["Group".into(), "Patient".into()],
            not_exported: Vec::new(),
        };
        assert_eq!(parse(body).unwrap(), expected);
    }

    #[test]
    fn the_version_is_the_newest_published_one_that_the_server_names() {
        let dialect = |more: &str| {
            let head = r#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1""#;
            parse(format!("{head}{more}}}").as_bytes()).unwrap().dialect()
        };
        let export = |versions: &[&str]| {
            let operation = |version: &&str| {
                format!(
                    r#"{{"name":"export","definition":"http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export{version}"}}"#
                )
            };
            let operations: Vec<_> = versions.iter().map(operation).collect();
            format!(r#","rest":[{{"operation":[{}]}}]"#, operations.join(","))
        };
        assert_eq!(dialect(""), None);
        assert_eq!(dialect(&export(&[""])), None);
        assert_eq!(dialect(&export(&["|2.0.0"])), Some(Dialect::Stu2));
        assert_eq!(dialect(&export(&["|3.0.0", "|4.0.0"])), Some(Dialect::Stu3));
        assert_eq!(dialect(&export(&["|4.0.0-ballot"])), Some(Dialect::Stu4));
        let instantiates =
            r#","instantiates":["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data|3.0.0"]"#;
        assert_eq!(dialect(instantiates), Some(Dialect::Stu3));
    }

    #[test]
    fn what_exports_do_not_support_is_read() {
        let body = br#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","rest":[{"resource":[
            {"type":"Slot","extension":[{"url":"http://hl7.org/fhir/uv/bulkdata/Extension/operation-not-supported"}]},
            {"type":"Observation","extension":[{"url":"http://x.example/operation-not-supported"}],"searchParam":[
                {"name":"code"},
                {"name":"code-value","extension":[{"url":"http://hl7.org/fhir/uv/bulkdata/Extension/operation-not-supported"}]}]}]}]}"#;
        assert_eq!(parse(body).unwrap().not_exported, ["Slot", "Observation?code-value"]);
    }

    #[test]
    fn a_statement_may_say_little() {
        let capability = parse(br#"{"resourceType":"CapabilityStatement","fhirVersion":"5.0.0"}"#).unwrap();
        assert_eq!((capability.fhir_version.as_str(), capability.software), ("5.0.0", None));
    }

    #[test]
    fn what_is_no_capability_statement_is_an_error() {
        insta::assert_snapshot!(parse(b"<html>").unwrap_err(), @"the server's metadata are no CapabilityStatement: expected value at line 1 column 1. Hint: is this the FHIR base, for example one that ends with /fhir?");
        insta::assert_snapshot!(parse(br#"{"resourceType":"Bundle","fhirVersion":"4.0.1"}"#).unwrap_err(), @"the server's metadata are no CapabilityStatement: the resource is of another type. Hint: is this the FHIR base, for example one that ends with /fhir?");
    }
}
