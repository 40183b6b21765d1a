//! What the lines of a file are, so that what is no data never becomes data: a login page, an XML document, a Binary
//! that wraps the file, an OperationOutcome in the file's place, resources of another type, a line that was cut.
//!
//! It looks at each line as it passes by. Where `resourceType` stands first, which is nearly everywhere, it looks no
//! further than that; other lines are read to their end. Memory: the line that is not ended yet.

use std::borrow::Cow;
use std::collections::BTreeMap;

use memchr::{memchr, memrchr};
use serde::{Deserialize, Serialize};

use super::manifest::{OutputFile, Section};
use crate::outcome::{OperationOutcome, one_line};

/// What the lines of a file are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Contents {
    /// How many lines are resources of each type.
    pub types: BTreeMap<String, u64>,
    /// How many lines are no resources: no JSON, or JSON without a `resourceType`.
    pub unreadable_lines: u64,
    /// In a file of OperationOutcomes: how many issues have each severity.
    pub severities: BTreeMap<String, u64>,
}

/// Looks at the lines of one file.
pub(crate) struct Inspector {
    section: Section,
    expected: Option<String>,
    contents: Contents,
    line_number: u64,
    /// The beginning of the line that is not ended yet.
    open: Vec<u8>,
    /// The last type, and how many lines in a row have it: files have one type.
    run: (String, u64),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    resource_type: Cow<'a, str>,
}

impl Inspector {
    pub(crate) fn new(section: Section, file: &OutputFile) -> Self {
        let expected = match section {
            Section::Output => file.type_.clone(),
            Section::Deleted => Some("Bundle".to_owned()),
            Section::Outcome => Some("OperationOutcome".to_owned()),
        };
        Self {
            section,
            expected,
            contents: Contents::default(),
            line_number: 0,
            open: Vec::new(),
            run: Default::default(),
        }
    }

    /// Looks at the next bytes of the file.
    ///
    /// # Errors
    /// Why this is no data.
    pub(crate) fn update(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Some(last) = memrchr(b'\n', bytes) else {
            self.open.extend_from_slice(bytes);
            return Ok(());
        };
        let (mut lines, rest) = bytes.split_at(last + 1);
        while let Some(end) = memchr(b'\n', lines) {
            let line = &lines[..end];
            if self.open.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.open);
                whole.extend_from_slice(line);
                self.line(&whole)?;
                whole.clear();
                self.open = whole;
            }
            lines = &lines[end + 1..];
        }
        self.open.extend_from_slice(rest);
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        self.line_number += 1;
        // A byte order mark in front of the first line is no part of it.
        let line =
            if self.line_number == 1 { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        let head = match leading_type(line) {
            Some(name) => Some(Cow::Borrowed(name)),
            None => serde_json::from_slice::<Head>(line).ok().map(|head| head.resource_type),
        };
        let Some(name) = head else {
            self.contents.unreadable_lines += 1;
            return self.unreadable(line);
        };
        self.known(&name)?;
        if self.section == Section::Outcome && name == "OperationOutcome" {
            for severity in OperationOutcome::parse(line).iter().flat_map(OperationOutcome::severities) {
                *self.contents.severities.entry(severity.to_owned()).or_default() += 1;
            }
        }
        Ok(())
    }

    fn unreadable(&self, line: &[u8]) -> Result<(), String> {
        // Other lines may be damaged one by one; a document that is none of ours shows at its first.
        match (self.line_number, line.first()) {
            (1, Some(b'<')) => Err("it is a page or an XML document".to_owned()),
            (1, Some(b'[')) => Err("it is a JSON array".to_owned()),
            _ => Ok(()),
        }
    }

    fn known(&mut self, name: &str) -> Result<(), String> {
        if self.run.0 == name {
            self.run.1 += 1;
            return Ok(());
        }
        self.end_run();
        self.run = (name.to_owned(), 1);
        let expected = self.expected.as_deref();
        match name {
            "OperationOutcome" if self.section == Section::Output && expected != Some(name) => {
                Err(format!("line {} is an OperationOutcome", self.line_number))
            }
            "Binary" if self.line_number == 1 && expected.is_some_and(|expected| expected != name) => {
                Err("it is a Binary, which wraps the file instead of being it".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn end_run(&mut self) {
        let (name, lines) = std::mem::take(&mut self.run);
        if lines > 0 {
            *self.contents.types.entry(name).or_default() += lines;
        }
    }

    /// Whether what has passed by may be the beginning of a file that was cut within a line.
    pub(crate) fn ends_within_a_line(&mut self) -> Result<bool, String> {
        let last = std::mem::take(&mut self.open);
        self.line(&last)?;
        // The last line may lack its `\n`, but not its end.
        let has_line = !last.trim_ascii().is_empty();
        Ok(has_line && serde_json::from_slice::<serde::de::IgnoredAny>(last.trim_ascii()).is_err())
    }

    /// Ends the inspection, after [`Inspector::ends_within_a_line`].
    ///
    /// # Errors
    /// Why this is no data.
    pub(crate) fn finish(mut self) -> Result<Contents, String> {
        self.end_run();
        let Contents { types, unreadable_lines, .. } = &self.contents;
        if types.is_empty() && *unreadable_lines > 0 {
            return Err("no line of it is a resource".to_owned());
        }
        if let Some(expected) = &self.expected
            && !types.is_empty()
            && !types.contains_key(expected)
        {
            let names: Vec<_> = types.keys().map(String::as_str).collect();
            return Err(format!("it has {} instead of {expected}", one_line(&names.join(", "))));
        }
        Ok(self.contents)
    }
}

/// The type in `{"resourceType":"Patient"`, if the line begins so.
fn leading_type(line: &[u8]) -> Option<&str> {
    let rest = line.strip_prefix(b"{")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"resourceType\"")?.trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let name = &rest[..memchr(b'"', rest)?];
    let plain = !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric);
    // What was cut ends in the middle of something.
    if plain && line.ends_with(b"}") { std::str::from_utf8(name).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inspect(section: Section, type_: Option<&str>, pieces: &[&[u8]]) -> Result<(Contents, bool), String> {
        let file = OutputFile { type_: type_.map(str::to_owned), ..Default::default() };
        let mut inspector = Inspector::new(section, &file);
        for piece in pieces {
            inspector.update(piece)?;
        }
        let cut = inspector.ends_within_a_line()?;
        Ok((inspector.finish()?, cut))
    }

    fn patients(text: &str) -> Result<(Contents, bool), String> {
        inspect(Section::Output, Some("Patient"), &[text.as_bytes()])
    }

    #[test]
    fn what_is_no_data_is_told() {
        let told = |text: &str| patients(text).unwrap_err();
        assert_eq!(told("<html>\n<p>log in</p>\n"), "it is a page or an XML document");
        assert_eq!(told("<Patient xmlns=\"http://hl7.org/fhir\"/>"), "it is a page or an XML document");
        assert_eq!(told("[{}]\n"), "it is a JSON array");
        assert_eq!(told("{\n  \"resourceType\": \"Patient\"\n}\n"), "no line of it is a resource");
        assert_eq!(
            told("{\"resourceType\":\"Binary\",\"data\":\"e30K\"}"),
            "it is a Binary, which wraps the file instead of being it"
        );
        assert_eq!(
            told("{\"resourceType\":\"Patient\"}\n{\"issue\":[],\"resourceType\":\"OperationOutcome\"}\n"),
            "line 2 is an OperationOutcome"
        );
        assert_eq!(told("{\"resourceType\":\"Group\"}\n"), "it has Group instead of Patient");
    }

    #[test]
    fn single_lines_that_are_wrong_are_counted() {
        let text = "{\"resourceType\":\"Patient\"}\n\n{\"resourceType\":\"Group\"}\nnot json\n{\"id\":\"1\",\"resourceType\":\"Patient\"}\n";
        let (contents, cut) = patients(text).unwrap();
        assert_eq!(contents.types, BTreeMap::from([("Patient".into(), 2), ("Group".into(), 1)]));
        assert_eq!((contents.unreadable_lines, cut), (1, false));
    }

    #[test]
    fn a_last_line_that_is_cut_is_known_and_one_without_its_end_of_line_is_whole() {
        let line = "{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"x\"}]}";
        let text = format!("{line}\n{line}");
        let cut_at = |length: usize| patients(&text[..length]).unwrap().1;
        assert!(!cut_at(text.len()));
        assert!(!cut_at(line.len() + 1), "cut between lines cannot be known here");
        assert!((line.len() + 2..text.len()).all(cut_at));
    }

    #[test]
    fn deleted_and_outcomes_have_their_own_types() {
        let bundle = b"{\"resourceType\":\"Bundle\",\"type\":\"transaction\"}\n";
        assert!(inspect(Section::Deleted, None, &[bundle]).is_ok());
        assert!(inspect(Section::Deleted, Some("Patient"), &[b"{\"resourceType\":\"Patient\"}"]).is_err());
        let outcome = br#"{"resourceType":"OperationOutcome","issue":[{"severity":"error"},{"severity":"warning"},{"severity":"error"}]}"#;
        let (contents, _) = inspect(Section::Outcome, None, &[outcome]).unwrap();
        assert_eq!(contents.severities, BTreeMap::from([("error".into(), 2), ("warning".into(), 1)]));
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_does_not_matter(
            lines in proptest::collection::vec(0_usize..6, 0..8),
            size in 1_usize..60,
        ) {
            const LINES: [&str; 6] = [
                "{\"resourceType\":\"Patient\",\"x\":\"é\u{2028}𝄞\"}\n",
                "{\"id\":\"1\",\"resourceType\":\"Patient\"}\r\n",
                "{\"resourceType\" : \"Group\"}\n",
                "\n",
                "junk\n",
                "{\"resourceType\":\"Patient\"}",
            ];
            let text: String = lines.iter().map(|line| LINES[*line]).collect();
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            prop_assert_eq!(inspect(Section::Output, None, &pieces), inspect(Section::Output, None, &[text.as_bytes()]));
        }
    }
}
