//! The statistics of a data file, as the Delta log has them.
//!
//! One invariant: nothing of a patient but what is named as indexed (ids, references, dates) is in them.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use parquet::data_type::ByteArray;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

/// The file's statistics as the Delta log wants them: the number of rows, and bounds of the indexed columns.
pub(super) fn statistics(metadata: &ParquetMetaData, indexed: &[String]) -> serde_json::Value {
    let mut bounds: BTreeMap<String, (Option<String>, Option<String>, u64)> = BTreeMap::new();
    let mut complete: BTreeMap<String, bool> = BTreeMap::new();
    for group in metadata.row_groups() {
        for column in group.columns() {
            let path = column.column_path().string();
            if !indexed.contains(&path) {
                continue;
            }
            let Some(Bounds { low, high, nulls }) = column.statistics().and_then(Bounds::of) else {
                continue;
            };
            let entry = bounds.entry(path.clone()).or_default();
            *complete.entry(path).or_insert(true) &= nulls.is_some();
            entry.0 = [entry.0.take(), low].into_iter().flatten().min();
            entry.1 = [entry.1.take(), high].into_iter().flatten().max();
            entry.2 += nulls.unwrap_or_default();
        }
    }
    let (mut low, mut high, mut nulls) =
        (serde_json::Map::new(), serde_json::Map::new(), serde_json::Map::new());
    for (path, (min, max, count)) in bounds {
        if let (Some(min), Some(max)) = (min, max) {
            nest(&mut low, &path, min.into());
            nest(&mut high, &path, max.into());
        }
        if complete.get(&path) == Some(&true) {
            nest(&mut nulls, &path, count.into());
        }
    }
    let rows = metadata.file_metadata().num_rows();
    serde_json::json!({ "numRecords": rows, "minValues": low, "maxValues": high, "nullCount": nulls })
}

/// The bounds of a column chunk, as texts whose order is that of the values.
struct Bounds {
    low: Option<String>,
    high: Option<String>,
    nulls: Option<u64>,
}

impl Bounds {
    fn of(statistics: &Statistics) -> Option<Self> {
        let nulls = statistics.null_count_opt();
        match statistics {
            Statistics::ByteArray(found) => {
                let text = |value: &ByteArray| value.as_utf8().ok().map(str::to_owned);
                Some(Self {
                    low: found.min_opt().and_then(text),
                    high: found.max_opt().and_then(text),
                    nulls,
                })
            }
            // The only numbers of 64 bits that are indexed are points in time.
            Statistics::Int64(found) => {
                let text = |micros: &i64| Some(instant(DateTime::from_timestamp_micros(*micros)?));
                Some(Self {
                    low: found.min_opt().and_then(text),
                    high: found.max_opt().and_then(text),
                    nulls,
                })
            }
            _ => None,
        }
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Puts a value at a dotted path of nested objects.
fn nest(into: &mut serde_json::Map<String, serde_json::Value>, path: &str, value: serde_json::Value) {
    match path.split_once('.') {
        None => {
            into.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = into.entry(first).or_insert_with(|| serde_json::Map::new().into());
            if let Some(inner) = inner.as_object_mut() {
                nest(inner, rest, value);
            }
        }
    }
}
