//! Deletion vectors: which rows of a data file are no longer in the table
//! (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md#deletion-vectors>).
//!
//! One invariant: a new vector of a file holds all rows of the old one. Positions are those in the file, over its row
//! groups.

use std::collections::BTreeMap;

use buoyant_kernel::actions::deletion_vector::DeletionVectorDescriptor as KernelDescriptor;
use buoyant_kernel::actions::deletion_vector_writer::{KernelDeletionVector, StreamingDeletionVectorWriter};
use deltalake::kernel::{DeletionVectorDescriptor, StorageType};
use roaring::RoaringBitmap;

use crate::table::{DataFile, Table};
use crate::{Error, Result};

/// The largest vector, in bytes, that is kept in the log itself. One in a file is one more object to write, to read, and
/// to keep from programs that clean up; one in the log is in every checkpoint.
const INLINE: usize = 1024;

/// What a serialised vector has before its bitmap that an inline one has not: the format's version and a length.
const PREFIX: usize = 5;

/// The rows that the vector of a data file removes; none for a file without one.
///
/// # Errors
/// [`Error::Damaged`], where the vector cannot be read.
pub async fn removed(table: &Table, file: &DataFile) -> Result<RoaringBitmap> {
    rows(table, file, file.add().and_then(|add| add.deletion_vector.as_ref())).await
}

/// The rows that a vector of a data file names; none without one.
pub(crate) async fn rows(
    table: &Table,
    file: &DataFile,
    descriptor: Option<&DeletionVectorDescriptor>,
) -> Result<RoaringBitmap> {
    let Some(descriptor) = descriptor.cloned() else { return Ok(RoaringBitmap::new()) };
    let (engine, url) = (table.delta().log_store().engine(None), table.place().url.clone());
    let path = table.place().data_file(file.path.as_ref());
    let read = tokio::task::spawn_blocking(move || {
        let descriptor: KernelDescriptor = descriptor.try_into()?;
        descriptor.row_indexes(engine.storage_handler(), &url)
    });
    let damaged = |reason: String| Error::Damaged {
        path: path.clone(),
        reason: format!("its deletion vector: {reason}"),
    };
    let rows = read.await.map_err(|_| Error::Interrupted)?.map_err(|e| damaged(e.to_string()))?;
    let rows: Option<RoaringBitmap> = rows.into_iter().map(|row| u32::try_from(row).ok()).collect();
    rows.ok_or_else(|| damaged("it names a row beyond 2^32".to_owned()))
}

/// Writes vectors, each by the number of its data file: the small ones into their descriptors, all others into one file
/// of the table's folder. Returns the descriptors, and the name of that file.
///
/// # Errors
/// [`Error::Store`], [`Error::Durable`].
pub async fn write(
    table: &Table,
    vectors: &BTreeMap<usize, RoaringBitmap>,
) -> Result<(BTreeMap<usize, DeletionVectorDescriptor>, Option<String>)> {
    let damaged = |e: buoyant_kernel::Error| Error::Damaged {
        path: table.place().folder.clone(),
        reason: format!("a deletion vector cannot be written: {e}"),
    };
    let mut descriptors = BTreeMap::new();
    let mut large = BTreeMap::new();
    for (number, rows) in vectors {
        match inline(rows).map_err(damaged)? {
            Some(descriptor) => drop(descriptors.insert(*number, descriptor)),
            None => drop(large.insert(*number, rows)),
        }
    }
    if large.is_empty() {
        return Ok((descriptors, None));
    }
    let id = uuid::Uuid::new_v4();
    let mut bytes = Vec::new();
    let mut writer = StreamingDeletionVectorWriter::new(&mut bytes);
    for (number, rows) in large {
        let written = writer.write_deletion_vector(kernel(rows)).map_err(damaged)?;
        descriptors.insert(
            number,
            DeletionVectorDescriptor {
                storage_type: StorageType::UuidRelativePath,
                path_or_inline_dv: z85::encode(id.as_bytes()),
                offset: Some(written.offset),
                size_in_bytes: written.size_in_bytes,
                cardinality: written.cardinality,
            },
        );
    }
    writer.finalize().map_err(damaged)?;
    let name = format!("deletion_vector_{id}.bin");
    table.place().put(&table.place().data_file(&name), bytes).await?;
    Ok((descriptors, Some(name)))
}

fn kernel(rows: &RoaringBitmap) -> KernelDeletionVector {
    let mut vector = KernelDeletionVector::new();
    vector.add_deleted_row_indexes(rows.iter().map(u64::from));
    vector
}

/// A vector in its descriptor; `None` if it is too large for that.
fn inline(rows: &RoaringBitmap) -> Result<Option<DeletionVectorDescriptor>, buoyant_kernel::Error> {
    let mut bytes = Vec::new();
    let mut writer = StreamingDeletionVectorWriter::new(&mut bytes);
    let written = writer.write_deletion_vector(kernel(rows))?;
    writer.finalize()?;
    let size = usize::try_from(written.size_in_bytes).unwrap_or_default();
    let Some(bitmap) = bytes.get(PREFIX..PREFIX + size).filter(|bitmap| bitmap.len() <= INLINE) else {
        return Ok(None);
    };
    // Five characters stand for four bytes: what is missing to these is zeros, which the size leaves out.
    let mut padded = bitmap.to_vec();
    padded.resize(size.next_multiple_of(4), 0);
    Ok(Some(DeletionVectorDescriptor {
        storage_type: StorageType::Inline,
        path_or_inline_dv: z85::encode(&padded),
        offset: None,
        size_in_bytes: written.size_in_bytes,
        cardinality: written.cardinality,
    }))
}
