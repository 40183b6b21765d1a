//! Ways into what authorization servers and key files say, for `fuzz/`. A broken promise is a panic here.
#![allow(clippy::panic, clippy::expect_used, reason = "a fuzz target fails by a panic")]

use url::Url;

use super::token_request::token;
use super::{KeySet, Scopes, Secret, SmartConfiguration};

/// The shortest text of which it means something that it is not shown.
const TELLING: usize = 16;

/// A SMART configuration, a token response, and scopes.
pub fn answers(url: &Url, bytes: &[u8]) {
    if let Ok(configuration) = serde_json::from_slice::<SmartConfiguration>(bytes) {
        let _ = configuration.token_url(url);
        let usual = Scopes::usual(&configuration.scopes_supported, &configuration.capabilities);
        assert!(usual.may_read() && usual.respelled().is_some());
    }
    let asked = Scopes::parse(&String::from_utf8_lossy(bytes));
    assert!(asked.not_in(&asked).is_empty());
    if let Some(other) = asked.respelled() {
        assert_eq!(other.respelled(), Some(asked.clone()));
        assert!(asked.not_in(&other).is_empty() && other.not_in(&asked).is_empty());
    }
    match token(bytes, &asked, url) {
        Ok(token) => {
            let grant = token.grant.expect("a token response is a grant");
            let _ = (grant.warnings(), grant.warning_of_types(&["Patient".to_owned()]));
        }
        Err(error) => {
            let body: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
            let secret = body["access_token"].as_str().filter(|secret| secret.len() >= TELLING);
            let shown = format!("{error} {error:?}");
            assert!(secret.is_none_or(|secret| !shown.contains(secret)), "the token is shown");
        }
    }
}

/// A file with a key or several.
pub fn keys(text: &str) {
    match KeySet::parse(&Secret::new(text)) {
        Ok(keys) => {
            let public = keys.public_jwks();
            let keys = public["keys"].as_array().expect("a set has keys");
            let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
            assert!(keys.iter().all(|key| private.iter().all(|name| key.get(name).is_none())));
        }
        Err(error) => {
            let shown = format!("{error} {error:?}");
            let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() >= TELLING);
            assert!(words.into_iter().all(|word| !shown.contains(word)), "a part of the key is shown");
        }
    }
}
