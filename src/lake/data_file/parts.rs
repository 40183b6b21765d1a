//! Bytes of files, placed in the lake as they come.

use std::collections::HashMap;

use crate::error::Result;
use crate::storage::{Root, Upload};

/// Some bytes of a file, behind those that came before.
#[derive(Debug)]
pub struct Part {
    /// The file's path in the lake.
    pub path: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the file ends with them.
    pub last: bool,
}

/// Places the parts of files; a file appears when its last one is placed.
#[derive(Debug)]
pub struct Parts {
    root: Root,
    open: HashMap<String, Upload>,
}

impl Parts {
    /// Places parts in a lake.
    pub fn new(root: &Root) -> Self {
        Self { root: root.clone(), open: HashMap::new() }
    }

    /// Places parts.
    pub async fn place(&mut self, parts: impl IntoIterator<Item = Part>) -> Result<()> {
        for Part { path, bytes, last } in parts {
            let upload = match self.open.remove(&path) {
                None if last => {
                    self.root.put(&path, bytes).await?;
                    continue;
                }
                None => self.root.upload(&path).await?,
                Some(upload) => upload,
            };
            let mut upload = upload;
            upload.write(&bytes).await?;
            if last {
                upload.complete().await?;
            } else {
                self.open.insert(path, upload);
            }
        }
        Ok(())
    }

    /// Gives up what has no last part yet.
    pub async fn abort(self) {
        for upload in self.open.into_values() {
            upload.abort().await;
        }
    }
}
