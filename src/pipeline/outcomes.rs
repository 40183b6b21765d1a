//! The `error` section: OperationOutcomes, counted by severity.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::input::InputFile;
use crate::error::Result;
use crate::lake::exports::OutcomeCount;
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
}

/// Issues by severity.
#[derive(Debug, Default)]
pub struct Outcomes(BTreeMap<String, i64>);

impl Outcomes {
    /// Counts the issues of a file. A line that is no OperationOutcome counts as an error: something went wrong.
    pub async fn read(&mut self, root: &Root, file: &InputFile) -> Result<()> {
        let mut blocks = Blocks::whole(RawSource::open(root, &file.path).await?);
        while let Some(block) = blocks.next().await? {
            for line in block.lines() {
                match serde_json::from_slice::<OperationOutcome>(line.bytes) {
                    Ok(outcome) if !outcome.issue.is_empty() => {
                        outcome.issue.into_iter().for_each(|issue| self.count(issue.severity));
                    }
                    _ => self.count("error".to_owned()),
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, severity: String) {
        *self.0.entry(severity).or_default() += 1;
    }

    /// Issues that mean that something is missing.
    pub fn errors(&self) -> i64 {
        ["fatal", "error"].iter().filter_map(|severity| self.0.get(*severity)).sum()
    }

    /// The counts, for `_exports`.
    pub fn counts(self) -> Vec<OutcomeCount> {
        self.0.into_iter().map(|(severity, outcome_count)| OutcomeCount { severity, outcome_count }).collect()
    }
}
