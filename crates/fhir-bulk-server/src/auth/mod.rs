//! Who may ask: clients and their assertions, scopes, access tokens, signed links.
//!
//! Specification: SMART App Launch 2.2, "Backend Services" and "Client Authentication: Asymmetric".

mod assertion;
mod link;
mod scope;
mod token;

pub(crate) use assertion::{Replays, check as check_assertion};
pub(crate) use link::Links;
pub(crate) use scope::{Granted, grant};
pub(crate) use token::{Grant, Tokens};

/// Compares in a time that does not tell where the first difference is.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
