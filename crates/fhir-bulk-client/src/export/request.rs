//! What an export asks for, checked before it is sent
//! ([query parameters](https://hl7.org/fhir/uv/bulkdata/export.html#query-parameters)).

use std::collections::HashSet;

use url::Url;

use super::type_filter;
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::server::Quirks;

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

/// What an export asks for. All is empty unless set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportRequest {
    /// Whose data.
    pub level: Level,
    /// Resource types (`_type`). Empty: all that the server has and the client may see.
    pub types: Vec<String>,
    /// Only what changed after this [instant](https://hl7.org/fhir/R4/datatypes.html#instant) (`_since`), sent
    /// literally: usually the `transactionTime` of the export before.
    pub since: Option<String>,
    /// Only what changed before this instant (`_until`, from version 3 on), sent literally.
    pub until: Option<String>,
    /// Searches, each in one type, like `Observation?category=laboratory` (`_typeFilter`), with values escaped as in a
    /// search URL. Several for one type are alternatives.
    pub type_filters: Vec<String>,
    /// Elements like `id` or `Patient.birthDate` (`_elements`). The server marks what it cuts as `SUBSETTED`.
    pub elements: Vec<String>,
    /// Only these patients, by id or as `Patient/id` (`patient`); not at the level of the system. Sent by `POST`.
    pub patients: Vec<String>,
    /// Such as `LatestProvenanceResources` (`includeAssociatedData`).
    pub include_associated_data: Vec<String>,
    /// Group the output by this type (`organizeOutputBy`, from version 3 on).
    pub organize_output_by: Option<String>,
    /// Allow the server to give pages of its manifest while it goes on (`allowPartialManifests`, from version 3 on).
    pub partial_manifests: bool,
    /// Further parameters, each with its value.
    pub parameters: Vec<(String, String)>,
    /// Ask the server to ignore what it does not support instead of refusing it (`Prefer: handling=lenient`).
    pub lenient: bool,
}

impl ExportRequest {
    /// The endpoint at the server with this base. The base has no query, and its path ends with `/`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a Group id that would change the URL's structure.
    pub(crate) fn endpoint(&self, base: &Url) -> Result<Url, Error> {
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
        Ok(url)
    }

    /// Refuses what cannot mean what the caller wants.
    ///
    /// # Errors
    /// [`ErrorKind::Config`].
    pub(crate) fn check(&self, quirks: &Quirks) -> Result<(), Error> {
        let refused = |what: String, hint: &str| Err(Error::new(ErrorKind::Config, what).with_hint(hint));
        if let Some(bad) = self.types.iter().chain(&self.organize_output_by).find(|name| !is_type_name(name))
        {
            return refused(
                format!("{bad:?} is not the name of a resource type"),
                "names are like Patient or MedicationRequest",
            );
        }
        if let Some(bad) = self.elements.iter().find(|path| !is_root_element(path)) {
            return refused(
                format!("{bad:?} is not a root element"),
                "elements are like id, or Patient.birthDate for one type alone",
            );
        }
        if let Some(bad) = self.patients.iter().find(|id| !is_patient(id)) {
            return refused(format!("{bad:?} is not the id of a patient"), "ids are like a1 or Patient/a1");
        }
        if !self.patients.is_empty() && self.level == Level::System {
            let what = "single patients cannot be asked for at the level of the system".to_owned();
            return refused(what, "use the level of Patient or of a Group");
        }
        if quirks.groups_only && !matches!(self.level, Level::Group(_)) {
            let what = "this server exports Groups only".to_owned();
            return refused(what, "name a Group: `fhirlake groups list` shows them, if the server does");
        }
        if let Some(name) = self.names().into_iter().find(|name| quirks.refused_parameters.contains(name)) {
            return refused(format!("this server refuses {name}"), "leave it out");
        }
        self.check_filters(quirks)
    }

    fn check_filters(&self, quirks: &Quirks) -> Result<(), Error> {
        let mut filtered = HashSet::new();
        for filter in &self.type_filters {
            let name = type_filter::type_of(filter)?;
            if !self.types.is_empty() && !self.types.iter().any(|type_| type_ == name) {
                let what = format!("there is a filter for {name}, which is not among the types asked for");
                return Err(Error::new(ErrorKind::Config, what));
            }
            if !filtered.insert(name) && quirks.one_type_filter_per_type {
                let what = format!("this server takes one filter for {name}, and there are several");
                return Err(Error::new(ErrorKind::Config, what).with_hint("make an export for each"));
            }
        }
        Ok(())
    }

    /// The names of the parameters that have a value.
    pub(crate) fn names(&self) -> Vec<&str> {
        let set = [
            ("_type", !self.types.is_empty()),
            ("_since", self.since.is_some()),
            ("_until", self.until.is_some()),
            ("_typeFilter", !self.type_filters.is_empty()),
            ("_elements", !self.elements.is_empty()),
            ("patient", !self.patients.is_empty()),
            ("includeAssociatedData", !self.include_associated_data.is_empty()),
            ("organizeOutputBy", self.organize_output_by.is_some()),
            ("allowPartialManifests", self.partial_manifests),
        ];
        let named = set.into_iter().filter_map(|(name, has)| has.then_some(name));
        named.chain(self.parameters.iter().map(|(name, _)| name.as_str())).collect()
    }

    /// What may not do what the caller means. Nothing of it stops the export.
    pub(crate) fn warnings(&self, dialect: Dialect, quirks: &Quirks) -> Vec<String> {
        let mut warnings = Vec::new();
        for (name, value) in [("_since", &self.since), ("_until", &self.until)] {
            let odd = value.as_ref().filter(|value| chrono::DateTime::parse_from_rfc3339(value).is_err());
            if let Some(value) = odd {
                warnings.push(format!(
                    "{name} is sent as {value:?}, which is no instant (seconds and a time zone): servers may ignore it"
                ));
            }
        }
        if self.since.is_some() && quirks.never_reports_deletions {
            let what = "this server never reports what was deleted: only an export of everything finds it";
            warnings.push(what.to_owned());
        }
        for name in self.names() {
            let at_level = match self.level {
                Level::Group(_) => quirks.ignored_parameters_of_groups.contains(&name),
                _ => false,
            };
            if at_level || quirks.ignored_parameters.contains(&name) {
                warnings.push(format!("this server is known to ignore {name}"));
            } else if !dialect.has(name) {
                warnings
                    .push(format!("{name} is not of the server's version of the specification ({dialect})"));
            }
        }
        warnings
    }
}

pub(crate) fn is_type_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_root_element(path: &str) -> bool {
    let name = path.split_once('.').map_or(path, |(type_, name)| if is_type_name(type_) { name } else { "" });
    is_type_name(name)
}

fn is_patient(id: &str) -> bool {
    let id = id.strip_prefix("Patient/").unwrap_or(id);
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !id.is_empty() && id.bytes().all(legal)
}

pub(crate) fn group_id(id: &str) -> Result<&str, Error> {
    if id.is_empty() || id == "." || id == ".." || id.contains('/') {
        return Err(Error::new(ErrorKind::Config, format!("{id:?} is not the id of a Group"))
            .with_hint("give the id alone, without Group/ in front"));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(request: ExportRequest, quirks: &Quirks) -> bool {
        request.check(quirks).is_err_and(|error| error.kind() == ErrorKind::Config)
    }

    fn own(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn each_level_has_its_endpoint() {
        let base = Url::parse("https://h/fhir/").unwrap();
        let at =
            |level: Level| ExportRequest { level, ..Default::default() }.endpoint(&base).unwrap().to_string();
        assert_eq!(at(Level::System), "https://h/fhir/$export");
        assert_eq!(at(Level::Patient), "https://h/fhir/Patient/$export");
        assert_eq!(at(Level::Group("a b?".into())), "https://h/fhir/Group/a%20b%3F/$export");
        for id in ["", "..", "Group/1"] {
            let request = ExportRequest { level: Level::Group(id.into()), ..Default::default() };
            assert_eq!(request.endpoint(&base).unwrap_err().kind(), ErrorKind::Config, "{id}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let none = Quirks::default();
        for name in ["", "Patient,Group", "Patient&x=y"] {
            assert!(refused(ExportRequest { types: own(&[name]), ..Default::default() }, &none), "{name}");
        }
        for path in ["", "name.given", "Patient.name.given", "a b"] {
            let request = ExportRequest { elements: own(&[path]), ..Default::default() };
            assert_eq!(refused(request, &none), path != "name.given", "{path}");
        }
        let patients =
            |level, ids: &[&str]| ExportRequest { level, patients: own(ids), ..Default::default() };
        assert!(refused(patients(Level::System, &["a"]), &none));
        assert!(refused(patients(Level::Patient, &["a/b"]), &none));
        assert!(!refused(patients(Level::Patient, &["a", "Patient/b.c-1"]), &none));
        let filter = own(&["Observation?code=x"]);
        let request = ExportRequest { types: own(&["Patient"]), type_filters: filter, ..Default::default() };
        assert!(refused(request, &none));
    }

    #[test]
    fn what_a_version_does_not_have_is_a_warning() {
        let request = ExportRequest {
            since: Some("2024-01-01".into()),
            until: Some("2024-01-01T00:00:00Z".into()),
            ..Default::default()
        };
        let warnings = |dialect| request.warnings(dialect, &Quirks::default()).len();
        assert_eq!((warnings(Dialect::Stu2), warnings(Dialect::Stu3)), (2, 1));
    }
}
