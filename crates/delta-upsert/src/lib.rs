//! Upserts into Delta tables by sorted keys: which rows of a table a change meets, which version stands, which rows go.
//!
//! A row is known by its *key*: a hash of its id, its version, a hash of its content, its place. The keys of a table lie
//! beside it, in a small sorted file for each data file ([`key_file`]). A change comes as keys too, in any order and
//! number ([`KeyRuns`] sorts them, on disk beyond a limit), beside rows that are staged in data files of their own. The two
//! are merged, so an upsert reads keys and no data, and holds one chunk of keys in memory whatever the size of the table
//! and of the change.
//!
//! ```text
//!  change ──> KeyRuns ──> SortedKeys ── chunks ──┐
//!                                                ├─ resolve ──> rows that go, rows that do not stand
//!  data file ──> key file ── pages in range ─────┘      │
//!                                                       ▼
//!                         rewrite: a deletion vector, or the file written again
//!                                                       │
//!                                                       ▼
//!                         one commit: Remove, Add, Add of new files, the application transaction
//! ```
//!
//! A table whose rows are computed anew, and have no versions, is brought to them by their contents ([`contents`]).
//!
//! Nothing here knows FHIR, or what an id is. Who changes a table is a [`Caller`].

pub mod busy;
mod caller;
pub mod changes;
pub mod compact;
pub mod contents;
mod copy;
pub mod data_file;
mod error;
mod key;
pub mod key_file;
mod keys;
mod keyset;
mod object;
mod place;
mod resolve;
mod rewrite;
mod runs;
pub mod table;
pub mod upsert;
pub mod vacuum;
mod vector;
mod workers;

pub use caller::{Buried, Caller, Context};
pub use error::{Error, Result};
pub use key::{IdHash, Key, Version};
pub use key_file::{Existing, KeyFile, KeyFileBuilder};
pub use keys::keys_of;
pub use keyset::KeySet;
pub use object::StoredFile;
pub use place::{Durable, Place};
pub use roaring::RoaringBitmap;
pub use runs::{Chunks, KeyRuns, SortedKeys};
pub use table::{DataFile, Mode, Stamp, Table};
pub use vector::removed;
pub use workers::Workers;
