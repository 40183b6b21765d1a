//! `fhirlake keys`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use fhir_bulk_client::{Algorithm, KeySet, SigningKey};

use super::server::secret;
use super::{Done, print};
use crate::error::Error;

const EXAMPLES: &str = "\
Examples:
  A key, and the document that the server's administrator registers:
    fhirlake keys generate -o key.pem
    fhirlake keys jwks key.pem > jwks.json";

/// Keys for SMART Backend Services
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Keys {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Makes a private key, in a file that its owner alone may read
    Generate {
        /// How it signs
        #[arg(long, value_enum, default_value = "es384", env = "FHIRLAKE_ALGORITHM")]
        algorithm: AlgorithmName,
        /// The file, which must not be there yet
        #[arg(short, long, value_name = "FILE", env = "FHIRLAKE_OUTPUT")]
        output: PathBuf,
    },
    /// Prints the public part of keys, as the server's administrator registers it
    Jwks {
        /// Files with private keys: PEM or JWKS
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AlgorithmName {
    /// RSA with 3072 bits
    Rs384,
    /// The elliptic curve P-384
    Es384,
}

impl Keys {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Done> {
        match self.command {
            KeysCommand::Generate { algorithm, output } => generate(algorithm, &output),
            KeysCommand::Jwks { files } => jwks(&files),
        }
    }
}

fn generate(algorithm: AlgorithmName, output: &Path) -> anyhow::Result<Done> {
    let algorithm = match algorithm {
        AlgorithmName::Rs384 => Algorithm::Rs384,
        AlgorithmName::Es384 => Algorithm::Es384,
    };
    let key = SigningKey::generate(algorithm).map_err(Error::from)?;
    // Whoever loses a key that a server knows loses access: none is written over.
    let file = std::fs::File::options().write(true).create_new(true).open(output);
    let mut file =
        file.map_err(|error| Error::Refused(format!("{} cannot be created: {error}", output.display())))?;
    file.write_all(key.to_pem().expose().as_bytes()).map_err(Error::io("write", output))?;
    print::note(&format!("{} key {} is in {}", algorithm.name(), key.id(), output.display()));
    Ok(Done::Clean)
}

fn jwks(files: &[PathBuf]) -> anyhow::Result<Done> {
    let mut keys = Vec::new();
    for file in files {
        keys.extend(KeySet::parse(&secret(file)?).map_err(Error::from)?.keys().to_vec());
    }
    let set = KeySet::new(keys).map_err(Error::from)?;
    print::data(&serde_json::to_string_pretty(&set.public_jwks())?)?;
    Ok(Done::Clean)
}
