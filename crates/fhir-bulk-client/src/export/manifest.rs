//! The manifest ([complete status](https://hl7.org/fhir/uv/bulkdata/export.html#response---complete-status)): which
//! files an export has, and as of when.
//!
//! Three versions of the specification are in use, and servers deviate from each. Versions 2 and 3 have `error`, the
//! ballot of version 4 renames it to `outcome`; `type` may be absent; `extension` is an object or an array; booleans
//! and numbers have been seen as strings. Only `transactionTime` is demanded: without it nothing can be said about
//! what the next export has to ask for. Unknown members are ignored; [`Page::raw`](crate::Page::raw) keeps them.

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::error::{Error, ErrorKind};
use crate::lenient;
use crate::outcome::OperationOutcome;

/// One page of a manifest. Most servers send a single one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The server's time of the export, as it was written: what the next export sends as `_since`.
    pub transaction_time: String,
    /// Whether the files want the token. A manifest that does not say is taken to say no.
    #[serde(default, deserialize_with = "says_yes")]
    pub requires_access_token: bool,
    /// The kick-off URL as the server recorded it (not in version 4).
    #[serde(default)]
    pub request: Option<String>,
    /// The element that files are grouped by, if that was asked for; their `type` is absent then.
    #[serde(default)]
    pub output_organized_by: Option<String>,
    /// The files with resources.
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    pub output: Vec<OutputFile>,
    /// The files with Bundles of what was deleted.
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    pub deleted: Vec<OutputFile>,
    /// The files with OperationOutcomes, by the name of versions 2 and 3. See [`Manifest::outcomes`].
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    pub error: Vec<OutputFile>,
    /// The files with OperationOutcomes, by the name of version 4. See [`Manifest::outcomes`].
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    pub outcome: Vec<OutputFile>,
    /// Other manifests that belong to this one; `next` is the following page.
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    pub link: Vec<Link>,
    /// Extensions: an object in versions 2 and 3, an array in version 4.
    #[serde(default)]
    pub extension: Option<serde_json::Value>,
}

/// One file of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputFile {
    /// The type of the file's resources, absent where the specification has none (`organizeOutputBy`; `deleted` and
    /// `outcome` of version 4).
    #[serde(rename = "type", default)]
    pub type_: Option<String>,
    /// Where the file is. [`BulkClient::wait`](crate::BulkClient::wait) makes it absolute; in a manifest that was
    /// parsed alone it is as the server wrote it.
    pub url: String,
    /// How many resources the server says the file has.
    #[serde(default, deserialize_with = "lenient::count")]
    pub count: Option<u64>,
    /// How many bytes the server says the file has (version 4); whether compressed or not is not specified.
    #[serde(default, deserialize_with = "lenient::count")]
    pub file_size: Option<u64>,
    /// The URL of the file that goes on where this one ends (`organizeOutputBy`).
    #[serde(default)]
    pub continues_in_file: Option<String>,
    /// Extensions: an object in versions 2 and 3, an array in version 4.
    #[serde(default)]
    pub extension: Option<serde_json::Value>,
}

/// The part of a manifest that a file is named in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Section {
    /// Resources.
    Output,
    /// Bundles of what was deleted.
    Deleted,
    /// OperationOutcomes: `error` or `outcome`.
    Outcome,
}

/// A link of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Link {
    /// What it leads to, for example `next`; empty if the server does not say.
    #[serde(default)]
    pub relation: String,
    /// Where it leads.
    pub url: String,
}

impl Manifest {
    /// Reads a manifest, also one that was saved as a file.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] if `bytes` are no JSON, have no `transactionTime`, or have a member of a wrong type.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        serde_json::from_slice(bytes).map_err(|error| {
            let outcome = OperationOutcome::parse(bytes).map(|outcome| outcome.text());
            Error::new(ErrorKind::Protocol, format!("this is not an export manifest: {error}"))
                .with_diagnostics(outcome)
        })
    }

    /// The files with OperationOutcomes, by whichever name the server's version has for them.
    pub fn outcomes(&self) -> impl Iterator<Item = &OutputFile> {
        self.error.iter().chain(&self.outcome)
    }

    /// The URL of the next page, as it is written.
    pub fn next(&self) -> Option<&str> {
        self.link.iter().find(|link| link.relation == "next").map(|link| link.url.as_str())
    }

    /// [`Manifest::transaction_time`] as a time, for comparing it; what is sent back is the literal.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] if it is no [instant](https://hl7.org/fhir/R4/datatypes.html#instant). Nothing may
    /// stand in for it then, the present time least of all: the next export would miss changes.
    pub fn transaction_instant(&self) -> Result<DateTime<FixedOffset>, Error> {
        let literal = self.transaction_time.as_str();
        let instant = DateTime::parse_from_rfc3339(literal).ok().filter(|at| is_in_fhirs_form(literal, at));
        instant.ok_or_else(|| {
            let literal = crate::outcome::one_line(literal);
            Error::new(
                ErrorKind::Protocol,
                format!("the manifest's transactionTime {literal:?} is not an instant"),
            )
        })
    }

    /// Makes the URLs of all files absolute, for servers that send relative ones.
    pub(crate) fn resolve_urls(&mut self, page: &Url) {
        let sections = [&mut self.output, &mut self.deleted, &mut self.error, &mut self.outcome];
        for file in sections.into_iter().flatten() {
            if let Ok(absolute) = page.join(&file.url) {
                file.url = absolute.into();
            }
        }
    }
}

/// RFC 3339 takes a blank or a small letter for `T`, a small `z`, and offsets that no place has; FHIR takes none of them.
fn is_in_fhirs_form(literal: &str, at: &DateTime<FixedOffset>) -> bool {
    literal.as_bytes().get(10) == Some(&b'T')
        && !literal.ends_with('z')
        && at.offset().local_minus_utc().abs() <= 14 * 3600
}

fn says_yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(lenient::boolean(deserializer)?.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimal(more: &str) -> Result<Manifest, Error> {
        Manifest::parse(format!(r#"{{"transactionTime":"2026-11-23T17:12:54Z"{more}}}"#).as_bytes())
    }

    #[test]
    fn a_transaction_time_is_enough() {
        let manifest = minimal("").unwrap();
        assert!(!manifest.requires_access_token);
        assert!(
            manifest.output.is_empty() && manifest.outcomes().next().is_none() && manifest.next().is_none()
        );
    }

    #[test]
    fn nulls_and_values_written_as_strings_are_read() {
        let manifest = minimal(
            r#","requiresAccessToken":"True","output":[{"type":"Patient","url":"a","count":"12"},
               {"url":"b","count":null}],"deleted":null,"error":null,"link":null,"message":"unknown member""#,
        )
        .unwrap();
        assert!(manifest.requires_access_token);
        assert_eq!(manifest.output[0].count, Some(12));
        assert_eq!((manifest.output[1].count, manifest.output[1].type_.as_deref()), (None, None));
    }

    #[test]
    fn error_and_outcome_are_the_same_thing() {
        let manifest =
            minimal(r#","error":[{"type":"OperationOutcome","url":"e"}],"outcome":[{"url":"o"}]"#).unwrap();
        let urls: Vec<&str> = manifest.outcomes().map(|file| file.url.as_str()).collect();
        assert_eq!(urls, ["e", "o"]);
    }

    #[test]
    fn relative_urls_are_resolved_against_the_page() {
        let mut manifest =
            minimal(r#","output":[{"url":"files/1"},{"url":"/f/2"},{"url":"https://s3.example/3"}]"#)
                .unwrap();
        manifest.resolve_urls(&Url::parse("https://h/fhir/poll?job=1").unwrap());
        let urls: Vec<&str> = manifest.output.iter().map(|file| file.url.as_str()).collect();
        assert_eq!(urls, ["https://h/fhir/files/1", "https://h/f/2", "https://s3.example/3"]);
    }

    #[test]
    fn transaction_time_is_kept_literally_and_never_replaced() {
        let manifest = minimal("").unwrap();
        assert_eq!(manifest.transaction_time, "2026-11-23T17:12:54Z");
        assert_eq!(manifest.transaction_instant().unwrap().timestamp(), 1_795_453_974);
        let odd = Manifest::parse(br#"{"transactionTime":"yesterday"}"#).unwrap();
        insta::assert_snapshot!(odd.transaction_instant().unwrap_err(), @r#"the manifest's transactionTime "yesterday" is not an instant"#);
        for literal in [
            "2026-06-01 00:00:00Z",
            "2026-06-01t00:00:00Z",
            "2026-06-01T00:00:00z",
            "2026-06-01T00:00:00+15:00",
        ] {
            let manifest = Manifest { transaction_time: literal.to_owned(), ..odd.clone() };
            assert!(manifest.transaction_instant().is_err(), "{literal}");
        }
    }

    #[test]
    fn what_is_no_manifest_is_an_error_that_says_why() {
        let error = |body: &str| Manifest::parse(body.as_bytes()).unwrap_err();
        insta::assert_snapshot!(error(r#"{"output":[]}"#), @"this is not an export manifest: missing field `transactionTime` at line 1 column 13");
        insta::assert_snapshot!(error("<html>"), @"this is not an export manifest: expected value at line 1 column 1");
        insta::assert_snapshot!(
            error(r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing"}]}"#), @r#"this is not an export manifest: missing field `transactionTime` at line 1 column 86. The server says: "error processing: no details""#
        );
        insta::assert_snapshot!(minimal(r#","output":[{"type":"Patient"}]"#).unwrap_err(), @"this is not an export manifest: missing field `url` at line 1 column 70");
        insta::assert_snapshot!(minimal(r#","output":[{"url":"a","count":-1}]"#).unwrap_err(), @"this is not an export manifest: a count or size is no whole number at line 1 column 74");
    }
}
