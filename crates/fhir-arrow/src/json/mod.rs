//! JSON text as a flat list of tokens, without a tree and without copies.
//!
//! A [`Tape`] is filled anew for each text and keeps its memory, so that reading a line allocates nothing. It
//! checks everything that can be wrong with the text (grammar, UTF-8, depth, a member given twice), so that whoever
//! walks over the tokens afterwards cannot fail.

mod document;
mod name;
mod parser;
mod scalar;
mod text;

pub(crate) use document::{Document, Key, Kind, Value};
pub(crate) use name::{Name, Names};
pub(crate) use parser::Tape;
pub(crate) use scalar::is_number;
pub(crate) use text::escape_into;
