//! What the log says about a data file's values
//! (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics>).
//!
//! One invariant: exact is only what stays so beside a deletion vector, and beside values that the log has cut.

use std::sync::Arc;

use arrow_schema::{DataType, Schema, TimeUnit};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use serde_json::{Map, Value};

use crate::snapshot::DataFile;

/// The statistics of a file, as they are in the log.
#[derive(Debug, Default)]
pub(crate) struct FileStatistics {
    /// The rows in the file, those that its vector removes among them.
    pub(crate) rows: Option<u64>,
    tight: bool,
    min: Map<String, Value>,
    max: Map<String, Value>,
    nulls: Map<String, Value>,
}

/// Milliseconds are the finest that the log has of a point in time, so the greatest may be later than it says.
const CUT_FROM_TIMES: i64 = 999;

impl FileStatistics {
    /// Reads the statistics of a file.
    pub(crate) fn parse(text: Option<&str>, masked: bool) -> Result<Self, serde_json::Error> {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(Self::default()) };
        let mut all: Map<String, Value> = serde_json::from_str(text)?;
        let mut object = |name: &str| match all.remove(name) {
            Some(Value::Object(values)) => values,
            _ => Map::new(),
        };
        let (min, max, nulls) = (object("minValues"), object("maxValues"), object("nullCount"));
        let tight = all.get("tightBounds").and_then(Value::as_bool).unwrap_or(true) && !masked;
        Ok(Self { rows: all.get("numRecords").and_then(Value::as_u64), tight, min, max, nulls })
    }

    /// Nothing in the file is less than this at a path of fields.
    pub(crate) fn min(&self, path: &[&str], data_type: &DataType) -> Option<ScalarValue> {
        scalar(at(&self.min, path)?, data_type)
    }

    /// Nothing in the file is greater than this.
    pub(crate) fn max(&self, path: &[&str], data_type: &DataType) -> Option<ScalarValue> {
        let value = scalar(at(&self.max, path)?, data_type)?;
        Some(match value {
            ScalarValue::TimestampMicrosecond(Some(time), zone) => {
                ScalarValue::TimestampMicrosecond(Some(time.saturating_add(CUT_FROM_TIMES)), zone)
            }
            other => other,
        })
    }

    /// The rows of the file without a value there, those that its vector removes among them.
    pub(crate) fn nulls(&self, path: &[&str]) -> Option<u64> {
        at(&self.nulls, path)?.as_u64()
    }
}

fn at<'v>(values: &'v Map<String, Value>, path: &[&str]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(values.get(*first)?, |value, name| value.get(name))
}

fn scalar(value: &Value, data_type: &DataType) -> Option<ScalarValue> {
    let comparable = match data_type {
        // A float's statistics know nothing of NaN, and a negative zero equals a positive one.
        DataType::Float32 | DataType::Float64 | DataType::Boolean => false,
        DataType::Timestamp(unit, _) => *unit == TimeUnit::Microsecond,
        DataType::Utf8View | DataType::Date32 | DataType::Decimal128(..) => true,
        other => other.is_integer(),
    };
    let text = match value {
        _ if !comparable => return None,
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    if *data_type == DataType::Utf8View {
        return Some(ScalarValue::Utf8View(Some(text)));
    }
    ScalarValue::try_from_string(text, data_type).ok().filter(|scalar| !scalar.is_null())
}

/// What a scan of these columns may take as known about a file.
pub(crate) fn of_file(file: &DataFile, columns: &Schema) -> Statistics {
    let statistics = &file.statistics;
    let column_statistics = columns.fields().iter().map(|field| {
        let path = [field.name().as_str()];
        let bound = |value: Option<ScalarValue>| value.map_or(Precision::Absent, Precision::Inexact);
        let nulls = statistics.nulls(&path).and_then(|nulls| usize::try_from(nulls).ok());
        ColumnStatistics {
            null_count: match nulls {
                None => Precision::Absent,
                Some(nulls) if statistics.tight => Precision::Exact(nulls),
                Some(nulls) => Precision::Inexact(nulls),
            },
            // The log cuts texts and times, so no bound is a value.
            min_value: bound(statistics.min(&path, field.data_type())),
            max_value: bound(statistics.max(&path, field.data_type())),
            ..ColumnStatistics::new_unknown()
        }
    });
    Statistics {
        num_rows: match file.rows().and_then(|rows| usize::try_from(rows).ok()) {
            Some(rows) => Precision::Exact(rows),
            None => Precision::Absent,
        },
        total_byte_size: Precision::Absent,
        column_statistics: column_statistics.collect(),
    }
}

/// What may be taken as known about all of these files.
pub(crate) fn of_all(files: &[Arc<Statistics>], columns: &Schema) -> Statistics {
    let mut all = files.iter();
    let Some(first) = all.next() else {
        return Statistics {
            num_rows: Precision::Exact(0),
            total_byte_size: Precision::Exact(0),
            column_statistics: vec![ColumnStatistics::new_unknown(); columns.fields().len()],
        };
    };
    all.fold(first.as_ref().clone(), |sum, file| Statistics {
        num_rows: sum.num_rows.add(&file.num_rows),
        total_byte_size: Precision::Absent,
        column_statistics: std::iter::zip(sum.column_statistics, &file.column_statistics)
            .map(|(sum, file)| ColumnStatistics {
                null_count: sum.null_count.add(&file.null_count),
                min_value: sum.min_value.min(&file.min_value),
                max_value: sum.max_value.max(&file.max_value),
                ..ColumnStatistics::new_unknown()
            })
            .collect(),
    })
}
