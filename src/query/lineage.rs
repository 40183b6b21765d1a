//! From a row back to its line.

use arrow::array::{Array, AsArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use bytes::Bytes;
use datafusion::prelude::{col, lit};

use super::session::{Session, failed, query_error};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::raw::RawSource;

/// The line that a resource's row was made of, byte for byte.
///
/// # Errors
/// [`Error::Refused`] for what is no `Type/id`, and for a resource that the lake does not have.
pub async fn raw_line(lake: &Lake, session: &Session, resource: &str) -> Result<Bytes> {
    let (resource_type, id) = resource
        .split_once('/')
        .filter(|(resource_type, id)| {
            lake.definitions().is_resource(resource_type) && fhir_arrow::is_legal_id(id)
        })
        .ok_or_else(|| {
            Error::Refused(format!("{resource:?} is no resource: write TYPE/ID, as in Patient/123"))
        })?;
    let rows = session
        .plan(&format!("SELECT id, __raw_file, __raw_offset, __raw_length, __row_hash FROM {resource_type}"))
        .await?
        .filter(col("id").eq(lit(id)))
        .map_err(|e| query_error(&e))?;
    let batches = rows.collect().await.map_err(|e| failed(&e))?;
    let row = batches.iter().find(|batch| batch.num_rows() > 0).ok_or_else(|| {
        Error::Refused(format!(
            "the lake has no {resource_type} of that id; it may have been deleted on the server"
        ))
    })?;
    let damaged = || Error::Damaged {
        path: format!("tables/{resource_type}"),
        reason: "the row does not say where its line is".to_owned(),
    };
    let file = cast(row.column(1), &DataType::Utf8).map_err(Error::arrow(resource_type))?;
    let file =
        file.as_any().downcast_ref::<StringArray>().filter(|file| file.is_valid(0)).ok_or_else(damaged)?;
    let number = |at: usize| {
        let column = row.column(at).as_any().downcast_ref::<Int64Array>()?;
        column.is_valid(0).then(|| u64::try_from(column.value(0)).ok()).flatten()
    };
    let (offset, length) = (number(2).ok_or_else(damaged)?, number(3).ok_or_else(damaged)?);
    let line = RawSource::open(&lake.root, file.value(0)).await?.read(offset..offset + length).await?;
    if row.column(4).as_primitive_opt::<Int64Type>().map(|hash| hash.value(0))
        == Some(fhir_arrow::row_hash(&line))
    {
        return Ok(line);
    }
    Err(Error::Damaged {
        path: file.value(0).to_owned(),
        reason: "it has changed since it was loaded: these are not the bytes that the row was made of"
            .to_owned(),
    })
}
