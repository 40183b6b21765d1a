//! The lake: one FHIR server's data as one identity sees it. Delta lives here and nowhere else.
//!
//! `table` and `data_file` are a Delta table and its Parquet files; `own` and what stands on it are the tables about
//! the lake itself; `resource`, `stage` and `upsert` are the tables of the resource types, `materialized` those of views.

pub mod audit;
pub mod exports;
pub mod findings;
pub mod gaps;
pub mod identity;
pub mod keys;
pub mod ledger;
pub mod materialized;
pub mod members;
pub mod own;
pub mod quarantine;
pub mod resource;
pub mod rest;
pub mod stage;
pub mod table;
pub mod upsert;

use crate::error::{Error, Result};
use crate::storage::{Created, Root};
use std::collections::BTreeSet;

use fhir_definitions::Definitions;
use identity::Identity;
use resource::{ResourceTable, resource_type};

/// The object that makes a folder a lake.
const IDENTITY: &str = "lake.json";

/// An open lake.
#[derive(Debug, Clone)]
pub struct Lake {
    /// Where it lies.
    pub root: Root,
    /// Whose data it holds.
    pub identity: Identity,
}

impl Lake {
    /// Opens a lake that is there.
    ///
    /// # Errors
    /// [`Error::Refused`] where the location holds none, or one of a layout that this program does not know.
    pub async fn open(location: &str) -> Result<Self> {
        let root = Root::open(location)?;
        match read_identity(&root).await? {
            Some(identity) => Ok(Self { root, identity }),
            None => Err(Error::Refused(format!(
                "{location} is no lake: it has no {IDENTITY}; `fhirlake export` or `fhirlake ingest` creates one"
            ))),
        }
    }

    /// Opens a lake to write to it; its folder is created where it is missing. A lake that is there must be `wanted`'s:
    /// a server that it has recorded is never exchanged for another; one that was made from files takes the first
    /// server that comes. Nothing of this is written before [`Lake::record_identity`].
    ///
    /// # Errors
    /// [`Error::Refused`] where the lake belongs to another server, or to another identity.
    pub async fn admit(location: &str, wanted: &Identity) -> Result<Self> {
        let root = Root::create(location)?;
        let identity = match read_identity(&root).await? {
            Some(found) => found.admit(wanted)?.with_tables_of(wanted, &tables(&root).await?)?,
            None => wanted.clone(),
        };
        identity.check_tables()?;
        Ok(Self { root, identity })
    }

    /// Writes down whose lake this is, unless it is written already.
    ///
    /// # Errors
    /// [`Error::Refused`] where another process has made it another's in the meantime.
    pub async fn record_identity(&self) -> Result<()> {
        let written = || serde_json::to_vec_pretty(&self.identity).map_err(damaged);
        if self.root.put_new(IDENTITY, written()?).await? == Created::New {
            return Ok(());
        }
        let found = read_identity(&self.root).await?.ok_or_else(|| Error::Damaged {
            path: IDENTITY.to_owned(),
            reason: "it vanished while it was read".to_owned(),
        })?;
        if found.admit(&self.identity)? != found {
            self.root.put(IDENTITY, written()?).await?;
        }
        Ok(())
    }
}

impl Lake {
    /// Writes down how the tables are made now.
    pub async fn rewrite_identity(&self) -> Result<()> {
        self.root.put(IDENTITY, serde_json::to_vec_pretty(&self.identity).map_err(damaged)?).await
    }

    /// The table of that name.
    ///
    /// # Errors
    /// [`Error::Schema`], where the FHIR version has no such type.
    pub fn resource_table(&self, name: &str) -> Result<ResourceTable> {
        let configured =
            self.identity.tables.get(resource_type(name)).map_or(&[][..], |table| &table.columns);
        ResourceTable::new(self.definitions(), name, configured)
    }

    /// The definitions of the FHIR version that the lake holds.
    pub fn definitions(&self) -> &'static Definitions {
        Definitions::of(self.identity.fhir_version())
    }
}

/// The resource types that the lake has a table of.
async fn tables(root: &Root) -> Result<BTreeSet<String>> {
    let mut names: BTreeSet<String> = root.folders("tables").await?.into_iter().collect();
    names.extend(root.folders("tables/_partial").await?);
    Ok(names)
}

async fn read_identity(root: &Root) -> Result<Option<Identity>> {
    let Some(content) = root.get(IDENTITY).await? else { return Ok(None) };
    let identity: Identity = serde_json::from_slice(&content).map_err(damaged)?;
    identity.check_layout()?;
    Ok(Some(identity))
}

fn damaged(error: serde_json::Error) -> Error {
    Error::Damaged { path: IDENTITY.to_owned(), reason: error.to_string() }
}
