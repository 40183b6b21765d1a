//! Signed links: whoever has one may read its file, and no other, until it expires.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, get_current_timestamp,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    generation: u64,
}

/// The key of a server's links.
pub(crate) struct Links {
    signing: EncodingKey,
    verifying: DecodingKey,
    /// Links of an earlier generation have expired.
    generation: AtomicU64,
}

impl Links {
    pub(crate) fn new() -> Links {
        let key: Vec<u8> =
            [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].iter().flat_map(|id| *id.as_bytes()).collect();
        Links {
            signing: EncodingKey::from_secret(&key),
            verifying: DecodingKey::from_secret(&key),
            generation: AtomicU64::new(0),
        }
    }

    /// The signature of a file's path, to be part of its URL.
    pub(crate) fn sign(&self, path: &str, lifetime: Duration) -> Option<String> {
        let claims = Claims {
            sub: path.to_owned(),
            exp: get_current_timestamp() + lifetime.as_secs(),
            generation: self.generation.load(Ordering::Relaxed),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing).ok()
    }

    /// Whether the signature is one of this path and has not expired.
    pub(crate) fn verify(&self, path: &str, signature: &str) -> bool {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        let claims = decode::<Claims>(signature, &self.verifying, &validation).map(|data| data.claims);
        let generation = self.generation.load(Ordering::Relaxed);
        claims.is_ok_and(|claims| claims.sub == path && claims.generation == generation)
    }

    /// Ends all links at once; those that are signed from now on are good.
    pub(crate) fn expire_all(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }
}

/// The key is not shown.
impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").field("generation", &self.generation).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_its_path_until_it_expires() {
        let links = Links::new();
        let signature = links.sign("a", Duration::from_secs(60)).unwrap();
        assert!(links.verify("a", &signature));
        assert!(!links.verify("b", &signature));
        assert!(!Links::new().verify("a", &signature));
        links.expire_all();
        assert!(!links.verify("a", &signature));
    }
}
