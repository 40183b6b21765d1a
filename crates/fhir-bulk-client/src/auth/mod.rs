//! Who the client is to the server: the credential and the one origin that may see it.

mod bearer;
mod secret;

pub(crate) use bearer::{Bearer, is_loopback};
pub use secret::Secret;
