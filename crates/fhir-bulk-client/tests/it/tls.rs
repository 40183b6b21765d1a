//! HTTPS: the versions of HTTP that are spoken, and certificates that are refused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::Version;
use axum::serve::Listener;
use fhir_bulk_client::{BulkClient, Error, ErrorKind, ExportRequest, FolderOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::server::{Reply, Server, stable};

/// Connections that have agreed on a certificate; others are counted.
struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    tried: Arc<AtomicUsize>,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            self.tried.fetch_add(1, Ordering::SeqCst);
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A server with a certificate of an authority that only this test knows.
struct Https {
    server: Server,
    authority: String,
    /// How many connections were tried.
    tried: Arc<AtomicUsize>,
}

/// `name` is what the certificate says; `expired` whether its time is over; `protocols` what the server speaks.
async fn https(name: &str, expired: bool, protocols: &[&str]) -> Https {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if expired {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    let certificate = params.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key);
    let mut config = config.unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("https://{}", listener.local_addr().unwrap());
    let tried = Arc::new(AtomicUsize::new(0));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = Tls { listener, acceptor, tried: Arc::clone(&tried) };
    Https { server: Server::serve(listener, origin), authority: authority.pem(), tried }
}

impl Https {
    fn client(&self) -> BulkClient {
        self.server.client().ca_certificates(self.authority.as_bytes()).build().unwrap()
    }
}

/// An export of three files, whose versions of HTTP are returned.
async fn export_over(protocols: &[&str]) -> Vec<Version> {
    let https = https("127.0.0.1", false, protocols).await;
    let server = &https.server;
    let files: Vec<String> = (0..3)
        .map(|number| {
            format!(r#"{{"type":"Patient","url":"{}","count":2000}}"#, server.url(&format!("/{number}")))
        })
        .collect();
    let manifest = format!(
        r#"{{"transactionTime":"2026-01-01T00:00:00Z","request":"r","requiresAccessToken":false,"output":[{}],"error":[]}}"#,
        files.join(",")
    );
    server.on("GET /fhir/$export", [Reply::status(202).header("content-location", server.url("/status"))]);
    server.on("GET /status", [Reply::status(202), Reply::status(200).json(manifest)]);
    server.on("DELETE /status", [Reply::status(202)]);
    let lines: String =
        (0..2_000).map(|number| format!("{{\"resourceType\":\"Patient\",\"id\":\"{number}\"}}\n")).collect();
    for number in 0..3 {
        server.on(&format!("GET /{number}"), [Reply::status(200).ndjson(lines.clone())]);
    }
    let folder = tempfile::tempdir().unwrap();
    let client = https.client();
    let options = FolderOptions::default();
    let report = client.export_to(&ExportRequest::default(), folder.path(), options, |_| ()).await.unwrap();
    assert_eq!(report.resources["Patient"], 6_000);
    let versions: Vec<Version> = server.seen().iter().map(|seen| seen.version).collect();
    assert_eq!(versions.len(), 7, "kick-off, two polls, three files, and the job's end");
    versions
}

#[tokio::test]
async fn an_export_speaks_http_2_where_the_server_does_and_trusts_an_authority_of_the_users() {
    assert!(export_over(&["h2", "http/1.1"]).await.iter().all(|version| *version == Version::HTTP_2));
    assert!(export_over(&["http/1.1"]).await.iter().all(|version| *version == Version::HTTP_11));
}

/// The error of a kick-off at a server that is not trusted, to which nothing was sent and which was asked once.
async fn refused(https: &Https, client: &BulkClient) -> Error {
    let error = client.kick_off(&ExportRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Certificate, "{error}");
    assert_eq!((error.attempts(), https.tried.load(Ordering::SeqCst)), (1, 1), "asking again is of no use");
    assert!(https.server.seen().is_empty());
    error
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told_and_not_asked_again() {
    let https = https("127.0.0.1", false, &["h2"]).await;
    let client = https.server.client().build().unwrap();
    insta::assert_snapshot!(stable(refused(&https, &client).await));
}

#[tokio::test]
async fn a_certificate_of_another_name_is_told() {
    let https = https("ehr.example", false, &["h2"]).await;
    insta::assert_snapshot!(stable(refused(&https, &https.client()).await));
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_told() {
    let https = https("127.0.0.1", true, &["h2"]).await;
    let error = refused(&https, &https.client()).await;
    assert!(error.hint().unwrap().contains("expired"), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told() {
    let server = Server::start().await;
    let base = server.url("/fhir").to_string().replace("http:", "https:").parse().unwrap();
    let client = crate::server::client(base).build().unwrap();
    let error = client.kick_off(&ExportRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
}

#[test]
fn a_file_without_certificates_is_refused() {
    for pem in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let client = BulkClient::builder("https://ehr.example/fhir".parse().unwrap());
        let error = client.ca_certificates(pem).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
}
