//! Upserts by sorted keys: which rows of a table a change meets, which version stands, which rows go.
//!
//! A row is known by its *key*: a hash of its id, its version, a hash of its content, its place. The keys of a table lie
//! beside it, in a small sorted file for each data file ([`key_file`]). A change comes as keys too, in any order and
//! number ([`KeyRuns`] sorts them, on disk beyond a limit). The two are merged ([`KeyFile::join`]), so an upsert reads
//! keys and no data, and holds one chunk of keys in memory whatever the size of the table and of the change.
//!
//! ```text
//!  change ──> KeyRuns ──> SortedKeys ── chunks ──┐
//!                                                ├─ join ──> rows that meet: (candidates of one id, existing row)
//!  data file ──> key file ── pages in range ─────┘
//! ```
//!
//! Nothing here knows FHIR, or what an id is.

mod error;
mod key;
pub mod key_file;
mod object;
mod runs;

pub use error::{Error, Result};
pub use key::{IdHash, Key, Version};
pub use key_file::{Existing, KeyFile, KeyFileBuilder};
pub use object::StoredFile;
pub use roaring::RoaringBitmap;
pub use runs::{Chunks, KeyRuns, SortedKeys};
