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

    /// Removes an object that nothing refers to, as far as the store lets it; says whether it did.
    pub(crate) async fn remove(&self, path: &str) -> bool {
        match self.store.delete(&Path::from(path)).await {
            Ok(()) => true,
            Err(object_store::Error::NotFound { .. }) => false,
            Err(error) => {
                tracing::warn!(path, %error, "a file that nothing refers to could not be removed");
                false
            }
        }
    }

    pub(crate) async fn begin(&self, path: &str) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart(&Path::from(path)).await.map_err(Error::store("begin to write", path))
    }

    pub(crate) async fn sync(&self, path: &str) -> Result<()> {
        self.durable.sync(path).await.map_err(|source| Error::Durable { path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use object_store::local::LocalFileSystem;

    use super::*;

    #[derive(Debug)]
    struct Lasting;

    impl Durable for Lasting {
        fn sync<'a>(&'a self, _: &'a str) -> BoxFuture<'a, std::io::Result<()>> {
            Box::pin(async { Ok(()) })
        }
    }

    #[tokio::test]
    async fn what_the_store_does_not_remove_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place {
            name: "T".to_owned(),
            url: Url::from_directory_path(folder.path()).unwrap(),
            store: Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap()),
            folder: "T".to_owned(),
            keys: "T/keys".to_owned(),
            durable: Arc::new(Lasting),
        };
        std::fs::create_dir_all(folder.path().join("T/b.parquet/in-the-way")).unwrap();
        place.put("T/a.parquet", vec![1]).await.unwrap();
        assert!(place.remove("T/a.parquet").await);
        assert!(!place.remove("T/a.parquet").await, "it is gone already");
        assert!(!place.remove("T/b.parquet").await, "it is no file");
    }
}
