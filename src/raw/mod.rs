//! The raw store: the server's bytes as they came, and the way back to them.
//!
//! One invariant: raw bytes are never re-encoded. Only the encoding of the transport (gzip, zstd) is taken off.

pub mod layout;
pub mod local;
pub mod reader;
pub mod writer;
