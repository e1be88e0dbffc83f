//! The admin listener: on loopback or a Unix socket, never public.
//!
//! Two guards against a browser that a stranger's page sends here: `Host` has to be the listener's, and what changes
//! state is a POST with `X-Ringmill: 1`, which no page can send without asking first.

use super::log::{emit, line};
use crate::config::plan::AdminAddress;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ringmill_reactor::Listener;
use serde_json::json;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};

/// What a request of the admin listener asks control for.
#[derive(Debug)]
pub(super) enum Question {
    /// Prometheus text.
    Metrics {
        per_shard: bool,
        answer: oneshot::Sender<String>,
    },
    Ready {
        answer: oneshot::Sender<Readiness>,
    },
    /// Where memory is.
    Memory {
        answer: oneshot::Sender<Vec<(String, u64)>>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    Degraded,
    Draining,
}

/// What all handlers share.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) questions: mpsc::Sender<Question>,
    /// The effective file, secrets hidden.
    pub(super) shown: Arc<serde_json::Value>,
    /// Where it listens; `None`: a Unix socket, whose clients may send any Host.
    pub(super) address: Option<SocketAddr>,
}

/// A bound admin listener.
pub enum AdminListener {
    /// On loopback.
    Tcp(Listener),
    /// A Unix socket, which listens as soon as it is bound: one that does not would be taken for left over.
    Unix(std::os::unix::net::UnixListener, std::path::PathBuf),
}

/// The file of this process's Unix socket.
static SOCKET_FILE: OnceLock<PathBuf> = OnceLock::new();

/// Removes what the admin listener has left in the file system, at whichever end of the process.
pub fn remove_socket_file() {
    if let Some(path) = SOCKET_FILE.get() {
        let _ = std::fs::remove_file(path);
    }
}

impl AdminListener {
    /// Binds it; `Err` is a sentence with the remedy.
    pub fn bind(address: &AdminAddress) -> Result<AdminListener, String> {
        match address {
            AdminAddress::Tcp(address) => {
                let bound =
                    Listener::bind_all(*address, 1).map_err(|error| format!("server.admin: {error}"))?;
                bound.into_iter().next().map(AdminListener::Tcp).ok_or_else(|| "no admin listener".to_owned())
            }
            AdminAddress::Unix(path) => {
                // A socket file without a listener is left over from a process that was killed.
                let connected = std::os::unix::net::UnixStream::connect(path);
                if connected.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
                    && std::fs::symlink_metadata(path)
                        .is_ok_and(|meta| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type()))
                {
                    let _ = std::fs::remove_file(path);
                }
                let listener = std::os::unix::net::UnixListener::bind(path).map_err(|error| {
                    format!("server.admin: cannot listen on {}: {error}; choose another path", path.display())
                })?;
                let _ = SOCKET_FILE.set(path.clone());
                listener.set_nonblocking(true).map_err(|error| error.to_string())?;
                Ok(AdminListener::Unix(listener, path.clone()))
            }
        }
    }

    /// Begins to listen.
    pub fn listen(&self) -> Result<(), String> {
        match self {
            AdminListener::Tcp(listener) => {
                listener.listen().map_err(|error| format!("server.admin: {error}"))
            }
            AdminListener::Unix(..) => Ok(()),
        }
    }

    /// What keeps the address from other processes.
    pub(super) fn claim(&self) -> Option<Arc<UnixDatagram>> {
        match self {
            AdminListener::Tcp(listener) => listener.claim(),
            AdminListener::Unix(..) => None,
        }
    }

    /// Its address, if it has one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            AdminListener::Tcp(listener) => Some(listener.address()),
            AdminListener::Unix(..) => None,
        }
    }

    /// For the lines at start.
    pub fn shown(&self) -> String {
        match self {
            AdminListener::Tcp(listener) => format!("http://{}", listener.address()),
            AdminListener::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }
}

/// Connections at a time. Beyond it one is closed as soon as it is accepted.
const CONNECTIONS_MAX: usize = 64;

/// How long a request's head may take, from the connection's beginning or the last answer on.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may last. Then its request under way is its last, and has `HEAD_TIMEOUT` to be read.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// How long accepting pauses after it failed for want of descriptors or memory.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Serves until the process ends.
pub(super) async fn serve(listener: AdminListener, admin: Admin) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/ready", get(ready))
        .route("/health", get(|| async { Json(json!({ "status": "healthy" })) }))
        .route("/config", get(config))
        .route("/memory", get(memory))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "Not found") })
        .method_not_allowed_fallback(|| async {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
        })
        .layer(from_fn_with_state(admin.clone(), guard))
        .with_state(admin);
    let served = match listener {
        AdminListener::Tcp(listener) => serve_tcp(listener.into_std(), router).await,
        AdminListener::Unix(listener, _) => serve_unix(listener, router).await,
    };
    if let Err(error) = served {
        emit(line!(Error, "The admin listener ended: {error}"));
    }
}

async fn serve_tcp(listener: std::net::TcpListener, router: Router) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => begin(stream, &room, &router),
            Err(_) => sleep(ACCEPT_BACKOFF).await,
        }
    }
}

async fn serve_unix(listener: std::os::unix::net::UnixListener, router: Router) -> std::io::Result<()> {
    let listener = tokio::net::UnixListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => begin(stream, &room, &router),
            Err(_) => sleep(ACCEPT_BACKOFF).await,
        }
    }
}

/// Serves a connection beside the others, or closes it if they are too many.
fn begin(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    room: &Arc<Semaphore>,
    router: &Router,
) {
    let Ok(permit) = room.clone().try_acquire_owned() else { return };
    let service = TowerToHyperService::new(router.clone());
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    tokio::spawn(async move {
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        // How it ends concerns its client alone.
        if timeout(CONNECTION_TIMEOUT, connection.as_mut()).await.is_err() {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(HEAD_TIMEOUT, connection).await;
        }
        drop(permit);
    });
}

fn refusal(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}

async fn guard(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    if let Some(address) = admin.address
        && !is_own_host(request.uri(), request.headers(), address)
    {
        return refusal(StatusCode::FORBIDDEN, "This listener answers only to its own Host");
    }
    let changes_state = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes_state && request.headers().get("x-ringmill").is_none_or(|value| value != "1") {
        return refusal(StatusCode::FORBIDDEN, "What changes state needs the field X-Ringmill: 1");
    }
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// Whether Host names the address that it came to: the address itself, or localhost where it is a loopback one.
fn is_own_host(uri: &Uri, headers: &HeaderMap, address: SocketAddr) -> bool {
    let is_own = |host: &str| {
        host == address.to_string()
            || address.ip().is_loopback()
                && host.eq_ignore_ascii_case(&format!("localhost:{}", address.port()))
    };
    let mut hosts = headers.get_all(header::HOST).iter();
    let only = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
    matches!(only, (Some(host), None) if is_own(host))
        && uri.authority().is_none_or(|authority| is_own(authority.as_str()))
}

async fn ask<T>(admin: &Admin, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    admin.questions.send(question(answer)).await.ok()?;
    answered.await.ok()
}

fn gone() -> Response {
    refusal(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable")
}

async fn metrics(State(admin): State<Admin>, Query(query): Query<HashMap<String, String>>) -> Response {
    let per_shard = query.get("per").is_some_and(|per| per == "shard");
    match ask(&admin, |answer| Question::Metrics { per_shard, answer }).await {
        Some(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        None => gone(),
    }
}

async fn ready(State(admin): State<Admin>) -> Response {
    match ask(&admin, |answer| Question::Ready { answer }).await {
        Some(Readiness::Ready) => Json(json!({ "status": "ready" })).into_response(),
        Some(Readiness::Degraded) => Json(json!({ "status": "degraded" })).into_response(),
        Some(Readiness::Draining) | None => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "draining" }))).into_response()
        }
    }
}

async fn config(State(admin): State<Admin>) -> Response {
    Json(admin.shown.as_ref().clone()).into_response()
}

async fn memory(State(admin): State<Admin>) -> Response {
    match ask(&admin, |answer| Question::Memory { answer }).await {
        Some(rows) => {
            let rows: Vec<_> = rows
                .into_iter()
                .map(|(file, bytes)| {
                    let megabytes = (bytes as f64 / (1024.0 * 1024.0) * 1000.0).round() / 1000.0;
                    json!({ "file": file, "size_mb": megabytes })
                })
                .collect();
            Json(rows).into_response()
        }
        None => gone(),
    }
}
