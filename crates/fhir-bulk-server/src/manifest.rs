//! The manifest of a finished job, or one page of it.
//!
//! Specification: Bulk Data 2.0.0 and 3.0.0, section "Response - Complete Status"; faults make it one of 4.0.0.

use serde_json::{Map, Value, json};

use crate::clock::format_instant;
use crate::fault::Fault;
use crate::job::{Job, JobFile, Section};

/// The `manifestType` of 4.0.0.
const MANIFEST_TYPE: &str = "http://hl7.org/fhir/uv/bulkdata/StructureDefinition/BulkDataManifest";

/// What a manifest says besides what the job holds.
pub(crate) struct Page<'a> {
    /// Which page it is, counted from 0.
    pub(crate) number: usize,
    /// How many files a page holds; 0 is no limit.
    pub(crate) files_per_page: usize,
    pub(crate) requires_access_token: bool,
    /// The URL of the file of this name.
    pub(crate) file_url: &'a dyn Fn(&str) -> String,
    /// The URL of a page.
    pub(crate) page_url: &'a dyn Fn(usize) -> String,
    /// Whether a fault strikes this request.
    pub(crate) strikes: &'a dyn Fn(Fault) -> bool,
}

/// The manifest, or `None` if there is no such page.
pub(crate) fn manifest(job: &Job, page: &Page<'_>) -> Option<Value> {
    let limit = if page.files_per_page == 0 { usize::MAX } else { page.files_per_page };
    let start = page.number.checked_mul(limit)?;
    if start > 0 && start >= job.files.len() {
        return None;
    }
    let files: Vec<&JobFile> = job.files.iter().skip(start).take(limit).map(AsRef::as_ref).collect();
    let mut manifest = Map::new();
    if (page.strikes)(Fault::BallotMembers) {
        manifest.insert("manifestType".to_owned(), json!(MANIFEST_TYPE));
        manifest.insert("outputFormat".to_owned(), json!("application/fhir+ndjson"));
    }
    transaction_time(&mut manifest, job, page);
    if !(page.strikes)(Fault::NoRequest) {
        manifest.insert("request".to_owned(), json!(job.request));
    }
    manifest.insert("requiresAccessToken".to_owned(), token_flag(page));
    if job.by_patient {
        manifest.insert("outputOrganizedBy".to_owned(), json!("Patient"));
    }
    sections(&mut manifest, job, &files, page);
    let last = job.files.len() <= start.saturating_add(limit);
    let next = match () {
        () if (page.strikes)(Fault::LinkLoop) => Some(page.number),
        () => (!last).then_some(page.number + 1),
    };
    if let Some(next) = next {
        manifest.insert("link".to_owned(), json!([{"relation": "next", "url": (page.page_url)(next)}]));
    }
    extend(&mut manifest, page);
    Some(Value::Object(manifest))
}

fn transaction_time(manifest: &mut Map<String, Value>, job: &Job, page: &Page<'_>) {
    let time = job.transaction_time;
    let offset = chrono::FixedOffset::east_opt(2 * 60 * 60);
    let text = match () {
        () if (page.strikes)(Fault::TimeMissing) => return,
        () if (page.strikes)(Fault::TimeNanoseconds) => {
            time.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)
        }
        () if (page.strikes)(Fault::TimeOffset) => {
            offset.map_or_else(String::new, |zone| time.with_timezone(&zone).to_rfc3339())
        }
        () if (page.strikes)(Fault::TimeDateOnly) => time.format("%Y-%m-%d").to_string(),
        () if (page.strikes)(Fault::TimeGarbage) => "just now".to_owned(),
        () if (page.strikes)(Fault::TimeLate) => format_instant(time + chrono::Duration::minutes(10)),
        () if page.number > 0 && (page.strikes)(Fault::PageTimeDiffers) => {
            format_instant(time + chrono::Duration::seconds(1))
        }
        () => format_instant(time),
    };
    manifest.insert("transactionTime".to_owned(), json!(text));
}

fn token_flag(page: &Page<'_>) -> Value {
    let flag = page.requires_access_token || (page.strikes)(Fault::TokenFlagTrue);
    if (page.strikes)(Fault::TokenFlagString) { json!(flag.to_string()) } else { json!(flag) }
}

fn sections(manifest: &mut Map<String, Value>, job: &Job, files: &[&JobFile], page: &Page<'_>) {
    let entries = Entries::new(job, page);
    let of = |section: Section| -> Vec<Value> {
        files.iter().filter(|file| file.section == section).map(|file| entries.entry(file)).collect()
    };
    let mut output = of(Section::Output);
    if (page.strikes)(Fault::RepeatedFile) {
        output.extend(output.first().cloned());
    }
    if (page.strikes)(Fault::EmptyOutput) {
        output.clear();
    }
    if !(page.strikes)(Fault::NoOutput) {
        manifest.insert("output".to_owned(), json!(output));
    }
    if !(page.strikes)(Fault::NoDeleted) {
        manifest.insert("deleted".to_owned(), json!(of(Section::Deleted)));
    }
    let error = of(Section::Error);
    if (page.strikes)(Fault::OutcomeKey) {
        manifest.insert("outcome".to_owned(), json!(error));
    } else if !(page.strikes)(Fault::NoError) {
        manifest.insert("error".to_owned(), json!(error));
    }
}

/// How the entries of this manifest look.
struct Entries<'a> {
    by_patient: bool,
    typed_sections: bool,
    count: bool,
    size: bool,
    more: usize,
    relative: bool,
    extension: Option<Value>,
    page: &'a Page<'a>,
}

impl<'a> Entries<'a> {
    fn new(job: &Job, page: &'a Page<'a>) -> Entries<'a> {
        Entries {
            by_patient: job.by_patient,
            typed_sections: !(page.strikes)(Fault::NoSectionType),
            count: !(page.strikes)(Fault::NoCount),
            size: (page.strikes)(Fault::BallotMembers),
            more: if (page.strikes)(Fault::WrongCount) { 3 } else { 0 },
            relative: (page.strikes)(Fault::RelativeUrls),
            extension: extension(page),
            page,
        }
    }

    fn entry(&self, file: &JobFile) -> Value {
        let mut url = (self.page.file_url)(&file.name);
        if self.relative
            && let Ok(absolute) = url::Url::parse(&url)
        {
            let query = absolute.query().map(|query| format!("?{query}")).unwrap_or_default();
            url = format!("{}{query}", absolute.path());
        }
        let mut entry = json!({"url": url});
        let output = file.section == Section::Output;
        if (output && !self.by_patient) || (!output && self.typed_sections) {
            entry["type"] = json!(file.resource_type);
        }
        if self.count {
            entry["count"] = json!(file.count + self.more);
        }
        if self.size {
            entry["fileSize"] = json!(file.byte_length());
        }
        if let Some(next) = &file.continues_in {
            entry["continuesInFile"] = json!((self.page.file_url)(next));
        }
        if let Some(extension) = &self.extension {
            entry["extension"] = extension.clone();
        }
        entry
    }
}

fn extension(page: &Page<'_>) -> Option<Value> {
    let url = "http://example.org/fhir/StructureDefinition/export-note";
    match () {
        () if (page.strikes)(Fault::ExtensionObject) => Some(json!({(url): {"note": "exported at night"}})),
        () if (page.strikes)(Fault::ExtensionArray) => {
            Some(json!([{"url": url, "valueString": "exported at night"}]))
        }
        () => None,
    }
}

fn extend(manifest: &mut Map<String, Value>, page: &Page<'_>) {
    if let Some(extension) = extension(page) {
        manifest.insert("extension".to_owned(), extension);
    }
    if (page.strikes)(Fault::UnknownMembers) {
        manifest.insert("message".to_owned(), json!("Export complete"));
        manifest.insert("statistics".to_owned(), json!({"seconds": 2}));
    }
}
