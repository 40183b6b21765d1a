//! Starting and stopping: the server on a port of 127.0.0.1.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;

use crate::dataset::Dataset;
use crate::error::ServerError;
use crate::routes::router;
use crate::state::ServerState;

/// How the server behaves.
#[derive(Clone)]
pub struct ServerOptions {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// How many status requests of a job are answered 202 before its manifest is given.
    pub poll_rounds: u32,
    /// The `Retry-After` of these answers, in seconds.
    pub retry_after: u64,
    /// How many lines a file holds at most; 0 is no limit.
    pub rows_per_file: usize,
    /// The token that every request but `metadata` must bear; without one the server is open.
    pub bearer_token: Option<String>,
}

impl Default for ServerOptions {
    /// Any port, one round of waiting of one second, 10,000 lines per file, open.
    fn default() -> Self {
        ServerOptions { port: 0, poll_rounds: 1, retry_after: 1, rows_per_file: 10_000, bearer_token: None }
    }
}

/// The token is not shown.
impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerOptions")
            .field("port", &self.port)
            .field("poll_rounds", &self.poll_rounds)
            .field("retry_after", &self.retry_after)
            .field("rows_per_file", &self.rows_per_file)
            .field("bearer_token", &self.bearer_token.as_ref().map(|_| "…"))
            .finish()
    }
}

/// A running server. Dropped, it stops taking connections; [`shutdown`](BulkServer::shutdown) also waits.
#[derive(Debug)]
pub struct BulkServer {
    state: Arc<ServerState>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl BulkServer {
    /// Serves the dataset at `http://127.0.0.1:PORT/fhir`; when it returns, requests are answered. Needs a tokio
    /// runtime with I/O.
    pub async fn start(dataset: Dataset, options: ServerOptions) -> Result<BulkServer, ServerError> {
        let port = options.port;
        let cannot_bind = |source| ServerError::Bind { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(cannot_bind)?;
        let bound = listener.local_addr().map_err(cannot_bind)?;
        let base_url = Url::parse(&format!("http://{bound}/fhir")).expect("an address and port make a URL");
        tracing::debug!(%base_url, "serving FHIR Bulk Data");

        let state = ServerState::new(dataset, options, base_url);
        let (stop, stopped) = oneshot::channel();
        let serve = axum::serve(listener, router(state.clone())).with_graceful_shutdown(async move {
            // A dropped sender ends the server as well.
            let _ = stopped.await;
        });
        let serving = tokio::spawn(serve.into_future());
        Ok(BulkServer { state, stop, serving })
    }

    /// The FHIR base, `http://127.0.0.1:PORT/fhir`.
    #[must_use]
    pub fn base_url(&self) -> Url {
        self.state.base_url().clone()
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
        // The receiver is gone only if serving has ended already.
        let _ = self.stop.send(());
        match self.serving.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the FHIR Bulk Data server ended with an error"),
            Err(error) => tracing::warn!(%error, "the FHIR Bulk Data server did not end by itself"),
        }
    }
}
