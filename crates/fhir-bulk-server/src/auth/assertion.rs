//! The client assertion: a JWT that the client signs, good for one token request.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, get_current_timestamp};
use serde::Deserialize;

use crate::options::RegisteredClient;

/// How far ahead `exp` may lie: five minutes.
const LONGEST: u64 = 300;

/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 5;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: u64,
    jti: String,
}

/// The assertions that were used, until they expire.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    used: Mutex<BTreeMap<(String, String), u64>>,
}

impl Replays {
    /// Whether this is the first use of a client's `jti`; takes note of it.
    fn first(&self, client: &str, jti: &str, expires: u64) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let now = get_current_timestamp();
        used.retain(|_, expires| *expires + LEEWAY >= now);
        used.insert((client.to_owned(), jti.to_owned()), expires).is_none()
    }
}

/// The client that signed the assertion, or why it is not accepted. `audience` is the token endpoint.
pub(crate) fn check<'a>(
    assertion: &str,
    audience: &str,
    clients: &'a [RegisteredClient],
    replays: &Replays,
) -> Result<&'a RegisteredClient, String> {
    let header = decode_header(assertion).map_err(|error| format!("the assertion is no JWT: {error}"))?;
    if ![Algorithm::RS384, Algorithm::ES384].contains(&header.alg) {
        return Err("the assertion is signed neither with RS384 nor with ES384".to_owned());
    }
    if header.typ.as_deref().is_some_and(|of| of != "JWT") {
        return Err("the assertion's typ is not JWT".to_owned());
    }
    let kid = header.kid.ok_or("the assertion has no kid")?;
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    let mut reason = format!("no client has a key {kid}");
    for (client, key) in clients.iter().filter_map(|client| Some((client, key(client, &kid)?))) {
        match decode::<Claims>(assertion, &key, &validation) {
            Ok(data) => return accept(client, &data.claims, replays),
            Err(error) => reason = format!("the assertion is not valid: {error}"),
        }
    }
    Err(reason)
}

fn key(client: &RegisteredClient, kid: &str) -> Option<DecodingKey> {
    let keys: JwkSet = serde_json::from_value(client.keys.clone()?).ok()?;
    DecodingKey::from_jwk(keys.find(kid)?).ok()
}

fn accept<'a>(
    client: &'a RegisteredClient,
    claims: &Claims,
    replays: &Replays,
) -> Result<&'a RegisteredClient, String> {
    if claims.iss != client.id || claims.sub != client.id {
        return Err("iss and sub are not the id of the client that the key belongs to".to_owned());
    }
    if claims.exp > get_current_timestamp() + LONGEST + LEEWAY {
        return Err("exp lies more than five minutes ahead".to_owned());
    }
    if claims.jti.is_empty() || !replays.first(&client.id, &claims.jti, claims.exp) {
        return Err("jti was used before".to_owned());
    }
    Ok(client)
}
