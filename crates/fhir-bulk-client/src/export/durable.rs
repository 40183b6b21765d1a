//! Files that are there after a crash, whole or not at all.

use std::path::Path;

use tokio::fs;
use tokio::io::AsyncWriteExt;

use crate::error::{Error, ErrorKind};

/// Writes a file beside its name and gives it the name when it is durable.
pub(super) async fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let new = path.with_extension("new");
    let write = async {
        let mut file = fs::File::create(&new).await?;
        file.write_all(bytes).await?;
        file.sync_all().await?;
        fs::rename(&new, path).await?;
        // The name is durable with the folder.
        if let Some(folder) = path.parent() {
            fs::File::open(folder).await?.sync_all().await?;
        }
        std::io::Result::Ok(())
    };
    write.await.map_err(|error| unusable(path, &error))
}

/// The error of a path that cannot be read or written.
pub(super) fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Config, format!("{} cannot be used: {error}", path.display()))
}
