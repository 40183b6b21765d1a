//! Answers as bytes: a table for people; CSV, JSON, NDJSON, Parquet and Arrow for programs.
//!
//! One invariant: answers stream, some batches of them at a time, and the parts of a format that frame them (a header, brackets) are
//! written once, for no rows too. Only the table for people is collected, since its columns must be as wide as their widest value.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, WriterBuilder as JsonWriterBuilder};
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;
use datafusion::execution::SendableRecordBatchStream;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::session::failed;
use crate::error::{Error, Result};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// RFC 4180, with a header; nested values are refused.
    Csv,
    /// One array of objects.
    Json,
    /// An object on each line.
    Ndjson,
    /// A Parquet file, compressed with zstd.
    Parquet,
    /// A stream of Arrow's IPC format.
    Arrow,
}

impl Format {
    /// What the names of files in this form end with; `None` for the one that is no file's.
    pub const fn extension(self) -> Option<&'static str> {
        match self {
            Self::Table => None,
            Self::Csv => Some("csv"),
            Self::Json => Some("json"),
            Self::Ndjson => Some("ndjson"),
            Self::Parquet => Some("parquet"),
            Self::Arrow => Some("arrows"),
        }
    }
}

/// Rows that a table for people shows: more belong into a file.
const TABLE_ROWS: usize = 10_000;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Rows.
    pub rows: usize,
    /// Whether there were more, which a table leaves out.
    pub truncated: bool,
}

/// Writes an answer.
///
/// # Errors
/// [`Error::Output`] where `to` does not take it, [`Error::Query`] where the format cannot hold it, and what the
/// statement does while it runs.
pub async fn write(
    format: Format,
    answer: SendableRecordBatchStream,
    to: &mut (dyn Write + Send),
) -> Result<Written> {
    let mut watched = Watched { to, failed: None };
    let written = write_to(format, answer, &mut watched).await;
    match watched.failed {
        Some(error) => Err(Error::Output(error)),
        None => written,
    }
}

/// Remembers what writing failed with: the writers of formats keep no more of it than its text.
struct Watched<'w> {
    to: &'w mut (dyn Write + Send),
    failed: Option<std::io::Error>,
}

impl Watched<'_> {
    fn note<T>(&mut self, done: std::io::Result<T>) -> std::io::Result<T> {
        done.map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let done = self.to.write(bytes);
        self.note(done)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let done = self.to.flush();
        self.note(done)
    }
}

async fn write_to(
    format: Format,
    mut answer: SendableRecordBatchStream,
    to: &mut (dyn Write + Send),
) -> Result<Written> {
    match format {
        Format::Table => table(answer, to).await,
        Format::Json => json::<JsonArray>(answer, to).await,
        Format::Ndjson => {
            check_names(&answer.schema())?;
            apart(answer, to, ndjson_lines).await
        }
        Format::Csv => {
            let empty = RecordBatch::new_empty(answer.schema());
            WriterBuilder::new().with_header(true).build(&mut *to).write(&empty).map_err(in_answer)?;
            apart(answer, to, csv_lines).await
        }
        Format::Parquet => {
            let properties =
                WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
            let (schema, properties) = (answer.schema(), properties.build());
            let mut writer =
                ArrowWriter::try_new(to, schema, Some(properties)).map_err(|e| in_answer(e.into()))?;
            let written = each(&mut answer, |batch| Ok(writer.write(batch)?)).await?;
            writer.close().map_err(|e| in_answer(e.into()))?;
            Ok(written)
        }
        Format::Arrow => {
            let mut writer = StreamWriter::try_new(to, &answer.schema()).map_err(in_answer)?;
            let written = each(&mut answer, |batch| writer.write(batch)).await?;
            writer.finish().map_err(in_answer)?;
            Ok(written)
        }
    }
}

/// Writes the batches of an answer, one after the other.
async fn each(
    answer: &mut SendableRecordBatchStream,
    mut write: impl FnMut(&RecordBatch) -> std::result::Result<(), ArrowError>,
) -> Result<Written> {
    let mut rows = 0;
    while let Some(batch) = next(answer).await? {
        rows += batch.num_rows();
        write(&batch).map_err(in_answer)?;
    }
    Ok(Written { rows, truncated: false })
}

/// Writes batches whose lines do not depend on those before them: they are made side by side, as many as there are processors, and
/// written in their order.
async fn apart(
    answer: SendableRecordBatchStream,
    to: &mut (dyn Write + Send),
    lines: fn(&RecordBatch) -> std::result::Result<Vec<u8>, ArrowError>,
) -> Result<Written> {
    let at_once = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let made = answer.map(|batch| async move {
        let batch = batch.map_err(|e| failed(&e))?;
        let rows = batch.num_rows();
        let made = tokio::spawn(async move { lines(&batch) }).await;
        let made = made.map_err(|error| Error::QueryFailed(error.to_string()))?;
        Ok::<_, Error>((rows, made.map_err(in_answer)?))
    });
    let mut made = std::pin::pin!(made.buffered(at_once));
    let mut rows = 0;
    while let Some((count, lines)) = made.try_next().await? {
        to.write_all(&lines).map_err(|e| in_answer(e.into()))?;
        rows += count;
    }
    Ok(Written { rows, truncated: false })
}

fn csv_lines(batch: &RecordBatch) -> std::result::Result<Vec<u8>, ArrowError> {
    let mut lines = Vec::new();
    WriterBuilder::new().with_header(false).build(&mut lines).write(batch)?;
    Ok(lines)
}

fn ndjson_lines(batch: &RecordBatch) -> std::result::Result<Vec<u8>, ArrowError> {
    let mut lines = Vec::new();
    let mut writer = JsonWriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut lines);
    writer.write(batch)?;
    writer.finish()?;
    Ok(lines)
}

/// JSON objects have each name once.
fn check_names(columns: &Schema) -> Result<()> {
    let mut names = std::collections::HashSet::new();
    match columns.fields().iter().find(|field| !names.insert(field.name())) {
        Some(twice) => Err(Error::Query(format!(
            "two columns of the answer are called {}, and JSON would have one of them: name them with AS",
            twice.name()
        ))),
        None => Ok(()),
    }
}

async fn json<F: JsonFormat>(
    mut answer: SendableRecordBatchStream,
    to: &mut (dyn Write + Send),
) -> Result<Written> {
    check_names(&answer.schema())?;
    let mut writer = JsonWriterBuilder::new().with_explicit_nulls(true).build::<_, F>(to);
    let written = each(&mut answer, |batch| writer.write(batch)).await?;
    writer.finish().map_err(in_answer)?;
    Ok(written)
}

async fn table(mut answer: SendableRecordBatchStream, to: &mut (dyn Write + Send)) -> Result<Written> {
    let (mut batches, mut rows, mut truncated) = (vec![RecordBatch::new_empty(answer.schema())], 0, false);
    while let Some(batch) = next(&mut answer).await? {
        let room = TABLE_ROWS - rows;
        truncated |= batch.num_rows() > room;
        let batch = batch.slice(0, batch.num_rows().min(room));
        rows += batch.num_rows();
        batches.push(batch);
        if truncated {
            break;
        }
    }
    let options = FormatOptions::default().with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let shown = pretty_format_batches_with_options(&batches, &options).map_err(in_answer)?;
    writeln!(to, "{shown}").map_err(|e| in_answer(e.into()))?;
    Ok(Written { rows, truncated })
}

async fn next(answer: &mut SendableRecordBatchStream) -> Result<Option<RecordBatch>> {
    answer.try_next().await.map_err(|e| failed(&e))
}

fn in_answer(error: ArrowError) -> Error {
    Error::Query(format!("the answer cannot be written: {error}"))
}
