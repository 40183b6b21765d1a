//! The raw store: the server's bytes as they came, and the way back to them.
//!
//! One invariant: raw bytes are never re-encoded. Only the encoding of the transport (gzip, zstd) is taken off, and a
//! lossless one of our own put on: offsets, lengths and hashes are those of the bytes as they came.

pub mod encoding;
pub mod kept;
pub mod layout;
pub mod local;
pub mod passing;
pub mod reader;
mod replay;
pub mod source;
pub mod writer;

pub use encoding::Encoding;
pub use kept::{Kept, KeptRecord};
pub use passing::{Checkpoint, Passing, RawFacts};
pub use reader::{Block, Blocks, Line};
pub use source::RawSource;
pub use writer::RawFile;
