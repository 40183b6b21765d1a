//! Where an answer goes, and in which form: the flags of every command that gives rows.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use datafusion::execution::SendableRecordBatchStream;

use super::print;
use crate::query::{Format, Written, format};

/// How an answer is given.
#[derive(Debug, Clone, Args)]
pub struct AnswerOptions {
    /// How the answer is written
    #[arg(long, value_enum, default_value = "table", env = "FHIRLAKE_FORMAT")]
    format: Format,
    /// The file that the answer goes to [default: stdout]
    #[arg(short, long, value_name = "FILE", env = "FHIRLAKE_OUTPUT")]
    output: Option<PathBuf>,
}

impl AnswerOptions {
    /// The form.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The file, or folder of files.
    pub fn output(&self) -> Option<&Path> {
        self.output.as_deref()
    }

    /// Writes an answer.
    pub async fn write(&self, answer: SendableRecordBatchStream) -> anyhow::Result<()> {
        let written = match &self.output {
            Some(path) => to_file(path, self.format, answer).await?,
            None => {
                let mut to = std::io::BufWriter::new(std::io::stdout());
                let written = format::write(self.format, answer, &mut to).await?;
                to.flush()?;
                written
            }
        };
        if written.truncated {
            print::note(&format!(
                "only the first {} rows are shown; --format csv or ndjson gives all",
                written.rows
            ));
        }
        Ok(())
    }
}

/// Writes the answer beside the file and renames it: a query that fails leaves the file as it was.
pub async fn to_file(
    path: &Path,
    format: Format,
    answer: SendableRecordBatchStream,
) -> anyhow::Result<Written> {
    let cannot = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    let mut to = std::io::BufWriter::new(file);
    let written = format::write(format, answer, &mut to).await?;
    to.into_inner().map_err(std::io::IntoInnerError::into_error)?.persist(path).with_context(cannot)?;
    Ok(written)
}
