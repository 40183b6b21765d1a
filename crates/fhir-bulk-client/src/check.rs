//! What a server is: its capabilities, its version of the specification, where it deviates, and what follows for the
//! client. Nothing here begins an export.

use crate::auth::{Grant, SmartConfiguration};
use crate::capability::Capability;
use crate::client::BulkClient;
use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::http::redact;
use crate::server::Quirks;

/// What is known of a server. See [`BulkClient::adopt`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerCheck {
    /// What it says about itself; none if it does not.
    pub capability: Option<Capability>,
    /// What it says about its authorization; none if it does not.
    pub smart: Option<SmartConfiguration>,
    /// What the token is good for; none without credentials that are exchanged for a token.
    pub grant: Option<Grant>,
    /// The version of the specification to speak.
    pub dialect: Dialect,
    /// By which name in this crate the server is known.
    pub server: Option<&'static str>,
    /// The deviations to reckon with.
    pub quirks: Quirks,
    /// Where it deviates or may not do what is wanted, for a person to read.
    pub deviations: Vec<String>,
}

impl BulkClient {
    /// Finds out what the server is.
    ///
    /// # Errors
    /// Where it cannot be reached, or does not accept the credentials. That it hides what it is, is no error.
    pub async fn check(&self) -> Result<ServerCheck, Error> {
        let mut deviations = Vec::new();
        let capability = match self.capability().await {
            Ok(capability) => Some(capability),
            Err(error) if is_silence(&error) => {
                deviations.push(format!("it does not say what it can do: {error}"));
                None
            }
            Err(error) => return Err(error),
        };
        let smart = match self.smart_configuration().await {
            Ok(smart) => Some(smart),
            Err(error) if is_silence(&error) => None,
            Err(error) => return Err(error),
        };
        let grant = self.grant().await?;
        if let Some(grant) = &grant {
            deviations.extend(grant.warnings());
        }
        let known = capability.as_ref().and_then(|said| Quirks::of_software(said.software.as_deref()?));
        let (server, quirks) = known.map_or((None, Quirks::NONE), |(name, quirks)| (Some(name), quirks));
        if let Some(capability) = &capability {
            deviations.extend(self.deviations(capability));
        }
        if let Some(name) = server {
            deviations.push(format!("it is known as {name}: {}", quirks.names().join(", ")));
        }
        let dialect = capability.as_ref().and_then(Capability::dialect).unwrap_or_default();
        Ok(ServerCheck { capability, smart, grant, dialect, server, quirks, deviations })
    }

    fn deviations(&self, capability: &Capability) -> Vec<String> {
        let mut deviations = Vec::new();
        if !(capability.system_export || capability.patient_export || capability.group_export) {
            deviations.push("it announces no export at any level: it may do them all the same".to_owned());
        }
        if capability.dialects.is_empty() {
            deviations.push(format!(
                "it does not name its version of the specification: {} is spoken",
                Dialect::default()
            ));
        }
        if !capability.not_exported.is_empty() {
            let shown = crate::outcome::one_line(&capability.not_exported.join(", "));
            deviations.push(format!("it says that its exports do not support {shown}"));
        }
        let theirs = capability.implementation_url.as_deref().map(|url| url.trim_end_matches('/'));
        let ours = self.base().as_str().trim_end_matches('/');
        if let Some(theirs) = theirs.filter(|theirs| *theirs != ours) {
            let shown = theirs.parse().map_or_else(|_| "something else".to_owned(), |url| redact(&url));
            deviations.push(format!(
                "it knows itself as {shown}: the URLs that it gives out may lead there, without the token"
            ));
        }
        deviations
    }
}

/// Whether an error says no more than that the server does not tell.
fn is_silence(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::Refused
            | ErrorKind::Protocol
            | ErrorKind::Forbidden
            | ErrorKind::Unauthorized
            | ErrorKind::Server
    )
}
