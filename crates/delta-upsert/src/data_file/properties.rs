//! How the columns of a data file are encoded.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::errors::Result as ParquetResult;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

/// Columns that no two rows share: a dictionary of them would be paid for twice.
const WITHOUT_DICTIONARY: [&str; 4] = ["id", "__row_hash", "__raw_offset", "__raw_length"];

/// Numbers that rise from row to row.
const DELTAS: [&str; 2] = ["__raw_offset", "__raw_length"];

/// Rows of a row group: what one thread of a reader takes at a time.
const GROUP_ROWS: usize = 128 * 1024;

/// Compression, statistics only where they are asked for, and dictionaries only where values repeat. The first rows say
/// which leaves are empty: most of a type's leaves are, and a compressor of zstd for each would take a hundred kilobytes, one of
/// Snappy takes none.
pub(super) fn properties(first: &RecordBatch, indexed: &[String]) -> ParquetResult<WriterProperties> {
    let schema = first.schema_ref();
    let filled = filled(first);
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(false)
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    for (column, filled) in ArrowSchemaConverter::new().convert(schema)?.columns().iter().zip(filled) {
        let path = column.path().string();
        if !filled {
            properties = properties.set_column_compression(column.path().clone(), Compression::SNAPPY);
        }
        if indexed.contains(&path) {
            properties =
                properties.set_column_statistics_enabled(column.path().clone(), EnabledStatistics::Chunk);
        }
        if column.physical_type() == Type::INT64 || WITHOUT_DICTIONARY.contains(&path.as_str()) {
            properties = properties.set_column_dictionary_enabled(column.path().clone(), false);
        }
        if DELTAS.contains(&path.as_str()) {
            properties = properties.set_column_encoding(column.path().clone(), Encoding::DELTA_BINARY_PACKED);
        }
    }
    Ok(properties.build())
}

/// Which leaves have a value, in the order of the file's columns.
fn filled(batch: &RecordBatch) -> Vec<bool> {
    let mut leaves = Vec::new();
    batch.columns().iter().for_each(|column| walk(column, &mut leaves));
    leaves
}

fn walk(array: &ArrayRef, leaves: &mut Vec<bool>) {
    match array.data_type() {
        DataType::Struct(_) => array.as_struct().columns().iter().for_each(|column| walk(column, leaves)),
        DataType::List(_) => walk(array.as_list::<i32>().values(), leaves),
        DataType::Map(..) => {
            array.as_map().entries().columns().iter().for_each(|column| walk(column, leaves));
        }
        _ => leaves.push(array.null_count() < array.len()),
    }
}
