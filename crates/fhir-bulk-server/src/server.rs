//! Starting and stopping: the server on a port of 127.0.0.1.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;

use crate::dataset::Dataset;
use crate::error::ServerError;
use crate::fault::{Fault, Rule};
use crate::options::ServerOptions;
use crate::quirk::Quirk;
use crate::record::{SeenRequest, Step};
use crate::routes::{OtherOrigin, router};
use crate::state::ServerState;

/// A running server. Dropped, it stops taking connections; [`shutdown`](BulkServer::shutdown) also waits.
#[derive(Debug)]
pub struct BulkServer {
    state: Arc<ServerState>,
    listening: Vec<Listening>,
}

/// One port that is served.
#[derive(Debug)]
struct Listening {
    port: u16,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl BulkServer {
    /// Serves the dataset at `http://127.0.0.1:PORT/fhir`, and its files on a second port as well; when it returns,
    /// requests are answered. Needs a tokio runtime with I/O.
    pub async fn start(dataset: Dataset, options: ServerOptions) -> Result<BulkServer, ServerError> {
        let (listener, port) = bind(options.port).await?;
        let (other, other_port) = bind(0).await?;
        let base_url = Url::parse(&format!("{}/fhir", origin(port))).expect("an address and port make a URL");
        tracing::debug!(%base_url, "serving FHIR Bulk Data");
        let state = ServerState::new(dataset, options, base_url);
        state.set_other_origin(origin(other_port));
        let listening = vec![
            serve(listener, port, router(state.clone())),
            serve(other, other_port, router(state.clone()).layer(Extension(OtherOrigin))),
        ];
        Ok(BulkServer { state, listening })
    }

    /// Stops and starts again on the same ports, with the same data and jobs: connections are closed. With
    /// [`forget_jobs`](BulkServer::forget_jobs) it is a server without a store.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        for old in std::mem::take(&mut self.listening) {
            let port = old.port;
            old.end().await;
            let (listener, port) = bind(port).await?;
            let router = router(self.state.clone());
            let first = self.listening.is_empty();
            let router = if first { router } else { router.layer(Extension(OtherOrigin)) };
            self.listening.push(serve(listener, port, router));
        }
        Ok(())
    }

    /// The FHIR base, `http://127.0.0.1:PORT/fhir`.
    #[must_use]
    pub fn base_url(&self) -> Url {
        self.state.base_url().clone()
    }

    /// The second origin, `http://127.0.0.1:PORT`, where files are as well.
    #[must_use]
    pub fn other_origin(&self) -> String {
        self.state.other_origin()
    }

    /// The token endpoint.
    #[must_use]
    pub fn token_url(&self) -> String {
        self.state.token_url()
    }

    /// See [`ServerState::add_fault`].
    pub fn add_fault(&self, rule: impl Into<Rule>) {
        self.state.add_fault(rule);
    }

    /// See [`ServerState::add_quirk`].
    pub fn add_quirk(&self, quirk: Quirk) {
        self.state.add_quirk(quirk);
    }

    /// See [`ServerState::remove_fault`].
    pub fn remove_fault(&self, fault: Fault) {
        self.state.remove_fault(fault);
    }

    /// See [`ServerState::set_faults`].
    pub fn set_faults(&self, rules: Vec<Rule>) {
        self.state.set_faults(rules);
    }

    /// See [`ServerState::faults`].
    #[must_use]
    pub fn faults(&self) -> Vec<Rule> {
        self.state.faults()
    }

    /// See [`ServerState::requests`].
    #[must_use]
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.state.requests()
    }

    /// See [`ServerState::requests_of`].
    #[must_use]
    pub fn requests_of(&self, step: Step) -> Vec<SeenRequest> {
        self.state.requests_of(step)
    }

    /// See [`ServerState::forget_requests`].
    pub fn forget_requests(&self) {
        self.state.forget_requests();
    }

    /// See [`ServerState::expire_tokens`].
    pub fn expire_tokens(&self) {
        self.state.expire_tokens();
    }

    /// See [`ServerState::expire_links`].
    pub fn expire_links(&self) {
        self.state.expire_links();
    }

    /// See [`ServerState::forget_jobs`].
    pub fn forget_jobs(&self) {
        self.state.forget_jobs();
    }

    /// Changes the dataset at once; see [`ServerState::update`].
    pub fn update<R>(&self, change: impl FnOnce(&mut Dataset) -> R) -> R {
        self.state.update(change)
    }

    /// Path and query of every kick-off request so far, refused ones too, in the order of arrival.
    #[must_use]
    pub fn kick_offs(&self) -> Vec<String> {
        self.state.kick_offs()
    }

    /// Takes no more requests and waits for those that are being answered.
    pub async fn shutdown(self) {
        for listening in self.listening {
            listening.end().await;
        }
    }
}

impl Listening {
    async fn end(self) {
        // The receiver is gone only if serving has ended already.
        let _ = self.stop.send(());
        match self.serving.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the FHIR Bulk Data server ended with an error"),
            Err(error) => tracing::warn!(%error, "the FHIR Bulk Data server did not end by itself"),
        }
    }
}

fn origin(port: u16) -> String {
    format!("http://{}:{port}", Ipv4Addr::LOCALHOST)
}

async fn bind(port: u16) -> Result<(TcpListener, u16), ServerError> {
    let cannot_bind = |source| ServerError::Bind { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(cannot_bind)?;
    let bound = listener.local_addr().map_err(cannot_bind)?.port();
    Ok((listener, bound))
}

fn serve(listener: TcpListener, port: u16, router: Router) -> Listening {
    let (stop, stopped) = oneshot::channel();
    let serve = axum::serve(listener, router).with_graceful_shutdown(async move {
        // A dropped sender ends the server as well.
        let _ = stopped.await;
    });
    Listening { port, stop, serving: tokio::spawn(serve.into_future()) }
}
