//! Bytes of files, placed in the store as they come.

use std::collections::HashMap;

use object_store::MultipartUpload;

use crate::{Error, Place, Result};

/// Some bytes of a file, behind those that came before.
#[derive(Debug)]
pub struct Part {
    /// The file's path in the store.
    pub path: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the file ends with them.
    pub last: bool,
}

/// Object stores want parts of some size.
const PART: usize = 8 << 20;

/// Places the parts of files; a file appears, durably, when its last one is placed.
#[derive(Debug)]
pub struct Parts {
    place: Place,
    open: HashMap<String, Open>,
}

#[derive(Debug)]
struct Open {
    upload: Box<dyn MultipartUpload>,
    waiting: Vec<u8>,
}

impl Parts {
    /// Places parts in the store of a table.
    #[must_use]
    pub fn new(place: &Place) -> Self {
        Self { place: place.clone(), open: HashMap::new() }
    }

    /// Places parts.
    ///
    /// # Errors
    /// What the store does.
    pub async fn place(&mut self, parts: impl IntoIterator<Item = Part>) -> Result<()> {
        for Part { path, bytes, last } in parts {
            let mut open = match self.open.remove(&path) {
                None if last => {
                    self.place.put(&path, bytes).await?;
                    continue;
                }
                None => Open { upload: self.place.begin(&path).await?, waiting: Vec::new() },
                Some(open) => open,
            };
            open.waiting.extend_from_slice(&bytes);
            if open.waiting.len() >= PART || last {
                let part = std::mem::take(&mut open.waiting);
                open.upload.put_part(part.into()).await.map_err(Error::store("write", &path))?;
            }
            if last {
                open.upload.complete().await.map_err(Error::store("finish", &path))?;
                self.place.sync(&path).await?;
            } else {
                self.open.insert(path, open);
            }
        }
        Ok(())
    }
}
