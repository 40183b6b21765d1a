//! The keys of a table's data files: read where they are, made where they are not.

use object_store::path::Path;

use crate::busy::busy;
use crate::caller::Caller;
use crate::table::{DataFile, Table};
use crate::{Error, KeyFile, Result};

/// The keys of a data file: its key file, which is made where it is missing or cannot be read.
///
/// # Errors
/// What the store does, and what making the keys does.
pub async fn keys_of(caller: &dyn Caller, table: &Table, file: &DataFile) -> Result<KeyFile> {
    let place = table.place();
    let path = Path::from(place.key_file(file.path.as_ref()));
    match KeyFile::open(&place.store, &path).await {
        Ok(Some(found)) if found.len() == file.rows => return Ok(found),
        Ok(_) => {}
        Err(error @ Error::Store { .. }) => return Err(error),
        Err(error) => tracing::warn!(%error, "a key file cannot be read and is made anew"),
    }
    let keys = caller.keys(table, file).await?;
    place.put_rebuildable(path.as_ref(), busy(move || keys.finish()).await?).await?;
    let made = KeyFile::open(&place.store, &path).await?;
    made.ok_or_else(|| Error::Damaged {
        path: path.to_string(),
        reason: "it vanished while it was made".to_owned(),
    })
}
