//! What an authorization server grants a client of SMART Backend Services:
//! `cargo run --example token -- FHIR-BASE CLIENT-ID KEY-FILE [TOKEN-URL]`
//!
//! Without the key's file it makes a key there (`ALGORITHM` is `RS384` or `ES384`) and prints the set to register.
#![allow(clippy::print_stdout, reason = "a program for the command line")]

use fhir_bulk_client::{Algorithm, BackendServices, BulkClient, Credentials, KeySet, Secret, SigningKey};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [base, client_id, path, more @ ..] = &arguments[..] else {
        return Err("three arguments: FHIR-BASE CLIENT-ID KEY-FILE".into());
    };
    if !std::path::Path::new(path).exists() {
        let es384 = std::env::var("ALGORITHM").is_ok_and(|name| name == "ES384");
        let key = SigningKey::generate(if es384 { Algorithm::Es384 } else { Algorithm::Rs384 })?;
        std::fs::write(path, key.to_pem().expose())?;
        println!("{:#}", KeySet::new(vec![key])?.public_jwks());
        return Ok(());
    }
    let keys = KeySet::parse(&Secret::new(std::fs::read_to_string(path)?))?;
    let token_url = more.first().map(|url| url.parse()).transpose()?;
    let credentials =
        BackendServices { client_id: client_id.clone(), keys, scopes: None, token_url, key_set_url: None };
    let client =
        BulkClient::builder(base.parse()?).credentials(Credentials::BackendServices(credentials)).build()?;
    println!("{:#?}", client.grant().await?);
    Ok(())
}
