//! What an export asks for, and the kick-off URL that says so
//! ([query parameters](https://hl7.org/fhir/uv/bulkdata/export.html#query-parameters)).
//!
//! The URL is built for `GET`, the form that the deployed versions of the specification (2 and 3) share. Types are
//! joined by commas: servers have been seen to read only the first of a repeated `_type`, silently.

use url::{Url, form_urlencoded};

use crate::error::{Error, ErrorKind};

/// The format that is asked for, and the only one that is read.
const OUTPUT_FORMAT: &str = "application/fhir+ndjson";

/// Whose data is exported ([endpoints](https://hl7.org/fhir/uv/bulkdata/export.html#endpoints)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Level {
    /// `[base]/$export`: everything.
    #[default]
    System,
    /// `[base]/Patient/$export`: everything about all patients.
    Patient,
    /// `[base]/Group/[id]/$export`: everything about the members of the Group with this id.
    Group(String),
}

/// What an export asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportRequest {
    /// Whose data.
    pub level: Level,
    /// Resource types (`_type`). Empty: all that the server has and the client may see.
    pub types: Vec<String>,
    /// Only what changed after this [instant](https://hl7.org/fhir/R4/datatypes.html#instant) (`_since`), sent
    /// literally: usually the `transactionTime` of the export before.
    pub since: Option<String>,
}

impl ExportRequest {
    /// The kick-off URL at the server with this base. The base has no query, and its path ends with `/`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a type or a Group id that would change the URL's structure.
    pub(crate) fn url(&self, base: &Url) -> Result<Url, Error> {
        let mut url = base.clone();
        let level: &[&str] = match &self.level {
            Level::System => &[],
            Level::Patient => &["Patient"],
            Level::Group(id) => &["Group", group_id(id)?],
        };
        url.path_segments_mut()
            .map_err(|()| Error::new(ErrorKind::Config, "the base URL cannot have a path"))?
            .pop_if_empty()
            .extend(level)
            .push("$export");
        url.set_query(Some(&self.query()?));
        Ok(url)
    }

    fn query(&self) -> Result<String, Error> {
        // `+` means a space in a query: it is sent as %2B, in the format's name and in an offset like +02:00.
        let encode = |value: &str| form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>();
        let mut query = format!("_outputFormat={}", encode(OUTPUT_FORMAT));
        if let Some(bad) = self.types.iter().find(|name| !is_type_name(name)) {
            return Err(Error::new(ErrorKind::Config, format!("{bad:?} is not the name of a resource type"))
                .with_hint("names are like Patient or MedicationRequest"));
        }
        if !self.types.is_empty() {
            query.push_str(&format!("&_type={}", self.types.join(",")));
        }
        if let Some(since) = &self.since {
            query.push_str(&format!("&_since={}", encode(since)));
        }
        Ok(query)
    }

    /// What may not do what the caller means. Nothing of it stops the export.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let odd = self.since.as_ref().filter(|since| chrono::DateTime::parse_from_rfc3339(since).is_err());
        odd.map(|since| {
            format!("_since is sent as {since:?}, which is no instant (seconds and a time zone): servers may ignore it")
        })
        .into_iter()
        .collect()
    }
}

fn is_type_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn group_id(id: &str) -> Result<&str, Error> {
    if id.is_empty() || id == "." || id == ".." || id.contains('/') {
        return Err(Error::new(ErrorKind::Config, format!("{id:?} is not the id of a Group"))
            .with_hint("give the id alone, without Group/ in front"));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, request: &ExportRequest) -> String {
        request.url(&Url::parse(base).unwrap()).unwrap().to_string()
    }

    #[test]
    fn each_level_has_its_endpoint() {
        let at = |level: Level| url("https://h/fhir/", &ExportRequest { level, ..Default::default() });
        let format = "_outputFormat=application%2Ffhir%2Bndjson";
        assert_eq!(at(Level::System), format!("https://h/fhir/$export?{format}"));
        assert_eq!(at(Level::Patient), format!("https://h/fhir/Patient/$export?{format}"));
        assert_eq!(
            at(Level::Group("a b?".into())),
            format!("https://h/fhir/Group/a%20b%3F/$export?{format}")
        );
        assert_eq!(url("https://h/", &ExportRequest::default()), format!("https://h/$export?{format}"));
    }

    #[test]
    fn types_are_joined_by_commas_and_since_is_sent_literally() {
        let request = ExportRequest {
            types: vec!["Patient".into(), "Observation".into()],
            since: Some("2024-01-01T00:00:00.123456789+02:00".into()),
            ..Default::default()
        };
        assert_eq!(
            url("https://h/fhir/", &request),
            "https://h/fhir/$export?_outputFormat=application%2Ffhir%2Bndjson&_type=Patient,Observation\
             &_since=2024-01-01T00%3A00%3A00.123456789%2B02%3A00"
        );
        assert!(request.warnings().is_empty());
    }

    #[test]
    fn a_since_without_a_time_is_sent_with_a_warning() {
        let request = ExportRequest { since: Some("2024-01-01".into()), ..Default::default() };
        assert!(url("https://h/", &request).ends_with("&_since=2024-01-01"));
        assert_eq!(request.warnings().len(), 1);
    }

    #[test]
    fn names_that_would_change_the_url_are_refused() {
        let base = Url::parse("https://h/").unwrap();
        for id in ["", "..", "Group/1"] {
            let error = ExportRequest { level: Level::Group(id.into()), ..Default::default() }
                .url(&base)
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{id}");
        }
        for name in ["", "Patient,Group", "Patient&x=y"] {
            let error =
                ExportRequest { types: vec![name.into()], ..Default::default() }.url(&base).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{name}");
        }
    }
}
