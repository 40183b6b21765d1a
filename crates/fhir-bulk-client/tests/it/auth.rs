//! Tokens: how they are got, renewed and reported.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use fhir_bulk_client::{
    Algorithm, BackendServices, ClientSecret, Credentials, ErrorKind, ExportRequest, KeySet, Scopes, Secret,
    SigningKey, Url,
};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};

use crate::server::{Reply, Seen, Server, stable};

fn configuration(server: &Server, more: Value) -> Reply {
    let mut document = json!({"token_endpoint": server.url("/token").as_str()});
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Reply::status(200).json(document.to_string())
}

fn token(name: &str, more: Value) -> Reply {
    let mut document = json!({"access_token": name, "token_type": "Bearer", "expires_in": 300});
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Reply::status(200).json(document.to_string())
}

fn accepted() -> Reply {
    Reply::status(202).header("content-location", "/poll")
}

fn keys(algorithms: &[Algorithm]) -> KeySet {
    KeySet::new(algorithms.iter().map(|algorithm| SigningKey::generate(*algorithm).unwrap()).collect())
        .unwrap()
}

fn backend(keys: KeySet) -> BackendServices {
    BackendServices { client_id: "fhirlake".into(), keys, scopes: None, token_url: None, key_set_url: None }
}

fn form(seen: &Seen) -> HashMap<String, String> {
    url::form_urlencoded::parse(&seen.body).into_owned().collect()
}

/// The claims of an assertion, after its signature was verified with the public key of `keys` that it names.
fn verified(assertion: &str, keys: &KeySet, audience: &Url) -> Value {
    let header = jsonwebtoken::decode_header(assertion).unwrap();
    assert_eq!(header.typ.as_deref(), Some("JWT"));
    let published = keys.public_jwks();
    let jwks = published["keys"].as_array().unwrap();
    let jwk = jwks.iter().find(|key| key["kid"].as_str() == header.kid.as_deref()).unwrap();
    assert_eq!(jwk["alg"].as_str(), Some(format!("{:?}", header.alg).as_str()));
    let jwk: Jwk = serde_json::from_value(jwk.clone()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[audience.as_str()]);
    jsonwebtoken::decode::<Value>(assertion, &DecodingKey::from_jwk(&jwk).unwrap(), &validation)
        .unwrap()
        .claims
}

#[tokio::test]
async fn a_signed_assertion_is_exchanged_for_the_token_that_the_export_bears() {
    for algorithm in [Algorithm::Rs384, Algorithm::Es384] {
        let server = Server::start().await;
        server
            .on("GET /fhir/.well-known/smart-configuration", [configuration(&server, json!({}))])
            .on("POST /token", [token("t1", json!({}))])
            .on("GET /fhir/$export", [accepted()]);
        let keys = keys(&[algorithm]);
        let client =
            server.client().credentials(Credentials::BackendServices(backend(keys.clone()))).build().unwrap();
        client.kick_off(&ExportRequest::default()).await.unwrap();

        let seen = server.seen();
        let asked = form(&seen[1]);
        assert_eq!(asked["grant_type"], "client_credentials");
        assert_eq!(asked["scope"], "system/*.rs");
        assert_eq!(asked["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let claims = verified(&asked["client_assertion"], &keys, &server.url("/token"));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("fhirlake"), &json!("fhirlake")));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(claims["exp"].as_u64().unwrap() <= now + 300);
        assert_eq!(seen[1].header("authorization"), None);
        assert_eq!(seen[2].header("authorization"), Some("Bearer t1"));
    }
}

#[tokio::test]
async fn the_key_is_the_one_whose_algorithm_the_server_takes() {
    let server = Server::start().await;
    let takes = json!({"token_endpoint_auth_signing_alg_values_supported": ["RS384"]});
    server
        .on("GET /fhir/.well-known/smart-configuration", [configuration(&server, takes)])
        .on("POST /token", [token("t1", json!({}))]);
    let keys = keys(&[Algorithm::Es384, Algorithm::Rs384]);
    let client =
        server.client().credentials(Credentials::BackendServices(backend(keys.clone()))).build().unwrap();
    client.grant().await.unwrap();
    let assertion = form(&server.seen()[1])["client_assertion"].clone();
    assert_eq!(jsonwebtoken::decode_header(&assertion).unwrap().alg, jsonwebtoken::Algorithm::RS384);
}

#[tokio::test]
async fn every_request_for_a_token_has_an_assertion_of_its_own() {
    let server = Server::start().await;
    server
        .on("GET /fhir/.well-known/smart-configuration", [configuration(&server, json!({}))])
        .on("POST /token", [Reply::status(503), token("t1", json!({})), token("t2", json!({}))])
        .on("GET /fhir/$export", [Reply::status(401), accepted()]);
    let keys = keys(&[Algorithm::Es384]);
    let client =
        server.client().credentials(Credentials::BackendServices(backend(keys.clone()))).build().unwrap();
    client.kick_off(&ExportRequest::default()).await.unwrap();
    let seen = server.seen();
    let assertions: Vec<_> = seen.iter().filter(|seen| seen.method == "POST").map(form).collect();
    assert_eq!(assertions.len(), 3);
    let mut ids: Vec<_> = assertions
        .iter()
        .map(|form| verified(&form["client_assertion"], &keys, &server.url("/token"))["jti"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert_eq!(seen.last().unwrap().header("authorization"), Some("Bearer t2"), "renewed once on 401");
}

#[tokio::test]
async fn a_token_that_is_refused_twice_is_an_error_and_not_a_circle() {
    let server = Server::start().await;
    server
        .on("GET /fhir/.well-known/smart-configuration", [configuration(&server, json!({}))])
        .on("POST /token", [token("t1", json!({})), token("t2", json!({}))])
        .on("GET /fhir/$export", [Reply::status(401)]);
    let client = server
        .client()
        .credentials(Credentials::BackendServices(backend(keys(&[Algorithm::Es384]))))
        .build()
        .unwrap();
    let error = client.kick_off(&ExportRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(server.seen().iter().filter(|seen| seen.path_and_query.contains("export")).count(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_when_its_lifetime_ends() {
    let server = Server::start().await;
    server
        .on("GET /fhir/.well-known/smart-configuration", [configuration(&server, json!({}))])
        .on("POST /token", [token("t1", json!({"expires_in": "1"})), token("t2", json!({}))])
        .on("GET /fhir/$export", [accepted()]);
    let client = server
        .client()
        .credentials(Credentials::BackendServices(backend(keys(&[Algorithm::Es384]))))
        .build()
        .unwrap();
    client.kick_off(&ExportRequest::default()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(900)).await;
    client.kick_off(&ExportRequest::default()).await.unwrap();
    let seen = server.seen();
    let borne: Vec<_> =
        seen.iter().filter_map(|seen| seen.header("authorization")).map(str::to_owned).collect();
    assert_eq!(borne, ["Bearer t1", "Bearer t2"]);
}

#[tokio::test]
async fn the_scope_is_spelt_as_the_server_lists_it_and_the_other_way_where_that_is_refused() {
    let server = Server::start().await;
    let refused = Reply::status(400).json(json!({"error": "invalid_scope"}).to_string());
    server
        .on(
            "GET /fhir/.well-known/smart-configuration",
            [configuration(&server, json!({"scopes_supported": ["system/*.read"]}))],
        )
        .on("POST /token", [refused, token("t1", json!({"scope": "system/*.rs"}))]);
    let client = server
        .client()
        .credentials(Credentials::BackendServices(backend(keys(&[Algorithm::Es384]))))
        .build()
        .unwrap();
    let grant = client.grant().await.unwrap().unwrap();
    assert!(grant.missing().is_empty() && grant.warnings().is_empty());
    let seen = server.seen();
    let scopes: Vec<_> = seen[1..].iter().map(|seen| form(seen)["scope"].clone()).collect();
    assert_eq!(scopes, ["system/*.read", "system/*.rs"]);
}

#[tokio::test]
async fn scopes_that_are_narrower_than_asked_are_told() {
    let server = Server::start().await;
    server.on("POST /token", [token("t1", json!({"scope": "system/Patient.rs"}))]);
    let credentials = BackendServices {
        scopes: Some(Scopes::parse("system/Patient.rs system/Observation.rs")),
        token_url: Some(server.url("/token")),
        ..backend(keys(&[Algorithm::Es384]))
    };
    let client = server.client().credentials(Credentials::BackendServices(credentials)).build().unwrap();
    let grant = client.grant().await.unwrap().unwrap();
    assert_eq!(grant.missing(), ["system/Observation.rs"]);
    assert_eq!(grant.scopes().readable_types(), Some(vec!["Patient".to_owned()]));
    insta::assert_snapshot!(grant.warnings().join("\n"), @r#"the server granted less than was asked: system/Observation.rs is missing; granted is "system/Patient.rs""#);
}

#[tokio::test]
async fn a_check_asks_for_the_configuration_once_and_tells_of_scopes_that_read_nothing() {
    let server = Server::start().await;
    server.on("GET /fhir/.well-known/smart-configuration", [configuration(&server, json!({}))]);
    server.on("POST /token", [token("t", json!({ "scope": "system/*.cud openid" }))]);
    let credentials = Credentials::BackendServices(backend(keys(&[Algorithm::Es384])));
    let client = server.client().credentials(credentials).build().unwrap();
    let check = client.check().await.unwrap();
    assert!(check.smart.is_some());
    let told: Vec<_> = check.deviations.iter().filter(|told| told.starts_with("no scope")).collect();
    insta::assert_snapshot!(told[0], @r#"no scope of the token allows to read: the server will refuse, or export nothing; the scopes are "system/*.cud openid""#);
    let asked =
        server.seen().iter().filter(|seen| seen.path_and_query.contains("smart-configuration")).count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_token_of_a_single_patient_is_told() {
    let server = Server::start().await;
    server.on("POST /token", [token("t1", json!({"scope": "patient/*.rs", "patient": "p1"}))]);
    let credentials = BackendServices {
        scopes: Some(Scopes::parse("patient/*.rs")),
        token_url: Some(server.url("/token")),
        ..backend(keys(&[Algorithm::Es384]))
    };
    let client = server.client().credentials(Credentials::BackendServices(credentials)).build().unwrap();
    let grant = client.grant().await.unwrap().unwrap();
    assert_eq!(grant.patient.as_deref(), Some("p1"));
    assert_eq!(grant.warnings(), ["the token is for a single patient: the export has no others"]);
}

#[tokio::test]
async fn a_client_that_is_refused_is_told_why_and_what_to_do_and_shows_no_secret() {
    let server = Server::start().await;
    let refused = json!({"error": "invalid_client", "error_description": "no client\nwith s3cr3t-password"});
    server.on("POST /token", [Reply::status(401).json(refused.to_string())]);
    let credentials = ClientSecret {
        client_id: "fhirlake".into(),
        secret: Secret::new("s3cr3t-password"),
        scopes: None,
        token_url: Some(server.url("/token")),
    };
    let client = server.client().credentials(Credentials::ClientSecret(credentials)).build().unwrap();
    let error = client.kick_off(&ExportRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenRefused);
    insta::assert_snapshot!(stable(error));
}

#[tokio::test]
async fn a_client_secret_travels_as_the_server_says() {
    for (methods, in_form) in
        [(json!([]), false), (json!(["client_secret_post"]), true), (json!(["client_secret_basic"]), false)]
    {
        let server = Server::start().await;
        let methods = json!({"token_endpoint_auth_methods_supported": methods});
        server
            .on("GET /fhir/.well-known/smart-configuration", [configuration(&server, methods)])
            .on("POST /token", [token("t1", json!({}))]);
        let credentials = ClientSecret {
            client_id: "a client".into(),
            secret: Secret::new("p:w"),
            scopes: None,
            token_url: None,
        };
        let client = server.client().credentials(Credentials::ClientSecret(credentials)).build().unwrap();
        client.grant().await.unwrap();
        let seen = &server.seen()[1];
        assert_eq!(form(seen).contains_key("client_secret"), in_form);
        // `a+client:p%3Aw`
        let header = (!in_form).then_some("Basic YStjbGllbnQ6cCUzQXc=");
        assert_eq!(seen.header("authorization"), header);
    }
}

#[tokio::test]
async fn basic_is_sent_with_every_request() {
    let server = Server::start().await;
    server.on("GET /fhir/$export", [accepted()]);
    let credentials = Credentials::Basic { user: "Aladdin".into(), password: Secret::new("open sesame") };
    let client = server.client().credentials(credentials).build().unwrap();
    client.kick_off(&ExportRequest::default()).await.unwrap();
    assert_eq!(server.seen()[0].header("authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
}

#[tokio::test]
async fn a_token_file_is_read_again_when_its_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "old\n").unwrap();
    let server = Server::start().await;
    server.on("GET /fhir/$export", [accepted(), Reply::status(401), accepted()]);
    let client = server.client().credentials(Credentials::BearerFile(path.clone())).build().unwrap();
    client.kick_off(&ExportRequest::default()).await.unwrap();
    std::fs::write(&path, "new\n").unwrap();
    client.kick_off(&ExportRequest::default()).await.unwrap();
    let seen = server.seen();
    let borne: Vec<_> = seen.iter().filter_map(|seen| seen.header("authorization")).collect();
    assert_eq!(borne, ["Bearer old", "Bearer old", "Bearer new"]);
}

#[tokio::test]
async fn a_server_without_authorization_wants_no_token_whatever_its_manifest_says() {
    let server = Server::start().await;
    let manifest = format!(
        r#"{{"transactionTime":"2026-11-23T17:12:54Z","requiresAccessToken":true,
            "output":[{{"type":"Patient","url":"{}"}}]}}"#,
        server.url("/file")
    );
    server
        .on("GET /poll", [Reply::status(200).json(manifest)])
        .on("GET /file", [Reply::status(200).ndjson("{\"resourceType\":\"Patient\"}\n")]);
    let client = server.client().build().unwrap();
    let manifest = client.wait(&server.url("/poll"), |_| ()).await.unwrap();
    let (file, requires_access_token) = manifest.output().next().unwrap();
    assert!(client.download(file, requires_access_token).await.is_ok());
    assert!(server.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

fn key_file(name: &str) -> Secret {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/keys").join(name);
    Secret::new(std::fs::read_to_string(path).unwrap())
}

#[test]
fn a_key_is_the_same_in_every_form() {
    let jwks = KeySet::parse(&key_file("jwks.json")).unwrap();
    let ids: Vec<&str> = jwks.keys().iter().map(SigningKey::id).collect();
    assert_eq!(ids, ["r", "e"], "public keys and those of other kinds are passed over");
    let public = |key: &SigningKey| {
        let mut jwk = key.public_jwk();
        jwk.as_object_mut().unwrap().remove("kid");
        jwk
    };
    for (name, key) in [
        ("rsa.pkcs1.pem", &jwks.keys()[0]),
        ("rsa.pkcs8.pem", &jwks.keys()[0]),
        ("ec.sec1.pem", &jwks.keys()[1]),
        ("ec.pkcs8.pem", &jwks.keys()[1]),
    ] {
        let parsed = KeySet::parse(&key_file(name)).unwrap();
        assert_eq!(
            (parsed.keys()[0].algorithm(), public(&parsed.keys()[0])),
            (key.algorithm(), public(key)),
            "{name}"
        );
    }
}

#[test]
fn keys_of_other_kinds_are_told() {
    let told = |name: &str| KeySet::parse(&key_file(name)).unwrap_err().to_string();
    insta::assert_snapshot!(told("p256.pkcs8.pem"), @"the key is neither RSA nor of the curve P-384. Hint: RS384 wants an RSA key of 2048 bits or more, ES384 one of the curve P-384");
    insta::assert_snapshot!(told("encrypted.pem"), @"the key is encrypted: decrypt it first, as with openssl pkey. Hint: RS384 wants an RSA key of 2048 bits or more, ES384 one of the curve P-384");
}
