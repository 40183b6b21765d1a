//! Several keys of one client: the one in use and the one that follows it.
//!
//! Specification: [JSON Web Key Set](https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#registering-a-client-communicating-public-keys).

use serde_json::{Value, json};

use super::{Algorithm, Secret, SigningKey};
use crate::error::{Error, ErrorKind};

/// The keys of one client, in the order in which they are preferred.
#[derive(Clone, Debug)]
pub struct KeySet(Vec<SigningKey>);

impl KeySet {
    /// These keys.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] without any key.
    pub fn new(keys: Vec<SigningKey>) -> Result<Self, Error> {
        if keys.is_empty() {
            return Err(Error::new(ErrorKind::Config, "the key set has no private key"));
        }
        Ok(Self(keys))
    }

    /// Reads a private key in PEM, a JSON Web Key, or a JSON Web Key Set. Of a set, keys without a private part and
    /// of other algorithms are passed over.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is none of them, or has no private key that can sign with RS384 or ES384.
    pub fn parse(text: &Secret) -> Result<Self, Error> {
        if !text.expose().trim_start().starts_with('{') {
            return Self::new(vec![SigningKey::from_pem(text, None)?]);
        }
        // The parser's words may quote the key.
        let document: Value = serde_json::from_str(text.expose())
            .map_err(|_| Error::new(ErrorKind::Config, "the key is neither PEM nor JSON"))?;
        let Some(keys) = document.get("keys").and_then(Value::as_array) else {
            return Self::new(vec![SigningKey::from_jwk(&document)?]);
        };
        let private = keys.iter().filter(|key| key.get("d").is_some() && Algorithm::of_jwk(key).is_some());
        Self::new(private.map(SigningKey::from_jwk).collect::<Result<_, _>>()?)
    }

    /// The keys.
    pub fn keys(&self) -> &[SigningKey] {
        &self.0
    }

    /// The first key whose algorithm the server lists; if it lists none, the first.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the server takes none of the keys' algorithms.
    pub(crate) fn choose(&self, supported: &[String]) -> Result<&SigningKey, Error> {
        let takes = |key: &&SigningKey| {
            supported.is_empty() || supported.iter().any(|name| name == key.algorithm().name())
        };
        self.0.iter().find(takes).ok_or_else(|| {
            let what =
                format!("the authorization server takes {} and no key is of this kind", supported.join(", "));
            Error::new(ErrorKind::Config, what).with_hint("make one: fhirlake keys generate")
        })
    }

    /// The public parts, as the document that is registered with the server or hosted for it.
    pub fn public_jwks(&self) -> Value {
        json!({ "keys": self.0.iter().map(SigningKey::public_jwk).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_set_has_no_private_part() {
        let keys =
            [Algorithm::Es384, Algorithm::Rs384].map(|algorithm| SigningKey::generate(algorithm).unwrap());
        let set = KeySet::new(keys.to_vec()).unwrap();
        let published = set.public_jwks();
        let keys = published["keys"].as_array().unwrap();
        assert_eq!((keys[0]["alg"].as_str(), keys[1]["alg"].as_str()), (Some("ES384"), Some("RS384")));
        for key in keys {
            for private in ["d", "p", "q", "dp", "dq", "qi"] {
                assert!(key.get(private).is_none());
            }
            assert!(key["kid"].as_str().is_some_and(|id| id.len() == 43), "a thumbprint of RFC 7638");
        }
    }

    #[test]
    fn the_key_follows_what_the_server_takes() {
        let keys =
            [Algorithm::Es384, Algorithm::Rs384].map(|algorithm| SigningKey::generate(algorithm).unwrap());
        let set = KeySet::new(keys.to_vec()).unwrap();
        let chosen = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            set.choose(&names).map(SigningKey::algorithm)
        };
        assert_eq!(chosen(&[]).unwrap(), Algorithm::Es384);
        assert_eq!(chosen(&["RS384"]).unwrap(), Algorithm::Rs384);
        assert_eq!(chosen(&["RS384", "ES384"]).unwrap(), Algorithm::Es384);
        assert_eq!(chosen(&["PS256"]).unwrap_err().kind(), ErrorKind::Config);
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        for text in ["", "s3cr3t", "{s3cr3t", r#"{"keys":[]}"#, r#"{"kty":"RSA","d":"s3cr3t"}"#] {
            let error = KeySet::parse(&Secret::new(text)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
        }
    }
}
