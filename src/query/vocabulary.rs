//! OMOP's vocabulary, as its users have it: the files that Athena gives out, or the same tables as Parquet.
//!
//! One invariant: a table of the vocabulary has the columns and types of the CDM, whatever file it is read from.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::functions::expr_fn::to_date;
use datafusion::prelude::{
    CsvReadOptions, DataFrame, Expr, ParquetReadOptions, SessionContext, cast, ident, lit,
};

use super::session::query_error;
use crate::error::{Error, Result};

/// Table → its columns, those of the CDM: `name type`, in the order of Athena's files.
const TABLES: [(&str, &str); 4] = [
    (
        "concept",
        "concept_id i, concept_name s, domain_id s, vocabulary_id s, concept_class_id s, standard_concept s, \
         concept_code s, valid_start_date d, valid_end_date d, invalid_reason s",
    ),
    (
        "concept_relationship",
        "concept_id_1 i, concept_id_2 i, relationship_id s, valid_start_date d, valid_end_date d, invalid_reason s",
    ),
    (
        "concept_ancestor",
        "ancestor_concept_id i, descendant_concept_id i, min_levels_of_separation i, max_levels_of_separation i",
    ),
    (
        "vocabulary",
        "vocabulary_id s, vocabulary_name s, vocabulary_reference s, vocabulary_version s, vocabulary_concept_id i",
    ),
];

/// The tables without which nothing can be mapped.
const REQUIRED: [&str; 2] = ["concept", "concept_relationship"];

/// The names of the tables.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, _)| *name)
}

/// The columns of a table; `None` where the vocabulary has none of that name.
pub fn schema(table: &str) -> Option<Schema> {
    let (_, columns) = TABLES.iter().find(|(name, _)| *name == table)?;
    let fields = columns.split(", ").filter_map(|column| column.split_once(' '));
    Some(Schema::new(
        fields
            .map(|(name, kind)| {
                let data_type = match kind {
                    "i" => DataType::Int32,
                    "d" => DataType::Date32,
                    _ => DataType::Utf8View,
                };
                Field::new(name, data_type, true)
            })
            .collect::<Vec<_>>(),
    ))
}

/// A vocabulary that is open.
#[derive(Debug)]
pub struct Vocabulary {
    tables: BTreeMap<&'static str, Arc<dyn TableProvider>>,
}

impl Vocabulary {
    /// Opens the tables of a folder: `CONCEPT.csv` as Athena writes it (columns separated by tabs, no quotes, dates without
    /// hyphens), or `CONCEPT.parquet`; in capitals or not.
    ///
    /// # Errors
    /// [`Error::Refused`] where the folder is none, lacks a table that is needed, or a file has other columns.
    pub async fn open(folder: &Path, context: &SessionContext) -> Result<Self> {
        let files = files(folder)?;
        let mut tables = BTreeMap::new();
        for name in names() {
            let Some(file) = files.get(name) else {
                if REQUIRED.contains(&name) {
                    return Err(Error::Refused(format!(
                        "{} has no {upper}.csv and no {upper}.parquet: unpack what athena.ohdsi.org has sent there",
                        folder.display(),
                        upper = name.to_uppercase()
                    )));
                }
                continue;
            };
            tables.insert(name, open(name, file, context).await?);
        }
        Ok(Self { tables })
    }

    /// A table, where the folder has it.
    pub fn table(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        self.tables.get(name).cloned()
    }
}

/// What tells one state of a vocabulary's folder from another: the names, sizes and times of its files.
///
/// # Errors
/// [`Error::Refused`] where the folder is none.
pub fn fingerprint(folder: &Path) -> Result<String> {
    let mut all = String::new();
    for file in files(folder)?.values() {
        let found = std::fs::metadata(file).map_err(Error::io("look at", file))?;
        let modified = found.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let name = file.file_name().unwrap_or_default();
        all += &format!("{name:?} {} {:?}\n", found.len(), modified);
    }
    Ok(all)
}

/// Table → its file.
fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let refused = |error: std::io::Error| {
        Error::Refused(format!("the vocabulary's folder {} cannot be read: {error}", folder.display()))
    };
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        let part = |part: Option<&std::ffi::OsStr>| part.and_then(|p| p.to_str()).map(str::to_lowercase);
        let (Some(stem), Some(extension)) = (part(path.file_stem()), part(path.extension())) else {
            continue;
        };
        if !matches!(extension.as_str(), "csv" | "parquet") || schema(&stem).is_none() {
            continue;
        }
        if let Some(other) = found.insert(stem, path.clone()) {
            return Err(Error::Refused(format!(
                "both {} and {} are there, and only one can be the vocabulary's: remove one",
                other.display(),
                path.display()
            )));
        }
    }
    Ok(found)
}

async fn open(name: &str, file: &Path, context: &SessionContext) -> Result<Arc<dyn TableProvider>> {
    let schema = schema(name).unwrap_or_else(Schema::empty);
    let is_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let path = file.to_str().ok_or_else(|| other_columns(file, "its path is not UTF-8"))?;
    let (frame, dates_are_text) = if is_csv {
        check_header(file, &schema)?;
        (csv(path, &schema, context).await?, true)
    } else {
        let extension = extension(file);
        let options = ParquetReadOptions::default().file_extension(&extension);
        (context.read_parquet(path, options).await.map_err(|e| query_error(&e))?, false)
    };
    let found: Vec<String> = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
    let columns = schema.fields().iter().map(|field| {
        let known = found.iter().find(|name| name.eq_ignore_ascii_case(field.name()));
        let known = known.ok_or_else(|| other_columns(file, &format!("it has no {}", field.name())))?;
        Ok(converted(ident(known), field, dates_are_text).alias(field.name()))
    });
    let columns = columns.collect::<Result<Vec<Expr>>>()?;
    Ok(frame.select(columns).map_err(|e| query_error(&e))?.into_view())
}

fn converted(column: Expr, field: &Field, dates_are_text: bool) -> Expr {
    match field.data_type() {
        DataType::Date32 if dates_are_text => to_date(vec![column, lit("%Y%m%d")]),
        data_type => cast(column, data_type.clone()),
    }
}

/// A file of Athena: nothing is quoted, and names hold quotes; a byte that no text has stands in for them.
async fn csv(path: &str, schema: &Schema, context: &SessionContext) -> Result<DataFrame> {
    let as_text = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Int32 => field.as_ref().clone(),
        _ => Field::new(field.name(), DataType::Utf8View, true),
    });
    let as_text = Schema::new(as_text.collect::<Vec<_>>());
    let extension = extension(Path::new(path));
    let options = CsvReadOptions::new().schema(&as_text).delimiter(b'\t').quote(0).file_extension(&extension);
    context.read_csv(path, options).await.map_err(|e| query_error(&e))
}

/// The file's own extension: the reader looks for it as it is written.
fn extension(file: &Path) -> String {
    file.extension().and_then(|e| e.to_str()).map(|e| format!(".{e}")).unwrap_or_default()
}

fn check_header(file: &Path, schema: &Schema) -> Result<()> {
    let refused = |error: std::io::Error| other_columns(file, &error.to_string());
    let mut line = String::new();
    BufReader::new(std::fs::File::open(file).map_err(refused)?).read_line(&mut line).map_err(refused)?;
    let found: Vec<String> = line.trim_end().split('\t').map(str::to_lowercase).collect();
    let expected: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    if found != expected {
        let text = format!("its columns are not {}, separated by tabs", expected.join(", "));
        return Err(other_columns(file, &text));
    }
    Ok(())
}

fn other_columns(file: &Path, reason: &str) -> Error {
    Error::Refused(format!("{} is not a table of OMOP's vocabulary: {reason}", file.display()))
}
