//! `lake.json`: whose data a lake holds. A lake holds what **one** server shows to **one** identity; two of either would
//! mix ids that mean different things.

use std::collections::{BTreeMap, BTreeSet};

use fhir_arrow::TableSchema;
use fhir_bulk_client::Grant;
use fhir_definitions::{Definitions, FhirVersion};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::TableConfig;
use crate::error::{Error, Result};

/// The layout of paths and tables that this program writes.
const LAYOUT: u32 = 1;

/// The alias of a lake that was made from files.
const LOCAL: &str = "local";

/// The content of `lake.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The version of the lake's layout.
    pub layout: u32,
    /// The FHIR version of its tables: `4.0.1`.
    pub fhir_version: String,
    /// The server's base URL; none as long as only files came in.
    pub server: Option<Url>,
    /// The server's short name: the column `__source`.
    pub alias: String,
    /// The client id, with backend services.
    pub client_id: Option<String>,
    /// The scopes that the server granted.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether the user gave the alias, rather than the server's name.
    #[serde(skip)]
    pub alias_given: bool,
    /// Whether the user said how rows leave the files.
    #[serde(skip)]
    pub upsert_given: bool,
    /// Whether the FHIR version is known, rather than assumed.
    #[serde(skip)]
    pub version_known: bool,
    /// Resource type → how its table was made, where that is configured.
    #[serde(default)]
    pub tables: BTreeMap<String, TableConfig>,
    /// How rows leave the data files of the resource types' tables: decided when the lake is made.
    #[serde(default)]
    pub upsert: UpsertMode,
    /// Whether `fhirlake demo` made this lake and may replace it.
    #[serde(default)]
    pub demo: bool,
}

/// How the rows that a run takes away leave a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum UpsertMode {
    /// By deletion vectors: a change costs what it changes. Readers have to know them.
    #[default]
    DeletionVectors,
    /// Files are written again: every reader of Delta tables reads them.
    CopyOnWrite,
}

impl std::fmt::Display for UpsertMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DeletionVectors => "deletion-vectors",
            Self::CopyOnWrite => "copy-on-write",
        })
    }
}

impl From<UpsertMode> for delta_upsert::Mode {
    fn from(mode: UpsertMode) -> Self {
        match mode {
            UpsertMode::DeletionVectors => Self::DeletionVectors,
            UpsertMode::CopyOnWrite => Self::CopyOnWrite,
        }
    }
}

impl Identity {
    /// The identity of data out of files, whose server may be known.
    pub fn of_files(server: Option<Url>, alias: Option<String>) -> Self {
        Self::new(server, alias, LOCAL)
    }

    /// The identity of a server's data.
    pub fn of_server(server: Url, alias: Option<String>) -> Self {
        let host = server.host_str().unwrap_or(LOCAL).to_owned();
        Self::new(Some(server), alias, &host)
    }

    /// The identity of data of this FHIR version, if it is known; otherwise a new lake is taken to hold R4.
    pub fn of_version(self, version: Option<FhirVersion>) -> Self {
        match version {
            Some(version) => Self { fhir_version: version.number().to_owned(), version_known: true, ..self },
            None => self,
        }
    }

    /// The identity that an authorization server knows.
    pub fn with_grant(self, grant: Option<&Grant>) -> Self {
        match grant {
            Some(grant) => Self { scopes: grant.scopes().iter().map(str::to_owned).collect(), ..self },
            None => self,
        }
    }

    /// The identity of a client.
    pub fn of_client(self, client_id: Option<String>) -> Self {
        Self { client_id, ..self }
    }

    /// The identity with tables that are made as configured.
    pub fn with_tables(self, tables: &BTreeMap<String, TableConfig>) -> Self {
        Self { tables: tables.clone(), ..self }
    }

    /// The identity of a lake whose rows leave its files like this, if it is said.
    pub fn with_upsert(self, upsert: Option<UpsertMode>) -> Self {
        match upsert {
            Some(upsert) => Self { upsert, upsert_given: true, ..self },
            None => self,
        }
    }

    /// The same with the tables that `wanted` configures. One that is there already is not made anew in passing.
    pub(super) fn with_tables_of(mut self, wanted: &Self, existing: &BTreeSet<String>) -> Result<Self> {
        for (name, table) in &wanted.tables {
            let ours = self.tables.get(name).cloned().unwrap_or_default();
            if ours != *table && existing.contains(name) {
                return Err(Error::Refused(format!(
                    "the table {name} has other columns than are configured: make it anew with `fhirlake rebuild --tables \
                     {name}`, or take [tables.{name}] back"
                )));
            }
            self.tables.insert(name.clone(), table.clone());
        }
        Ok(self)
    }

    /// Whether the configured columns can be.
    pub(crate) fn check_tables(&self) -> Result<()> {
        let definitions = Definitions::of(self.fhir_version());
        for (name, table) in &self.tables {
            TableSchema::with_columns(definitions, name, &table.columns)
                .map_err(|error| Error::Refused(format!("[tables.{name}]: {error}")))?;
        }
        Ok(())
    }

    /// Marks the lake as one of `fhirlake demo`.
    pub fn as_demo(self) -> Self {
        Self { demo: true, ..self }
    }

    fn new(server: Option<Url>, alias: Option<String>, default_alias: &str) -> Self {
        Self {
            layout: LAYOUT,
            fhir_version: FhirVersion::R4.number().to_owned(),
            server: server.map(without_slash),
            alias_given: alias.is_some(),
            alias: alias.unwrap_or_else(|| default_alias.to_owned()),
            version_known: false,
            client_id: None,
            scopes: Vec::new(),
            tables: BTreeMap::new(),
            upsert: UpsertMode::default(),
            upsert_given: false,
            demo: false,
        }
    }

    /// The identity of this lake once `wanted` has written to it: a lake of files takes the server of its first export.
    pub(super) fn admit(&self, wanted: &Self) -> Result<Self> {
        if self.demo && !wanted.demo {
            return Err(Error::Refused(
                "this is the lake of a demo, which the next `fhirlake demo` replaces: choose another --lake"
                    .to_owned(),
            ));
        }
        if wanted.alias_given && wanted.alias != self.alias {
            return Err(Error::Refused(format!(
                "this lake calls its data {:?}, not {:?}: leave --alias out, or choose another --lake",
                self.alias, wanted.alias
            )));
        }
        if wanted.version_known && wanted.fhir_version() != self.fhir_version() {
            return Err(Error::Refused(format!(
                "this lake holds FHIR {}, and what comes is FHIR {}: two versions are two lakes; choose another --lake",
                self.fhir_version, wanted.fhir_version
            )));
        }
        if wanted.upsert_given && wanted.upsert != self.upsert {
            return Err(Error::Refused(format!(
                "rows leave this lake's files by {}, and its tables keep that for ever: leave --upsert out, or choose another \
                 --lake",
                self.upsert
            )));
        }
        match (&self.server, &wanted.server) {
            (_, None) => Ok(self.clone()),
            // Its rows have its alias already, and keep it.
            (None, Some(_)) => Ok(Self {
                server: wanted.server.clone(),
                client_id: wanted.client_id.clone(),
                scopes: wanted.scopes.clone(),
                ..self.clone()
            }),
            (Some(ours), Some(theirs)) if ours == theirs => self.admit_client(wanted),
            (Some(ours), Some(theirs)) => Err(Error::Refused(format!(
                "this lake holds the data of {}, not of {}: two servers are two lakes; choose another --lake",
                fhir_bulk_client::redact(ours),
                fhir_bulk_client::redact(theirs)
            ))),
        }
    }

    /// The same server as the same client. What it was granted last is recorded.
    fn admit_client(&self, wanted: &Self) -> Result<Self> {
        if let (Some(ours), Some(theirs)) = (&self.client_id, &wanted.client_id)
            && ours != theirs
        {
            return Err(Error::Refused(format!(
                "this lake holds what the client {ours} sees, not what {theirs} does: two identities are two lakes; choose \
                 another --lake"
            )));
        }
        let scopes = if wanted.scopes.is_empty() { &self.scopes } else { &wanted.scopes };
        let client_id = self.client_id.clone().or_else(|| wanted.client_id.clone());
        Ok(Self { client_id, scopes: scopes.clone(), ..self.clone() })
    }

    /// The FHIR version of the lake's tables.
    pub fn fhir_version(&self) -> FhirVersion {
        FhirVersion::from_fhir_version(&self.fhir_version).unwrap_or(FhirVersion::R4)
    }

    pub(super) fn check_layout(&self) -> Result<()> {
        if FhirVersion::from_fhir_version(&self.fhir_version).is_none() {
            return Err(Error::Refused(format!(
                "this lake holds FHIR {}, which this version of fhirlake does not know",
                self.fhir_version
            )));
        }
        if self.layout == LAYOUT {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "this lake has layout {}, and this program knows layout {LAYOUT}: use the version of fhirlake that made it",
            self.layout
        )))
    }
}

/// `…/fhir/` and `…/fhir` are the same base.
fn without_slash(mut base: Url) -> Url {
    let path = base.path().trim_end_matches('/').to_owned();
    base.set_path(&path);
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Identity {
        Identity::of_server(url.parse().unwrap(), None)
    }

    #[test]
    fn a_lake_of_files_takes_the_server_of_its_first_export() {
        let files = Identity::of_files(None, None);
        let admitted = files.admit(&server("https://ehr.example.org/fhir/")).unwrap();
        assert_eq!(admitted.server, server("https://ehr.example.org/fhir").server);
        assert_eq!(admitted.alias, "local", "one lake has one __source");
    }

    #[test]
    fn another_server_is_refused_and_files_are_not() {
        let ours = server("https://ehr.example.org/fhir");
        let refused = ours.admit(&server("https://other.example.org/fhir")).unwrap_err();
        assert!(matches!(refused, Error::Refused(_)));
        assert_eq!(ours.admit(&Identity::of_files(None, None)).unwrap(), ours);
    }

    #[test]
    fn another_client_is_refused_and_what_it_is_granted_is_recorded() {
        let of = |client: &str| server("https://ehr.example.org/fhir").of_client(Some(client.to_owned()));
        let ours = server("https://ehr.example.org/fhir").admit(&of("one")).unwrap();
        assert_eq!(ours.client_id.as_deref(), Some("one"));
        assert!(matches!(ours.admit(&of("two")), Err(Error::Refused(_))));
        let granted = Identity { scopes: vec!["system/*.rs".into()], ..of("one") };
        assert_eq!(ours.admit(&granted).unwrap().scopes, ["system/*.rs"]);
    }

    #[test]
    fn another_alias_is_refused_rather_than_ignored() {
        let ours = Identity::of_files(None, Some("ward".into()));
        assert!(matches!(
            ours.admit(&Identity::of_files(None, Some("other".into()))),
            Err(Error::Refused(_))
        ));
        assert!(ours.admit(&Identity::of_files(None, None)).is_ok());
    }

    #[test]
    fn another_fhir_version_is_refused_where_it_is_known() {
        let ours = Identity::of_files(None, None).of_version(Some(FhirVersion::R5));
        assert_eq!(ours.fhir_version, "5.0.0");
        let theirs = |version| Identity::of_files(None, None).of_version(version);
        assert!(matches!(ours.admit(&theirs(Some(FhirVersion::R4))), Err(Error::Refused(_))));
        assert!(ours.admit(&theirs(Some(FhirVersion::R5))).is_ok());
        assert_eq!(ours.admit(&theirs(None)).unwrap().fhir_version, "5.0.0");
    }

    #[test]
    fn another_way_for_rows_to_leave_is_refused() {
        let ours = Identity::of_files(None, None).with_upsert(Some(UpsertMode::CopyOnWrite));
        let theirs = |mode| Identity::of_files(None, None).with_upsert(mode);
        let refused = ours.admit(&theirs(Some(UpsertMode::DeletionVectors))).unwrap_err().to_string();
        assert!(refused.contains("by copy-on-write"), "{refused}");
        assert_eq!(ours.admit(&theirs(None)).unwrap().upsert, UpsertMode::CopyOnWrite);
    }

    #[test]
    fn a_lake_of_another_layout_is_refused() {
        let newer = Identity { layout: 9, ..Identity::of_files(None, None) };
        assert!(newer.check_layout().unwrap_err().to_string().contains("layout 9"));
    }
}
