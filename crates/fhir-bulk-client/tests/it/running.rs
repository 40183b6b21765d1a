//! A FHIR server that other people have written and that runs already: exports from it, and what they bring.
//!
//! It has the sample of the repository and a Group `half` of some of its patients, as `tests/real` puts them there. Its base
//! is in the environment, as `HAPI_BASE` for the server `hapi`.

use std::time::Duration;

use fhir_bulk_client::{
    Builder, BulkClient, Dialect, Error, ExportReport, ExportRequest, FolderOptions, KickOffMethod, Level,
    Quirks, ServerCheck,
};
use serde_json::Value;

/// The types that the tests ask for.
pub const TYPES: [&str; 2] = ["Patient", "Condition"];

/// An export, and the folder that it is in.
pub struct Exported {
    pub report: ExportReport,
    folder: tempfile::TempDir,
}

impl Exported {
    /// How many resources of a type came.
    pub fn count(&self, type_: &str) -> u64 {
        self.report.resources.get(type_).copied().unwrap_or(0)
    }

    /// The resources of a type.
    pub fn resources(&self, type_: &str) -> Vec<Value> {
        let files = self.report.files.iter().filter(|file| file.type_.as_deref() == Some(type_));
        let text = files.map(|file| std::fs::read_to_string(self.folder.path().join(&file.name)).unwrap());
        text.flat_map(|text| text.split_terminator('\n').map(json).collect::<Vec<_>>()).collect()
    }

    /// The ids of the resources of a type, sorted.
    pub fn ids(&self, type_: &str) -> Vec<String> {
        let mut ids: Vec<_> = self
            .resources(type_)
            .iter()
            .map(|resource| resource["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    }

    /// Whether a parameter was found not to be applied.
    pub fn ignored(&self, parameter: &str) -> bool {
        self.report.contradictions.iter().any(|one| one.parameter == parameter && one.is_ignored())
    }

    /// Whether a warning has these words.
    pub fn warns(&self, words: &str) -> bool {
        self.report.warnings.iter().any(|warning| warning.contains(words))
    }
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// Settings for the server of this name.
pub fn builder(server: &str) -> Builder {
    let base = std::env::var(format!("{}_BASE", server.to_uppercase())).unwrap().parse().unwrap();
    BulkClient::builder(base).max_poll_interval(Duration::from_secs(1))
}

/// A client that speaks to the server as it was found to be, and what was found.
pub async fn client(server: &str) -> (BulkClient, ServerCheck) {
    let mut client = builder(server).build().unwrap();
    let check = client.check().await.unwrap();
    assert_eq!(check.server, Some(server));
    client.adopt(&check);
    (client, check)
}

/// Every way to send a kick-off: by either method, with lists joined by commas and, unless the flags forbid it, repeated.
pub fn forms(server: &str, quirks: &Quirks) -> Vec<(String, BulkClient)> {
    let methods = [KickOffMethod::Get, KickOffMethod::Post];
    let forms = methods.into_iter().flat_map(|method| [(method, Dialect::Stu2), (method, Dialect::Stu4)]);
    let client = |(method, dialect): (KickOffMethod, Dialect)| {
        let builder = builder(server).kick_off_method(method).dialect(dialect).quirks(quirks.clone());
        (format!("{method:?} as in {dialect}"), builder.build().unwrap())
    };
    forms.map(client).collect()
}

pub fn request(level: Level, types: &[&str]) -> ExportRequest {
    ExportRequest { level, types: own(types), ..Default::default() }
}

pub fn own(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

pub fn half() -> Level {
    Level::Group("half".into())
}

pub async fn export(client: &BulkClient, request: &ExportRequest) -> Result<Exported, Error> {
    let folder = tempfile::tempdir().unwrap();
    let report = client.export_to(request, folder.path(), FolderOptions::default(), |_| ()).await?;
    Ok(Exported { report, folder })
}
