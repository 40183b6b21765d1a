//! HTTP as the specification needs it: retries, redirects without credentials, bodies that are whole, and no secret
//! in what is shown.

mod body;
mod call;
mod encryption;
mod failure;
mod gunzip;
mod redact;
mod redirect;
mod retry;
mod transport;

pub(crate) use body::Body;
pub(crate) use call::{Answer, Call};
pub(crate) use encryption::{Encryption, is_loopback};
pub(crate) use failure::{Failure, Retry, root_cause};
#[cfg(any(test, fuzzing))]
pub(crate) use gunzip::Gunzip;
pub use redact::redact;
#[cfg(any(test, fuzzing))]
pub(crate) use redirect::redirected;
pub(crate) use retry::{Pauses, date, retry_after, time_until};
pub(crate) use transport::Transport;
