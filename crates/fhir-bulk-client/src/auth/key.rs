//! The private key that a client signs its assertions with, in the two algorithms that the specification names.
//!
//! Specification:
//! [asymmetric client authentication](https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html).

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::{Jwk, KeyOperations, PublicKeyUse, ThumbprintHash};
use serde_json::Value;

use super::Secret;
use crate::error::{Error, ErrorKind};

/// How an assertion is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA with SHA-384.
    Rs384,
    /// ECDSA on P-384 with SHA-384.
    Es384,
}

impl Algorithm {
    /// The name in a JWT's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs384 => "RS384",
            Self::Es384 => "ES384",
        }
    }

    pub(crate) fn jwt(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs384 => jsonwebtoken::Algorithm::RS384,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
        }
    }

    /// The algorithm that a JSON Web Key is for.
    pub(crate) fn of_jwk(jwk: &Value) -> Option<Self> {
        match (jwk["kty"].as_str()?, jwk["crv"].as_str(), jwk["alg"].as_str()) {
            ("RSA", _, None | Some("RS384")) => Some(Self::Rs384),
            ("EC", Some("P-384"), None | Some("ES384")) => Some(Self::Es384),
            _ => None,
        }
    }
}

/// A private key. It cannot be printed.
#[derive(Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    id: String,
    pkcs8: Secret,
    encoding: EncodingKey,
    public: Jwk,
}

fn unusable(why: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the key {why}"))
        .with_hint("RS384 wants an RSA key of 2048 bits or more, ES384 one of the curve P-384")
}

impl SigningKey {
    /// Makes a new key: of 3072 bits for RSA.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the machine cannot make one.
    pub fn generate(algorithm: Algorithm) -> Result<Self, Error> {
        let failed = |_| unusable("could not be generated");
        let der = match algorithm {
            Algorithm::Rs384 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa3072).map_err(failed)?;
                rsa_pkcs8(&pair)?
            }
            Algorithm::Es384 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(failed)?;
                pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
            }
        };
        Self::from_pkcs8(algorithm, &der, None)
    }

    /// Reads a key in PEM: PKCS #8 (`PRIVATE KEY`), PKCS #1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`). Without
    /// an id it gets its thumbprint ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is none, for an encrypted key, and for one of another kind.
    pub fn from_pem(text: &Secret, id: Option<String>) -> Result<Self, Error> {
        let pems = pem::parse_many(text.expose()).map_err(|_| unusable("is no PEM"))?;
        // `openssl ecparam` writes the curve in front of the key.
        let pem = pems.iter().find(|pem| pem.tag().ends_with("PRIVATE KEY"));
        let pem = pem.ok_or_else(|| unusable("has no private part"))?;
        let der = pem.contents();
        match pem.tag() {
            "ENCRYPTED PRIVATE KEY" => Err(unusable("is encrypted: decrypt it first, as with openssl pkey")),
            "RSA PRIVATE KEY" => {
                Self::from_rsa(&RsaKeyPair::from_der(der).map_err(|_| unusable("is no sound RSA key"))?, id)
            }
            _ => match RsaKeyPair::from_pkcs8(der) {
                Ok(pair) => Self::from_rsa(&pair, id),
                Err(_) => Self::from_ec_der(der, id),
            },
        }
    }

    /// Reads a JSON Web Key with its private part.
    ///
    /// # Errors
    /// As [`SigningKey::from_pem`].
    pub fn from_jwk(jwk: &Value) -> Result<Self, Error> {
        let algorithm =
            Algorithm::of_jwk(jwk).ok_or_else(|| unusable("is neither for RS384 nor for ES384"))?;
        let part = |name: &str| {
            let text = jwk[name].as_str().ok_or_else(|| unusable(&format!("has no {name}")))?;
            URL_SAFE_NO_PAD
                .decode(text.trim_end_matches('='))
                .map_err(|_| unusable(&format!("has a {name} that is no base64url")))
        };
        let id = jwk["kid"].as_str().map(str::to_owned);
        match algorithm {
            Algorithm::Rs384 => {
                let components = KeyPairComponents {
                    public_key: PublicKeyComponents { n: part("n")?, e: part("e")? },
                    d: part("d")?,
                    p: part("p")?,
                    q: part("q")?,
                    dP: part("dp")?,
                    dQ: part("dq")?,
                    qInv: part("qi")?,
                };
                let pair = RsaKeyPair::from_components(&components);
                Self::from_rsa(&pair.map_err(|_| unusable("is no sound RSA key"))?, id)
            }
            Algorithm::Es384 => {
                let public = [vec![4], part("x")?, part("y")?].concat();
                let curve = &ECDSA_P384_SHA384_FIXED_SIGNING;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, &part("d")?, &public);
                Self::from_ec(&pair.map_err(|_| unusable("is no sound key of P-384"))?, id)
            }
        }
    }

    fn from_rsa(pair: &RsaKeyPair, id: Option<String>) -> Result<Self, Error> {
        Self::from_pkcs8(Algorithm::Rs384, &rsa_pkcs8(pair)?, id)
    }

    fn from_ec_der(der: &[u8], id: Option<String>) -> Result<Self, Error> {
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, der);
        Self::from_ec(&pair.map_err(|_| unusable("is neither RSA nor of the curve P-384"))?, id)
    }

    fn from_ec(pair: &EcdsaKeyPair, id: Option<String>) -> Result<Self, Error> {
        let der = pair.to_pkcs8v1().map_err(|_| unusable("cannot be written as PKCS #8"))?;
        Self::from_pkcs8(Algorithm::Es384, der.as_ref(), id)
    }

    fn from_pkcs8(algorithm: Algorithm, der: &[u8], id: Option<String>) -> Result<Self, Error> {
        let text = pem::encode(&pem::Pem::new("PRIVATE KEY", der));
        let encoding = match algorithm {
            Algorithm::Rs384 => EncodingKey::from_rsa_pem(text.as_bytes()),
            Algorithm::Es384 => EncodingKey::from_ec_pem(text.as_bytes()),
        };
        let failed = |_| unusable("cannot sign");
        let encoding = encoding.map_err(failed)?;
        let mut public = Jwk::from_encoding_key(&encoding, algorithm.jwt()).map_err(failed)?;
        let id = match id {
            Some(id) => id,
            None => public.thumbprint(ThumbprintHash::SHA256).map_err(failed)?,
        };
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        public.common.key_operations = Some(vec![KeyOperations::Verify]);
        Ok(Self { algorithm, id, pkcs8: Secret::new(text), encoding, public })
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its `kid`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The private key in PEM (PKCS #8), to be written to a file that nobody else may read.
    pub fn to_pem(&self) -> &Secret {
        &self.pkcs8
    }

    /// The public part as a JSON Web Key.
    pub fn public_jwk(&self) -> Value {
        serde_json::to_value(&self.public).unwrap_or_default()
    }

    pub(crate) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

fn rsa_pkcs8(pair: &RsaKeyPair) -> Result<Vec<u8>, Error> {
    if pair.public_modulus_len() < 256 {
        return Err(unusable("is too short"));
    }
    let der: Result<Pkcs8V1Der<'_>, _> = pair.as_der();
    Ok(der.map_err(|_| unusable("cannot be written as PKCS #8"))?.as_ref().to_vec())
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_being_written_and_read() {
        for algorithm in [Algorithm::Rs384, Algorithm::Es384] {
            let key = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_pem(key.to_pem(), None).unwrap();
            assert_eq!((again.algorithm(), again.id()), (algorithm, key.id()));
            assert_eq!(again.public_jwk(), key.public_jwk());
            assert_eq!(SigningKey::from_pem(key.to_pem(), Some("mine".into())).unwrap().id(), "mine");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let key = SigningKey::generate(Algorithm::Es384).unwrap();
        let body = key.to_pem().expose().lines().nth(1).unwrap().to_owned();
        assert!(!format!("{key:?}").contains(&body[..20]));
    }
}
