//! Flags of every command that speaks to a FHIR server: which one, as whom, and how.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use fhir_bulk_client::{
    BackendServices, BulkClient, ClientSecret, Credentials, Dialect, KeySet, Quirks, Scopes, Secret, Url,
};

use crate::config::parse_duration;
use crate::error::{Error, Result};

/// The server, and who asks it.
#[derive(Debug, Args)]
pub struct ServerOptions {
    /// The FHIR base URL
    #[arg(long, value_name = "URL", env = "FHIRLAKE_SERVER")]
    pub server: Url,
    #[command(flatten)]
    connection: ConnectionOptions,
}

/// Who asks a server, and how.
#[derive(Debug, Args)]
pub struct ConnectionOptions {
    #[command(flatten)]
    authentication: Authentication,
    /// The longest pause between two questions for the export's status, whatever the server asks for
    #[arg(long, value_name = "DURATION", default_value = "5m", env = "FHIRLAKE_MAX_POLL_INTERVAL", value_parser = parse_duration)]
    max_poll_interval: Duration,
    /// How long the export is waited for; it can be continued afterwards [default: as long as it takes]
    #[arg(long, value_name = "DURATION", env = "FHIRLAKE_MAX_WAIT", value_parser = parse_duration)]
    max_wait: Option<Duration>,
    /// The version of the Bulk Data specification that is spoken
    #[arg(long, value_enum, default_value = "auto", env = "FHIRLAKE_DIALECT")]
    dialect: DialectName,
    /// The server's known deviations, by its name, where it does not say what it is: epic, hapi, helios, linuxforhealth,
    /// medplum, microsoft or oracle [default: as it says]
    #[arg(long, value_name = "SERVER", env = "FHIRLAKE_QUIRKS", value_parser = quirks)]
    quirks: Option<Quirks>,
    /// A file with certificates in PEM of authorities that are trusted beside the system's; may be repeated
    #[arg(long = "ca-certificate", value_name = "FILE", env = "FHIRLAKE_CA_CERTIFICATE")]
    ca_certificates: Vec<PathBuf>,
    /// Also speak to a server on another machine over http://: whoever is in between reads patients' data and the token
    #[arg(long, env = "FHIRLAKE_ALLOW_HTTP", value_parser = FalseyValueParser::new())]
    allow_http: bool,
}

#[derive(Debug, Args)]
struct Authentication {
    /// The access token, sent to the server's origin only
    #[arg(long, value_name = "TOKEN", env = "FHIRLAKE_BEARER_TOKEN", hide_env_values = true, group = "who")]
    bearer_token: Option<String>,
    /// A file with the access token, which somebody keeps up to date
    #[arg(long, value_name = "FILE", env = "FHIRLAKE_BEARER_TOKEN_FILE", group = "who")]
    bearer_token_file: Option<PathBuf>,
    /// A user, and the file with the password
    #[arg(long, value_name = "USER:PASSWORD-FILE", env = "FHIRLAKE_BASIC", group = "who")]
    basic: Option<String>,
    /// The id that the authorization server gave the client (SMART Backend Services): with --key or --client-secret-file
    #[arg(long, value_name = "ID", env = "FHIRLAKE_CLIENT_ID")]
    client_id: Option<String>,
    /// The client's private key, PEM or JWKS: see `fhirlake keys`
    #[arg(long, value_name = "FILE", env = "FHIRLAKE_KEY", group = "who")]
    key: Option<PathBuf>,
    /// A file with the client's secret
    #[arg(
        long,
        value_name = "FILE",
        env = "FHIRLAKE_CLIENT_SECRET_FILE",
        requires = "client_id",
        group = "who"
    )]
    client_secret_file: Option<PathBuf>,
    /// The scopes to ask for [default: to read everything]
    #[arg(long, value_name = "SCOPES", env = "FHIRLAKE_SCOPE")]
    scope: Option<String>,
    /// The token endpoint [default: as the server's SMART configuration says]
    #[arg(long, value_name = "URL", env = "FHIRLAKE_TOKEN_URL")]
    token_url: Option<Url>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DialectName {
    /// As the server says, else the oldest, which all understand
    Auto,
    /// 2.0.0
    Stu2,
    /// 3.0.0
    Stu3,
    /// The ballot of 4.0.0
    Stu4,
}

impl ServerOptions {
    /// The client's id, if it has one.
    pub fn client_id(&self) -> Option<String> {
        self.connection.client_id()
    }

    /// The client. No request is sent.
    pub fn client(&self) -> Result<BulkClient> {
        self.connection.client(&self.server)
    }
}

impl ConnectionOptions {
    /// The client's id, if it has one.
    pub fn client_id(&self) -> Option<String> {
        self.authentication.client_id.clone()
    }

    /// The client of a server. No request is sent.
    pub fn client(&self, server: &Url) -> Result<BulkClient> {
        let mut client = BulkClient::builder(server.clone())
            .max_poll_interval(self.max_poll_interval)
            .max_wait(self.max_wait)
            .allow_unencrypted(self.allow_http)
            .user_agent(concat!("fhirlake/", env!("CARGO_PKG_VERSION")));
        for path in &self.ca_certificates {
            client = client.ca_certificates(std::fs::read(path).map_err(Error::io("read", path))?);
        }
        if let Some(credentials) = self.authentication.credentials()? {
            client = client.credentials(credentials);
        }
        if let Some(id) = self.client_id() {
            client = client.client_id(id);
        }
        if let Some(quirks) = &self.quirks {
            client = client.quirks(quirks.clone());
        }
        client = match self.dialect {
            DialectName::Auto => client,
            DialectName::Stu2 => client.dialect(Dialect::Stu2),
            DialectName::Stu3 => client.dialect(Dialect::Stu3),
            DialectName::Stu4 => client.dialect(Dialect::Stu4),
        };
        Ok(client.build()?)
    }
}

impl Authentication {
    fn credentials(&self) -> Result<Option<Credentials>> {
        if let Some(token) = &self.bearer_token {
            return Ok(Some(Credentials::Bearer(Secret::new(token.clone()))));
        }
        if let Some(path) = &self.bearer_token_file {
            secret(path)?;
            return Ok(Some(Credentials::BearerFile(path.clone())));
        }
        if let Some(basic) = &self.basic {
            let (user, file) = basic.split_once(':').ok_or_else(|| {
                Error::Refused(
                    "--basic is a user, a colon and the path of a file with the password".to_owned(),
                )
            })?;
            let password = secret(Path::new(file))?;
            return Ok(Some(Credentials::Basic { user: user.to_owned(), password }));
        }
        let Some(client_id) = self.client_id.clone() else {
            let needs = [
                ("--key", self.key.is_some()),
                ("--client-secret-file", self.client_secret_file.is_some()),
                ("--scope", self.scope.is_some()),
                ("--token-url", self.token_url.is_some()),
            ];
            return match needs.iter().find(|(_, given)| *given) {
                Some((flag, _)) => Err(Error::Refused(format!("{flag} needs --client-id"))),
                None => Ok(None),
            };
        };
        let (scopes, token_url) = (self.scope.as_deref().map(Scopes::parse), self.token_url.clone());
        match (&self.key, &self.client_secret_file) {
            (Some(key), _) => {
                let keys = KeySet::parse(&secret(key)?)?;
                let client = BackendServices { client_id, keys, scopes, token_url, key_set_url: None };
                Ok(Some(Credentials::BackendServices(client)))
            }
            (None, Some(file)) => {
                let secret = secret(file)?;
                Ok(Some(Credentials::ClientSecret(ClientSecret { client_id, secret, scopes, token_url })))
            }
            (None, None) if scopes.is_some() || token_url.is_some() => {
                Err(Error::Refused("--scope and --token-url need --key or --client-secret-file".to_owned()))
            }
            // Some servers want the id beside a token that came another way.
            (None, None) => Ok(None),
        }
    }
}

/// What a file keeps secret. The line's end that editors put behind it is no part of it.
pub fn secret(path: &Path) -> Result<Secret> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::Refused(format!("{} cannot be read: {error}", path.display())))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

fn quirks(name: &str) -> Result<Quirks, String> {
    Quirks::named(name).ok_or_else(|| {
        "the servers are epic, hapi, helios, linuxforhealth, medplum, microsoft and oracle".to_owned()
    })
}
