//! SMART Backend Services and HTTP Basic.
//!
//! The keys of `tests/data/keys` belong to nobody.

use fhir_bulk_server::{BasicUser, BulkServer, Fault, RegisteredClient, ServerOptions};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use reqwest::Response;
use serde_json::{Value, json};

use crate::client::{client, folder, get, header, issue_code, options, start, status_url};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn key(algorithm: Algorithm) -> EncodingKey {
    let read = |name: &str| std::fs::read(folder("keys").join(name)).unwrap();
    match algorithm {
        Algorithm::RS384 => EncodingKey::from_rsa_pem(&read("rs384.pem")).unwrap(),
        _ => EncodingKey::from_ec_pem(&read("es384.pem")).unwrap(),
    }
}

fn keys() -> Value {
    let key = |algorithm, kid: &str| {
        let mut key = Jwk::from_encoding_key(&key(algorithm), algorithm).unwrap();
        key.common.key_id = Some(kid.to_owned());
        key
    };
    json!({"keys": [key(Algorithm::RS384, "r"), key(Algorithm::ES384, "e")]})
}

async fn guarded() -> BulkServer {
    let clients = vec![
        RegisteredClient::with_keys("app", keys()),
        RegisteredClient::with_secret("old", "s3cr3t"),
        RegisteredClient::with_secret("narrow", "s3cr3t").limited_to(&["Patient"]),
    ];
    start(ServerOptions { clients, poll_rounds: 0, ..options() }).await
}

fn claims(server: &BulkServer) -> Value {
    let exp = get_current_timestamp() + 240;
    let jti = uuid::Uuid::new_v4().to_string();
    json!({"iss": "app", "sub": "app", "aud": server.token_url(), "exp": exp, "jti": jti})
}

fn sign(algorithm: Algorithm, kid: &str, claims: &Value) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) };
    encode(&header, claims, &key(algorithm)).unwrap()
}

async fn ask(server: &BulkServer, assertion: &str, scope: &str) -> Response {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    send(client().post(server.token_url()), &form).await
}

async fn ask_by_secret(server: &BulkServer, id: &str, secret: &str, scope: &str) -> Response {
    let request = client().post(server.token_url()).basic_auth(id, Some(secret));
    send(request, &[("grant_type", "client_credentials"), ("scope", scope)]).await
}

async fn send(request: reqwest::RequestBuilder, form: &[(&str, &str)]) -> Response {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    request.body(body).send().await.unwrap()
}

async fn body(response: Response) -> Value {
    response.json().await.unwrap()
}

async fn error(response: Response) -> String {
    body(response).await["error"].as_str().unwrap().to_owned()
}

async fn token(server: &BulkServer, scope: &str) -> Value {
    body(ask_by_secret(server, "old", "s3cr3t", scope).await).await
}

async fn status_of(server: &BulkServer, path: &str, token: &Value) -> u16 {
    let request = get(server, path).bearer_auth(token["access_token"].as_str().unwrap());
    request.header("Prefer", "respond-async").send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_configuration_names_what_a_client_needs() {
    let server = guarded().await;
    let configuration = body(get(&server, ".well-known/smart-configuration").send().await.unwrap()).await;
    assert_eq!(configuration["token_endpoint"], server.token_url());
    assert_eq!(configuration["token_endpoint_auth_signing_alg_values_supported"], json!(["RS384", "ES384"]));
    assert_eq!(configuration["scopes_supported"], json!(["system/*.read", "system/*.rs"]));
    let statement = body(get(&server, "metadata").send().await.unwrap()).await;
    assert_eq!(statement["rest"][0]["security"]["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
    let open = start(options()).await;
    assert_eq!(get(&open, ".well-known/smart-configuration").send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn an_assertion_of_either_algorithm_brings_a_token_that_opens_every_step() {
    let server = guarded().await;
    for (algorithm, kid) in [(Algorithm::RS384, "r"), (Algorithm::ES384, "e")] {
        let answer = ask(&server, &sign(algorithm, kid, &claims(&server)), "system/*.rs").await;
        assert_eq!(header(&answer, "cache-control"), "no-store");
        let answer = body(answer).await;
        assert_eq!(
            (answer["token_type"].as_str(), answer["expires_in"].as_u64()),
            (Some("bearer"), Some(300))
        );
        assert_eq!(answer["scope"], "system/*.rs");
        let token = answer["access_token"].as_str().unwrap();

        let kick_off = get(&server, "$export").bearer_auth(token).header("Prefer", "respond-async");
        let status = status_url(&kick_off.send().await.unwrap());
        assert_eq!(client().get(&status).send().await.unwrap().status(), 401);
        let manifest = body(client().get(&status).bearer_auth(token).send().await.unwrap()).await;
        assert_eq!(manifest["requiresAccessToken"], true);
        let file = manifest["output"][0]["url"].as_str().unwrap();
        assert_eq!(client().get(file).send().await.unwrap().status(), 401);
        assert_eq!(client().get(file).bearer_auth(token).send().await.unwrap().status(), 200);
        assert_eq!(client().delete(&status).bearer_auth(token).send().await.unwrap().status(), 202);
    }
}

#[tokio::test]
async fn an_assertion_is_good_once() {
    let server = guarded().await;
    let assertion = sign(Algorithm::ES384, "e", &claims(&server));
    assert_eq!(ask(&server, &assertion, "system/*.rs").await.status(), 200);
    assert_eq!(error(ask(&server, &assertion, "system/*.rs").await).await, "invalid_client");
}

#[tokio::test]
async fn an_assertion_that_says_anything_else_is_refused() {
    let server = guarded().await;
    let now = get_current_timestamp();
    for (claim, value) in [
        ("exp", json!(now + 3_600)),
        ("exp", json!(now - 60)),
        ("aud", json!("http://another.example.org/token")),
        ("iss", json!("other")),
        ("sub", json!("other")),
        ("jti", json!("")),
        ("jti", Value::Null),
        ("nbf", json!(now + 60)),
    ] {
        let mut claims = claims(&server);
        claims[claim] = value;
        let response = ask(&server, &sign(Algorithm::ES384, "e", &claims), "system/*.rs").await;
        assert_eq!(response.status(), 401, "{claim}");
        assert_eq!(error(response).await, "invalid_client");
    }
    for assertion in [
        sign(Algorithm::ES384, "unknown", &claims(&server)),
        sign(Algorithm::RS384, "e", &claims(&server)),
        encode(&Header::new(Algorithm::HS384), &claims(&server), &EncodingKey::from_secret(b"x")).unwrap(),
        "no token".to_owned(),
    ] {
        assert_eq!(error(ask(&server, &assertion, "system/*.rs").await).await, "invalid_client");
    }
}

#[tokio::test]
async fn a_token_request_of_another_form_is_refused() {
    let server = guarded().await;
    let request = || client().post(server.token_url());
    let password = [("grant_type", "password")];
    assert_eq!(error(send(request(), &password).await).await, "unsupported_grant_type");
    let without = [("grant_type", "client_credentials")];
    assert_eq!(error(send(request(), &without).await).await, "invalid_request");
    let json = request().header("Content-Type", "application/json").body("{}").send().await.unwrap();
    assert_eq!(error(json).await, "invalid_request");
}

#[tokio::test]
async fn a_secret_brings_a_token_too() {
    let server = guarded().await;
    assert_eq!(status_of(&server, "$export", &token(&server, "system/*.read").await).await, 202);
    for (id, secret) in [("old", "wrong"), ("app", ""), ("nobody", "s3cr3t")] {
        let response = ask_by_secret(&server, id, secret, "system/*.rs").await;
        assert_eq!(header(&response, "www-authenticate"), r#"Basic realm="token""#);
        assert_eq!(error(response).await, "invalid_client");
    }
}

#[tokio::test]
async fn a_limited_client_gets_a_narrower_scope_and_no_more_data() {
    let server = guarded().await;
    let token =
        body(ask_by_secret(&server, "narrow", "s3cr3t", "system/*.rs system/Observation.rs").await).await;
    assert_eq!(token["scope"], "system/Patient.rs");
    assert_eq!(status_of(&server, "$export?_type=Observation", &token).await, 403);
    assert_eq!(status_of(&server, "Observation/o1", &token).await, 403);
    assert_eq!(status_of(&server, "Observation", &token).await, 403);
    let bearer = token["access_token"].as_str().unwrap();
    let request = get(&server, "$export").bearer_auth(bearer).header("Prefer", "respond-async");
    let status = status_url(&request.send().await.unwrap());
    let manifest = body(client().get(status).bearer_auth(bearer).send().await.unwrap()).await;
    assert_eq!(manifest["output"].as_array().unwrap().len(), 1);
    let nothing = ask_by_secret(&server, "narrow", "s3cr3t", "system/Observation.rs").await;
    assert_eq!(error(nothing).await, "invalid_scope");
}

#[tokio::test]
async fn tokens_expire() {
    let server = guarded().await;
    let first = token(&server, "system/*.rs").await;
    server.expire_tokens();
    assert_eq!(status_of(&server, "$export", &first).await, 401);

    server.add_fault(Fault::TokenShort);
    let short = token(&server, "system/*.rs").await;
    assert_eq!(short["expires_in"], 1);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(status_of(&server, "$export", &short).await, 401);
}

#[tokio::test]
async fn basic_authentication_needs_user_and_password() {
    let basic = Some(BasicUser { user: "u".to_owned(), password: "p".to_owned() });
    let server = start(ServerOptions { basic, ..options() }).await;
    let right = get(&server, "Patient/p1").basic_auth("u", Some("p")).send().await.unwrap();
    assert_eq!(right.status(), 200);
    for request in [get(&server, "Patient/p1"), get(&server, "Patient/p1").basic_auth("u", Some("q"))] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(header(&response, "www-authenticate"), r#"Basic realm="fhir""#);
        assert_eq!(issue_code(response).await, "login");
    }
}

#[tokio::test]
async fn the_token_endpoint_fails_on_demand() {
    let server = guarded().await;
    let answer = async |fault: Fault, scope: &str| {
        server.set_faults(vec![fault.into()]);
        ask_by_secret(&server, "old", "s3cr3t", scope).await
    };
    assert_eq!(error(answer(Fault::TokenInvalidClient, "system/*.rs").await).await, "invalid_client");
    let busy = answer(Fault::Token503, "system/*.rs").await;
    assert_eq!((busy.status().as_u16(), header(&busy, "retry-after")), (503, "0"));
    let page = answer(Fault::TokenHtml, "system/*.rs").await;
    assert!(page.status() == 200 && page.text().await.unwrap().contains("<html>"));
    assert!(body(answer(Fault::TokenWithoutExpiry, "system/*.rs").await).await.get("expires_in").is_none());
    assert_eq!(body(answer(Fault::TokenExpiryString, "system/*.rs").await).await["expires_in"], "300");
    assert_eq!(body(answer(Fault::TokenExpiryZero, "system/*.rs").await).await["expires_in"], 0);
    assert_eq!(body(answer(Fault::TokenTypeCapital, "system/*.rs").await).await["token_type"], "Bearer");
    assert_eq!(body(answer(Fault::TokenNarrow, "system/*.rs").await).await["scope"], "system/Patient.rs");
    assert_eq!(error(answer(Fault::RefuseScopeRs, "system/*.rs").await).await, "invalid_scope");
    let forbidden = body(answer(Fault::ForbidScopeRead, "system/*.read").await).await;
    assert_eq!(forbidden["scope"], "system/*.read");
    assert_eq!(status_of(&server, "Patient/p1", &forbidden).await, 403);
    let dropped = body(answer(Fault::DropScopeRead, "system/*.read").await).await;
    assert_eq!(dropped["scope"], "");
    assert_eq!(status_of(&server, "Patient/p1", &dropped).await, 403);
}

#[tokio::test]
async fn the_configuration_is_missing_or_silent_on_demand() {
    let server = guarded().await;
    let configuration = async |fault: Fault| {
        server.set_faults(vec![fault.into()]);
        get(&server, ".well-known/smart-configuration").send().await.unwrap()
    };
    assert_eq!(configuration(Fault::SmartConfiguration404).await.status(), 404);
    let silent = body(configuration(Fault::SmartWithoutScopes).await).await;
    assert!(silent.get("scopes_supported").is_none());
}
