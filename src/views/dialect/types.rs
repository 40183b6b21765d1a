//! The columns of a table, as a query without rows that has them.
//!
//! One invariant: such a table has every column, and every field of every column, with the type that a table with rows has.

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::names::ident;
use super::{Dialect, Refusal};

/// `SELECT CAST(NULL AS …) AS …, … WHERE false`.
pub(super) fn no_rows(dialect: Dialect, columns: &Schema) -> Result<String, Refusal> {
    let columns = columns.fields().iter().map(|column| {
        let data_type = sql_type(dialect, column.data_type())?;
        Ok(format!("  CAST(NULL AS {data_type}) AS {}", ident(dialect.rules(), column.name())))
    });
    Ok(format!("SELECT\n{}\nWHERE false", columns.collect::<Result<Vec<_>, Refusal>>()?.join(",\n")))
}

/// `name TYPE, …`.
pub(super) fn columns(dialect: Dialect, columns: &Schema) -> Result<String, Refusal> {
    let columns = columns.fields().iter().map(|column| {
        Ok(format!("  {} {}", ident(dialect.rules(), column.name()), sql_type(dialect, column.data_type())?))
    });
    Ok(columns.collect::<Result<Vec<_>, Refusal>>()?.join(",\n"))
}

fn sql_type(dialect: Dialect, data_type: &DataType) -> Result<String, Refusal> {
    let is_duckdb = dialect == Dialect::DuckDb;
    Ok(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if is_duckdb => "VARCHAR".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "STRING".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView if is_duckdb => "BLOB".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "BINARY".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) if is_duckdb => "TIMESTAMPTZ".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "TIMESTAMP".to_owned(),
        DataType::Struct(fields) => {
            let fields =
                fields.iter().map(|field| struct_field(dialect, field)).collect::<Result<Vec<_>, _>>()?;
            if is_duckdb {
                format!("STRUCT({})", fields.join(", "))
            } else {
                format!("STRUCT<{}>", fields.join(", "))
            }
        }
        DataType::List(item) if is_duckdb => format!("{}[]", sql_type(dialect, item.data_type())?),
        DataType::List(item) => format!("ARRAY<{}>", sql_type(dialect, item.data_type())?),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) if entry.len() == 2 => {
                let key = sql_type(dialect, entry[0].data_type())?;
                let value = sql_type(dialect, entry[1].data_type())?;
                if is_duckdb { format!("MAP({key}, {value})") } else { format!("MAP<{key}, {value}>") }
            }
            other => return Err(format!("there is no rule for entries of the type {other}")),
        },
        other => return Err(format!("there is no rule for the type {other}")),
    })
}

fn struct_field(dialect: Dialect, field: &Field) -> Result<String, Refusal> {
    let separator = if dialect == Dialect::DuckDb { " " } else { ": " };
    let name = ident(dialect.rules(), field.name());
    Ok(format!("{name}{separator}{}", sql_type(dialect, field.data_type())?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn every_field_has_its_type() {
        let period = DataType::Struct(
            vec![
                Field::new("end", DataType::Utf8, true),
                Field::new("__end_end", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
            ]
            .into(),
        );
        let schema = Schema::new(vec![
            Field::new("id", DataType::Utf8, true),
            Field::new("for", DataType::List(Arc::new(Field::new("item", period, true))), true),
        ]);
        assert_eq!(
            no_rows(Dialect::DuckDb, &schema).unwrap(),
            "SELECT\n  CAST(NULL AS VARCHAR) AS id,\n  \
             CAST(NULL AS STRUCT(\"end\" VARCHAR, __end_end TIMESTAMPTZ)[]) AS \"for\"\nWHERE false"
        );
        assert_eq!(
            no_rows(Dialect::Spark, &schema).unwrap(),
            "SELECT\n  CAST(NULL AS STRING) AS id,\n  \
             CAST(NULL AS ARRAY<STRUCT<`end`: STRING, __end_end: TIMESTAMP>>) AS `for`\nWHERE false"
        );
    }

    #[test]
    fn a_type_that_no_table_has_is_refused() {
        let schema = Schema::new(vec![Field::new("a", DataType::UInt64, true)]);
        assert!(no_rows(Dialect::Spark, &schema).is_err());
    }
}
