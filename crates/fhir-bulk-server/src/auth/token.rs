//! Access tokens: random, with what they allow and until when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::StatusCode;

use crate::outcome::Outcome;

/// What the bearer of a request may read; `None` is everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grant {
    pub(crate) types: Option<BTreeSet<String>>,
}

impl Grant {
    /// Refuses a type that may not be read.
    pub(crate) fn allow(&self, resource_type: &str) -> Result<(), Outcome> {
        if self.types.as_ref().is_none_or(|types| types.contains(resource_type)) {
            return Ok(());
        }
        let text = format!("the token does not allow to read {resource_type}");
        Err(Outcome::new(StatusCode::FORBIDDEN, "forbidden", text))
    }
}

/// The tokens that were given out.
#[derive(Default)]
pub(crate) struct Tokens {
    live: Mutex<BTreeMap<String, (SystemTime, Grant)>>,
}

impl Tokens {
    /// A new token.
    pub(crate) fn issue(&self, lifetime: Duration, grant: Grant) -> String {
        let token = uuid::Uuid::new_v4().simple().to_string();
        let now = SystemTime::now();
        let mut live = self.lock();
        live.retain(|_, (expires, _)| *expires > now);
        live.insert(token.clone(), (now + lifetime, grant));
        token
    }

    /// What a token allows, unless it has expired.
    pub(crate) fn grant(&self, token: &str) -> Option<Grant> {
        let live = self.lock();
        let (expires, grant) = live.get(token)?;
        (*expires > SystemTime::now()).then(|| grant.clone())
    }

    /// Ends all tokens at once.
    pub(crate) fn expire_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (SystemTime, Grant)>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tokens are not shown.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("live", &self.lock().len()).finish()
    }
}
