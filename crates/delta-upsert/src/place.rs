//! Where a table lies, and how what is put there is made to survive a loss of power.

use std::fmt::Debug;
use std::sync::Arc;

use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt};
use url::Url;

use crate::{Error, Result};

/// Makes objects durable. Object stores have done so when a put returns; local files have not.
pub trait Durable: Debug + Send + Sync {
    /// Makes the object at a path survive a loss of power.
    fn sync<'a>(&'a self, path: &'a str) -> BoxFuture<'a, std::io::Result<()>>;
}

/// Where a table lies.
#[derive(Debug, Clone)]
pub struct Place {
    /// The table's name, for errors.
    pub name: String,
    /// The table's folder, as Delta wants it: it ends with a slash.
    pub url: Url,
    /// The store in which the paths below lie.
    pub store: Arc<dyn ObjectStore>,
    /// The table's folder in the store.
    pub folder: String,
    /// The folder of its key files.
    pub keys: String,
    /// Makes what is put there durable.
    pub durable: Arc<dyn Durable>,
}

impl Place {
    /// The path of a data file in the store.
    #[must_use]
    pub fn data_file(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// The path of the keys of a data file.
    #[must_use]
    pub fn key_file(&self, data_file: &str) -> String {
        let name = data_file.strip_suffix(".parquet").unwrap_or(data_file);
        format!("{}/{name}.keys", self.keys)
    }

    /// Puts an object, durably.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<()> {
        self.store.put(&Path::from(path), bytes.into()).await.map_err(Error::store("write", path))?;
        self.sync(path).await
    }

    /// Puts an object that can be made again: a loss of power may take it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn put_rebuildable(&self, path: &str, bytes: bytes::Bytes) -> Result<()> {
        self.store.put(&Path::from(path), bytes.into()).await.map(drop).map_err(Error::store("write", path))
    }

    /// Removes an object that nothing refers to, as far as the store lets it.
    pub(crate) async fn remove(&self, path: &str) {
        match self.store.delete(&Path::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => tracing::warn!(path, %error, "a file that nothing refers to could not be removed"),
        }
    }

    pub(crate) async fn begin(&self, path: &str) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart(&Path::from(path)).await.map_err(Error::store("begin to write", path))
    }

    pub(crate) async fn sync(&self, path: &str) -> Result<()> {
        self.durable.sync(path).await.map_err(|source| Error::Durable { path: path.to_owned(), source })
    }
}
