//! The `error` section: OperationOutcomes, counted by severity, and the resources that they name.

use std::collections::{BTreeMap, BTreeSet};

use fhir_arrow::is_legal_id;
use fhir_definitions::Definitions;
use serde::Deserialize;

use super::input::InputFile;
use crate::error::Result;
use crate::lake::exports::OutcomeCount;
use crate::lake::gaps::GapRow;
use crate::raw::{Blocks, RawSource};
use crate::storage::Root;

#[derive(Deserialize)]
struct OperationOutcome {
    #[serde(default)]
    issue: Vec<Issue>,
}

#[derive(Deserialize)]
struct Issue {
    severity: String,
    code: Option<String>,
    details: Option<Details>,
    diagnostics: Option<String>,
    #[serde(default)]
    expression: Vec<String>,
    #[serde(default)]
    location: Vec<String>,
}

#[derive(Deserialize)]
struct Details {
    text: Option<String>,
}

/// Resources of one run that are kept apart. Beyond, an error counts as one that names nothing.
const MOST_NAMED: usize = 10_000;

/// What the server reports.
#[derive(Debug)]
pub struct Outcomes {
    definitions: &'static Definitions,
    export_id: String,
    by_severity: BTreeMap<String, i64>,
    /// Errors that name no resource.
    unplaced: i64,
    named: BTreeMap<(String, String), GapRow>,
}

impl Outcomes {
    /// Nothing yet.
    pub fn new(definitions: &'static Definitions, export_id: &str) -> Self {
        Self {
            definitions,
            export_id: export_id.to_owned(),
            by_severity: BTreeMap::new(),
            unplaced: 0,
            named: BTreeMap::new(),
        }
    }

    /// Counts the issues of a file. A line that is no OperationOutcome counts as an error: something went wrong.
    pub async fn read(&mut self, root: &Root, file: &InputFile) -> Result<()> {
        let mut blocks = Blocks::whole(RawSource::open(root, &file.path).await?);
        while let Some(block) = blocks.next().await? {
            for line in block.lines() {
                self.line(line.bytes);
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) {
        match serde_json::from_slice::<OperationOutcome>(line) {
            Ok(outcome) if !outcome.issue.is_empty() => {
                outcome.issue.into_iter().for_each(|issue| self.issue(issue));
            }
            _ => {
                *self.by_severity.entry("error".to_owned()).or_default() += 1;
                self.unplaced += 1;
            }
        }
    }

    fn issue(&mut self, issue: Issue) {
        *self.by_severity.entry(issue.severity.clone()).or_default() += 1;
        if !is_error(&issue.severity) {
            return;
        }
        let text = issue.details.as_ref().and_then(|details| details.text.clone());
        let texts = text.iter().chain(&issue.diagnostics).chain(&issue.expression).chain(&issue.location);
        let named: BTreeSet<_> = texts.flat_map(|text| resources_in(text, self.definitions)).collect();
        if named.is_empty() || self.named.len() >= MOST_NAMED {
            self.unplaced += 1;
            return;
        }
        let details = text.clone().or(issue.diagnostics);
        for (resource_type, id) in named {
            let row = GapRow {
                export_id: self.export_id.clone(),
                resource_type: resource_type.clone(),
                id: id.clone(),
                severity: issue.severity.clone(),
                issue_code: issue.code.clone(),
                details: details.clone(),
                resolved_by: None,
            };
            self.named.entry((resource_type, id)).or_insert(row);
        }
    }

    /// Issues that mean that something is missing.
    pub fn errors(&self) -> i64 {
        self.by_severity.iter().filter(|(severity, _)| is_error(severity)).map(|(_, count)| count).sum()
    }

    /// Those of them that name no resource: nobody knows what is missing.
    pub fn unplaced(&self) -> i64 {
        self.unplaced
    }

    /// The resources that are missing.
    pub fn gaps(&self) -> Vec<GapRow> {
        self.named.values().cloned().collect()
    }

    /// The counts, for `_exports`.
    pub fn counts(self) -> Vec<OutcomeCount> {
        let counts = self.by_severity.into_iter();
        counts.map(|(severity, outcome_count)| OutcomeCount { severity, outcome_count }).collect()
    }
}

fn is_error(severity: &str) -> bool {
    matches!(severity, "fatal" | "error")
}

/// The `Type/id` in a text.
fn resources_in(text: &str, definitions: &Definitions) -> Vec<(String, String)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/');
    let words = text.split(|c| !is_part(c));
    let found = words.filter_map(|word| {
        let mut segments = word.trim_end_matches('.').split('/').rev().skip_while(|part| part.is_empty());
        let (id, name) = (segments.next()?, segments.next()?);
        (definitions.is_resource(name) && is_legal_id(id)).then(|| (name.to_owned(), id.to_owned()))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(lines: &[&str]) -> Outcomes {
        let mut outcomes = Outcomes::new(Definitions::r4(), "x");
        lines.iter().for_each(|line| outcomes.line(line.as_bytes()));
        outcomes
    }

    #[test]
    fn an_error_that_names_a_resource_is_a_gap_and_one_that_names_none_is_not() {
        let named = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception","details":{"text":"could not export Patient/p1."}}]}"#;
        let unnamed = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"fatal","code":"exception","diagnostics":"out of memory"},{"severity":"warning","code":"value","diagnostics":"Patient/p2 is odd"}]}"#;
        let all = outcomes(&[named, unnamed, "nonsense"]);
        let gaps: Vec<_> = all.gaps().into_iter().map(|gap| (gap.resource_type, gap.id)).collect();
        assert_eq!(gaps, [("Patient".to_owned(), "p1".to_owned())]);
        assert_eq!((all.errors(), all.unplaced()), (3, 2));
    }

    #[test]
    fn resources_are_found_wherever_they_are_named() {
        let found = |text| resources_in(text, Definitions::r4());
        assert_eq!(
            found("see https://h/fhir/Condition/c-1, and Nothing/x"),
            [("Condition".into(), "c-1".into())]
        );
        assert_eq!(found("Patient/a/_history/1 is damaged"), [("Patient".into(), "a".into())]);
        assert_eq!(found("an id of Patient/ is missing, and/or more"), []);
    }
}
