//! The SQL on FHIR v2 test suite (<https://github.com/FHIR/sql-on-fhir-v2/tree/master/tests>): its files, run.
//!
//! One invariant: a test that expects an error passes only where the view itself is refused, or the data are by one of its
//! expressions. Any other error is a failure.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::json::WriterBuilder;
use datafusion::arrow::json::writer::JsonArray;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use fhir_arrow::{Flattener, TableSchema};
use fhir_definitions::Definitions;
use fhir_sql::{EvaluationError, View, ViewDefinition, ViewTable};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Where resources lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// In the columns of their type's table.
    Columns,
    /// All of them in `__rest`, as if no element had a column: the answers have to be the same.
    Rest,
}

/// How a test ended.
pub struct Outcome {
    /// The name of its file.
    pub file: String,
    /// Its title.
    pub test: String,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

impl Outcome {
    /// The test and its failure, if it failed.
    pub fn told(&self) -> Option<String> {
        Some(format!("{}: {}: {}", self.file, self.test, self.failure.as_ref()?))
    }
}

#[derive(Deserialize)]
struct File {
    /// Kept as they are written: numbers have literals.
    resources: Vec<Box<RawValue>>,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    title: String,
    view: Value,
    expect: Option<Vec<Value>>,
    expect_columns: Option<Vec<String>>,
    expect_count: Option<usize>,
    #[serde(default)]
    expect_error: bool,
}

/// Runs all files of a folder.
pub async fn run_folder(folder: &Path, storage: Storage) -> Result<Vec<Outcome>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    let listed = std::fs::read_dir(folder).map_err(|error| told(&error))?;
    let paths = listed.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = paths.map_err(|error| told(&error))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    if paths.is_empty() {
        return Err(told(&"there are no tests in it"));
    }
    let mut outcomes = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        let file: File = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        for test in &file.tests {
            let failure = run(&file.resources, test, storage).await.err();
            outcomes.push(Outcome { file: name.clone(), test: test.title.clone(), failure });
        }
    }
    Ok(outcomes)
}

/// The report, in the suite's format.
pub fn report(outcomes: &[Outcome]) -> String {
    let mut files: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for outcome in outcomes {
        let mut result = json!({ "passed": outcome.failure.is_none() });
        if let Some(failure) = &outcome.failure {
            result["error"] = json!(failure);
        }
        files.entry(&outcome.file).or_default().push(json!({ "name": outcome.test, "result": result }));
    }
    let files: BTreeMap<_, _> =
        files.into_iter().map(|(file, tests)| (file, json!({ "tests": tests }))).collect();
    format!("{:#}\n", json!(files))
}

async fn run(resources: &[Box<RawValue>], test: &Test, storage: Storage) -> Result<(), String> {
    let view = compile(&test.view, storage);
    let view = match (view, test.expect_error) {
        (Err(_), true) => return Ok(()),
        (Err(error), false) => return Err(error),
        (Ok(view), _) => view,
    };
    let columns: Vec<String> = view.schema().fields().iter().map(|field| field.name().clone()).collect();
    match (rows(view, resources, storage).await, test.expect_error) {
        (Err(error), true) if is_of_view(&error) => Ok(()),
        (Err(error), _) => Err(error.to_string()),
        (Ok(_), true) => Err("an error was expected".to_owned()),
        (Ok(rows), false) => compare(test, &columns, rows),
    }
}

/// Compiles a view of R4 for a storage.
pub fn compile(view: &Value, storage: Storage) -> Result<View, String> {
    compile_for(Definitions::r4(), view, storage)
}

/// The same for another FHIR version.
pub fn compile_for(
    definitions: &'static Definitions,
    view: &Value,
    storage: Storage,
) -> Result<View, String> {
    let definition = ViewDefinition::parse(&view.to_string()).map_err(|error| error.to_string())?;
    // A type that there is not gets no columns; the view says what is wrong with it.
    let columns = match TableSchema::new(definitions, &definition.resource) {
        Ok(schema) if storage == Storage::Columns => schema.arrow(),
        _ => Arc::new(Schema::new(vec![Field::new("__rest", DataType::Utf8, true)])),
    };
    View::compile(&definition, definitions, &columns).map_err(|error| error.to_string())
}

fn is_of_view(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::External(inner) if inner.is::<EvaluationError>())
}

/// The rows of a view of R4 over those of the resources that are of its type.
pub async fn rows(
    view: View,
    resources: &[Box<RawValue>],
    storage: Storage,
) -> Result<Vec<Value>, DataFusionError> {
    rows_for(Definitions::r4(), view, resources, storage).await
}

/// The same for another FHIR version.
pub async fn rows_for(
    definitions: &'static Definitions,
    view: View,
    resources: &[Box<RawValue>],
    storage: Storage,
) -> Result<Vec<Value>, DataFusionError> {
    let external = |error: &dyn std::fmt::Display| DataFusionError::Execution(error.to_string());
    let schema = TableSchema::new(definitions, view.resource()).map_err(|error| external(&error))?;
    let schema = Arc::new(schema);
    let mut lines = Vec::new();
    let mut flattener = Flattener::new(Arc::clone(&schema), None);
    for (number, resource) in resources.iter().enumerate() {
        // A line has no line breaks; none of the suite's texts has one either.
        let line = resource.get().replace('\n', " ");
        // Some resources of the suite have no id, without which there is no row.
        let identified =
            serde_json::from_str::<Value>(&line).is_ok_and(|resource| resource["id"].is_string());
        let line = if identified { line } else { line.replacen('{', &format!("{{\"id\":\"{number}\","), 1) };
        let header = fhir_arrow::scan(line.as_bytes()).map_err(|error| external(&error))?;
        if header.resource_type == view.resource() {
            flattener.append(line.as_bytes()).map_err(|error| external(&error))?;
            lines.push(line);
        }
    }
    let batch = match storage {
        Storage::Columns => flattener.finish(),
        Storage::Rest => {
            RecordBatch::try_from_iter([("__rest", Arc::new(StringArray::from(lines)) as ArrayRef)])?
        }
    };
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
    let context = SessionContext::new();
    let table = ViewTable::new(Arc::new(view), Arc::new(table));
    let batches = context.read_table(Arc::new(table))?.collect().await?;
    let mut json = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut json);
    for batch in &batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    serde_json::from_slice(&json).map_err(|error| external(&error))
}

/// Rows have no order in the suite; columns have.
fn compare(test: &Test, columns: &[String], rows: Vec<Value>) -> Result<(), String> {
    if let Some(expected) = test.expect_columns.as_ref().filter(|expected| *expected != columns) {
        return Err(format!("the columns are {columns:?}, and {expected:?} were expected"));
    }
    if let Some(expected) = test.expect_count.filter(|expected| *expected != rows.len()) {
        return Err(format!("there are {} rows, and {expected} were expected", rows.len()));
    }
    let sorted = |rows: &[Value]| {
        let mut rows: Vec<Value> = rows.iter().map(with_plain_numbers).collect();
        rows.sort_by_cached_key(Value::to_string);
        rows
    };
    match &test.expect {
        Some(expected) if sorted(expected) != sorted(&rows) => Err(format!(
            "the rows are {}, and {} were expected",
            Value::Array(rows),
            Value::Array(expected.clone())
        )),
        Some(_) => Ok(()),
        None if test.expect_count.is_some() => Ok(()),
        None => Err("the test expects nothing".to_owned()),
    }
}

/// The value with every number as a double: `5` and `5.0` are the same.
fn with_plain_numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(values) => values.iter().map(with_plain_numbers).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), with_plain_numbers(value))).collect()
        }
        other => other.clone(),
    }
}
