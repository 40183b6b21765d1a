//! The tables of a lake as another engine finds them.
//!
//! One invariant: as for our own queries, every table is there. One that the lake has no data for has no rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::catalog::columns;
use super::vocabulary;
use crate::error::{Error, Result};
use crate::lake::{Lake, table};
use crate::views::dialect::Place;
use crate::views::export::TableAt;
use crate::views::omop;

/// Where another engine finds tables.
#[derive(Debug, Clone)]
pub enum Found {
    /// In files: of the lake here, or of the same lake at a URL.
    Files(Option<String>),
    /// In a schema of its catalog.
    Catalog(Place),
}

/// Where tables are, by our names (`Patient`, `_members`, `omop.concept`).
///
/// # Errors
/// [`Error::Query`] for a name that is no table of the lake's FHIR version, and those of a lake that cannot be read.
pub async fn tables(
    lake: &Lake,
    names: BTreeSet<String>,
    found: &Found,
) -> Result<BTreeMap<String, TableAt>> {
    let mut tables = BTreeMap::new();
    for name in names {
        let at = match of_vocabulary(&name) {
            Some(at) => at,
            None if table::open(&lake.root, &name).await?.is_some() => stored(lake, &name, found)?,
            None => nowhere(lake, &name)?,
        };
        tables.insert(name, at);
    }
    Ok(tables)
}

/// The same without a lake: the tables are in a schema of the engine's catalog, or in that of its session.
pub fn tables_in_catalog(names: BTreeSet<String>, schema: &Place) -> BTreeMap<String, TableAt> {
    let at = |name: &str| of_vocabulary(name).unwrap_or_else(|| TableAt::Catalog(within(schema, name)));
    names.into_iter().map(|name| (name.clone(), at(&name))).collect()
}

fn within(schema: &Place, name: &str) -> Place {
    schema.iter().cloned().chain([name.to_owned()]).collect()
}

/// The vocabulary is no part of a lake.
fn of_vocabulary(name: &str) -> Option<TableAt> {
    let table = name.strip_prefix(omop::SCHEMA)?.strip_prefix('.')?;
    Some(TableAt::Users(Arc::new(vocabulary::schema(table)?)))
}

fn stored(lake: &Lake, name: &str, found: &Found) -> Result<TableAt> {
    let path = format!("tables/{name}");
    Ok(match found {
        Found::Catalog(schema) => TableAt::Catalog(within(schema, name)),
        Found::Files(Some(url)) => TableAt::Path(format!("{}/{path}", url.trim_end_matches('/'))),
        Found::Files(None) => {
            let url = lake.root.url(&path)?;
            let folder = url.to_file_path().map_err(|()| Error::Refused(format!("{url} is no folder")))?;
            TableAt::Path(folder.display().to_string().trim_end_matches('/').to_owned())
        }
    })
}

fn nowhere(lake: &Lake, name: &str) -> Result<TableAt> {
    let columns = columns(lake, name)?;
    columns.map(TableAt::Nowhere).ok_or_else(|| Error::Query(format!("the lake has no table {name}")))
}
