//! Where a lake lies: a location as the user writes it → an object store and the URLs of the tables in it.
//!
//! One invariant: what [`Root::put_new`] reports as created exists completely and durably, and was created by this call
//! alone. The protocol of a run rests on it (plans, frozen inputs), and it works on a local file system as on an object
//! store.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use delta_upsert::{Durable, Place};
use deltalake::logstore::{StorageConfig, object_store_factories};
use futures::TryStreamExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use url::Url;

use crate::error::{Error, Result};

/// The root of a lake.
#[derive(Clone, Debug)]
pub struct Root {
    store: Arc<dyn ObjectStore>,
    folder: PathBuf,
    url: Url,
}

/// Whether a create-only put created its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It did.
    New,
    /// Somebody had created it before: theirs stands.
    Existed,
}

impl Root {
    /// Opens a location that is there already.
    ///
    /// # Errors
    /// [`Error::Refused`] where nothing lies there, or the location's form is not known.
    pub fn open(location: &str) -> Result<Self> {
        let folder = local_folder(location)?;
        if !folder.is_dir() {
            return Err(Error::Refused(format!(
                "there is no lake at {location}: `fhirlake export` or `fhirlake ingest` creates one"
            )));
        }
        Self::at(&folder)
    }

    /// Opens a location, created where it is missing (for its owner only).
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be created.
    pub fn create(location: &str) -> Result<Self> {
        let folder = local_folder(location)?;
        std::fs::create_dir_all(&folder).map_err(Error::io("create the lake's folder", &folder))?;
        Self::at(&folder)
    }

    fn at(folder: &FilePath) -> Result<Self> {
        let folder = folder.canonicalize().map_err(Error::io("open", folder))?;
        // The Delta library decodes paths once too often: such a table would be looked for elsewhere.
        if folder.to_string_lossy().contains('%') {
            return Err(Error::Refused(format!(
                "the path {} has a % in it: choose another",
                folder.display()
            )));
        }
        let url = Url::from_directory_path(&folder)
            .map_err(|()| Error::Refused(format!("{} is not an absolute path", folder.display())))?;
        Ok(Self { store: store_of(&url)?, folder, url })
    }

    /// The lake's location, as printed and as other programs open it.
    pub fn location(&self) -> String {
        self.folder.display().to_string()
    }

    /// The URL of a path in the lake, as Delta wants it.
    pub fn url(&self, relative: &str) -> Result<Url> {
        self.url
            .join(&format!("{relative}/"))
            .map_err(|e| Error::Refused(format!("{relative} is no path of a lake: {e}")))
    }

    /// The file of a path in the lake: every lake lies in a local folder.
    pub(crate) fn local(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// The object store whose root is the lake.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Puts an object that must not exist yet.
    pub async fn put_new(&self, path: &str, content: impl Into<PutPayload>) -> Result<Created> {
        match self.store.put_opts(&Path::from(path), content.into(), PutMode::Create.into()).await {
            Ok(_) => self.sync(path).await.map(|()| Created::New),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Existed),
            Err(source) => Err(storage("create", path)(source)),
        }
    }

    /// Puts an object, over an earlier one.
    pub async fn put(&self, path: &str, content: impl Into<PutPayload>) -> Result<()> {
        self.store.put(&Path::from(path), content.into()).await.map_err(storage("write", path))?;
        self.sync(path).await
    }

    /// Puts an object that can be made again: a loss of power may take it.
    pub async fn put_rebuildable(&self, path: &str, content: impl Into<PutPayload>) -> Result<()> {
        self.store.put(&Path::from(path), content.into()).await.map(drop).map_err(storage("write", path))
    }

    /// An object's bytes, or `None` where there is none.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        match self.store.get(&Path::from(path)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(storage("read", path)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(storage("read", path)(source)),
        }
    }

    /// A range of an object's bytes.
    pub async fn get_range(&self, path: &str, range: std::ops::Range<u64>) -> Result<Bytes> {
        self.store.get_range(&Path::from(path), range).await.map_err(storage("read", path))
    }

    /// The names of the folders below a folder, in order.
    pub async fn folders(&self, path: &str) -> Result<Vec<String>> {
        let listed = match self.store.list_with_delimiter(Some(&Path::from(path))).await {
            Ok(listed) => listed,
            Err(object_store::Error::NotFound { .. }) => return Ok(Vec::new()),
            Err(source) => return Err(storage("list", path)(source)),
        };
        let mut names: Vec<String> =
            listed.common_prefixes.iter().filter_map(|p| p.filename().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }

    /// Removes every object below a folder.
    pub async fn remove_all(&self, path: &str) -> Result<()> {
        let below: Vec<_> =
            self.store.list(Some(&Path::from(path))).try_collect().await.map_err(storage("list", path))?;
        for object in below {
            self.store.delete(&object.location).await.map_err(storage("remove", path))?;
        }
        Ok(())
    }

    /// Begins an object that appears under its name only when [`Upload::complete`] has made it whole.
    pub async fn upload(&self, path: &str) -> Result<Upload> {
        let upload =
            self.store.put_multipart(&Path::from(path)).await.map_err(storage("begin to write", path))?;
        Ok(Upload { root: self.clone(), path: path.to_owned(), upload, pending: Vec::new() })
    }

    /// Removes what writers that were killed have left half-written in a folder, and folders with nothing in them.
    /// Object stores show neither; the local store keeps the parts beside the file, with `#` and a number after its name,
    /// and a file that outlives its writer is called `….part` until it is whole.
    pub async fn remove_unfinished(&self, path: &str) -> Result<()> {
        let folder = self.folder.join(path);
        let walked = tokio::task::spawn_blocking(move || remove_unfinished(&folder));
        let done = walked.await.unwrap_or_else(|e| Err(std::io::Error::other(e)));
        done.map_err(Error::io("clean up", self.folder.join(path)))
    }

    /// Takes a lock that no other process gets while this one holds it. A process that ends, however it ends, gives its
    /// locks back.
    ///
    /// # Errors
    /// [`Error::Refused`] with `taken`, where another process has it.
    pub async fn lock(&self, path: &str, taken: &str) -> Result<Lock> {
        let (path, taken) = (self.folder.join(path), taken.to_owned());
        let locked = tokio::task::spawn_blocking(move || {
            let folder = path.parent().unwrap_or(&path);
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            let options = std::fs::File::options().create(true).append(true).open(&path);
            let file = options.map_err(Error::io("open", &path))?;
            match file.try_lock() {
                Ok(()) => Ok(Lock(file)),
                Err(std::fs::TryLockError::WouldBlock) => Err(Error::Refused(taken)),
                Err(std::fs::TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
            }
        });
        locked.await.unwrap_or(Err(Error::Interrupted))
    }

    /// Where the table of that name lies.
    pub fn table(&self, name: &str) -> Result<Place> {
        self.place(name, &format!("tables/{name}"), format!("keys/{name}"))
    }

    /// Where the table of a view lies, by its path below `views/`.
    pub fn view(&self, path: &str) -> Result<Place> {
        let folder = format!("views/{path}");
        self.place(&folder, &folder, format!("keys/{folder}"))
    }

    fn place(&self, name: &str, folder: &str, keys: String) -> Result<Place> {
        Ok(Place {
            name: name.to_owned(),
            url: self.url(folder)?,
            store: Arc::clone(&self.store),
            folder: folder.to_owned(),
            keys,
            durable: Arc::new(self.clone()),
        })
    }

    /// Makes a local file survive a loss of power. An object store has done so when its put returns.
    pub async fn sync(&self, path: &str) -> Result<()> {
        self.synced(path).await.map_err(Error::io("write to disk", self.folder.join(path)))
    }

    async fn synced(&self, path: &str) -> std::io::Result<()> {
        let file = self.folder.join(path);
        let synced = tokio::task::spawn_blocking(move || {
            std::fs::File::open(&file)?.sync_all()?;
            file.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
        });
        synced.await.unwrap_or_else(|e| Err(std::io::Error::other(e)))
    }
}

impl Durable for Root {
    fn sync<'a>(&'a self, path: &'a str) -> BoxFuture<'a, std::io::Result<()>> {
        Box::pin(self.synced(path))
    }
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
#[must_use = "the lock is given back when this is dropped"]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] std::fs::File);

/// An object on its way into the lake.
#[derive(Debug)]
pub struct Upload {
    root: Root,
    path: String,
    upload: Box<dyn MultipartUpload>,
    pending: Vec<u8>,
}

/// Bytes that are collected before they go to the store: object stores want parts of at least 5 MiB.
const PART: usize = 8 << 20;

impl Upload {
    /// Appends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PART { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        let part = std::mem::take(&mut self.pending);
        self.upload.put_part(part.into()).await.map_err(storage("write", &self.path))
    }

    /// Gives the object its name, durably.
    pub async fn complete(mut self) -> Result<()> {
        if !self.pending.is_empty() {
            self.flush().await?;
        }
        self.upload.complete().await.map_err(storage("finish", &self.path))?;
        self.root.sync(&self.path).await
    }

    /// Gives the object up.
    pub async fn abort(mut self) {
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(path = self.path, %error, "an unfinished upload could not be removed");
        }
    }
}

fn remove_unfinished(folder: &FilePath) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut left = 0_usize;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            remove_unfinished(&path)?;
            left += usize::from(path.exists());
        } else if is_unfinished(&path) {
            std::fs::remove_file(&path)?;
        } else {
            left += 1;
        }
    }
    if left == 0 { std::fs::remove_dir(folder) } else { Ok(()) }
}

fn is_unfinished(path: &FilePath) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let of_store = name.rsplit_once('#').is_some_and(|(_, n)| n.parse::<u32>().is_ok());
    of_store || name.ends_with(".part") || name.ends_with(".part.json")
}

/// The store at a URL: that of the Delta library's own registry, so that a lake's files and its tables' logs are always in
/// one store.
fn store_of(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    let cannot = |reason: String| Error::Refused(format!("a lake cannot lie at {url}: {reason}"));
    let scheme = Url::parse(&format!("{}://", url.scheme())).map_err(|e| cannot(e.to_string()))?;
    let factory = object_store_factories().get(&scheme).map(|factory| Arc::clone(factory.value()));
    let factory = factory.ok_or_else(|| cannot("no store of this kind is known".to_owned()))?;
    let (store, path) =
        factory.parse_url_opts(url, &StorageConfig::default()).map_err(|e| cannot(e.to_string()))?;
    Ok(Arc::new(PrefixStore::new(store, path)))
}

/// For `map_err`: an error of the store on a path of the lake.
pub(crate) fn storage(operation: &'static str, path: &str) -> impl FnOnce(object_store::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Storage { operation, path, source }
}

/// The folder of a location: a path, or a `file:` URL.
fn local_folder(location: &str) -> Result<PathBuf> {
    match location.split_once("://") {
        None => Ok(PathBuf::from(location)),
        Some(("file", _)) => Url::parse(location)
            .ok()
            .and_then(|url| url.to_file_path().ok())
            .ok_or_else(|| Error::Refused(format!("{location} is not a file URL with an absolute path"))),
        Some((scheme, _)) => Err(Error::Refused(format!(
            "this build opens lakes in local folders only, not {scheme}:// locations"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_first_create_only_put_creates() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path().join("lake").to_str().unwrap()).unwrap();
        assert_eq!(root.put_new("_runs/a/1/plan.json", "one").await.unwrap(), Created::New);
        assert_eq!(root.put_new("_runs/a/1/plan.json", "two").await.unwrap(), Created::Existed);
        assert_eq!(root.get("_runs/a/1/plan.json").await.unwrap().unwrap(), "one");
        assert_eq!(root.folders("_runs").await.unwrap(), ["a"]);
    }

    #[tokio::test]
    async fn an_upload_that_is_not_completed_leaves_no_object() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path().to_str().unwrap()).unwrap();
        let mut given_up = root.upload("raw/x").await.unwrap();
        given_up.write(b"half").await.unwrap();
        given_up.abort().await;
        assert!(root.get("raw/x").await.unwrap().is_none());
        let mut whole = root.upload("raw/x").await.unwrap();
        whole.write(b"whole").await.unwrap();
        whole.complete().await.unwrap();
        assert_eq!(root.get("raw/x").await.unwrap().unwrap(), "whole");
    }

    #[tokio::test]
    async fn a_lock_is_held_once_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path().to_str().unwrap()).unwrap();
        let held = root.lock("_leases/a/lock", "taken").await.unwrap();
        let refused = root.lock("_leases/a/lock", "taken").await.unwrap_err();
        assert_eq!(refused.to_string(), "taken");
        drop(held);
        assert!(root.lock("_leases/a/lock", "taken").await.is_ok());
    }

    #[test]
    fn a_location_of_another_kind_is_refused_by_name() {
        let refused = Root::open("s3://bucket/lake").unwrap_err().to_string();
        assert!(refused.contains("s3://"), "{refused}");
    }
}
