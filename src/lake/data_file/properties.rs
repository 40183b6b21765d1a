//! How the columns of a data file are encoded.

use arrow::datatypes::Schema;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::errors::Result as ParquetResult;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

/// Columns that no two rows share: a dictionary of them would be paid for twice.
const WITHOUT_DICTIONARY: [&str; 4] = ["id", "__row_hash", "__raw_offset", "__raw_length"];

/// Rows of a row group: what one thread of a reader takes at a time.
const GROUP_ROWS: usize = 128 * 1024;

/// Compression, statistics only where they are asked for, and dictionaries only where values repeat.
pub(super) fn properties(schema: &Schema, indexed: &[String]) -> ParquetResult<WriterProperties> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(false)
        .set_max_row_group_row_count(Some(GROUP_ROWS));
    for column in ArrowSchemaConverter::new().convert(schema)?.columns() {
        let path = column.path().string();
        if indexed.contains(&path) {
            properties =
                properties.set_column_statistics_enabled(column.path().clone(), EnabledStatistics::Chunk);
        }
        let timestamp = column.physical_type() == Type::INT64 && path != "__row_hash";
        if timestamp || WITHOUT_DICTIONARY.contains(&path.as_str()) {
            properties = properties.set_column_dictionary_enabled(column.path().clone(), false);
        }
        if timestamp {
            properties = properties.set_column_encoding(column.path().clone(), Encoding::DELTA_BINARY_PACKED);
        }
    }
    Ok(properties.build())
}
