//! HTTP for machines that watch: `/metrics`, `/healthz`, `/readyz`. No login, no personal data.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use super::desk::{Desk, Unready};
use crate::net::Listener;

/// Connections at one time; more wait in the listener's queue.
const CONNECTIONS_MAX: usize = 64;

/// However slowly a client reads and writes, its place is free again after this.
const CONNECTION_LIFE_MAX: Duration = Duration::from_secs(60);

/// Answers requests until `shutdown` completes and the requests under way are answered.
///
/// # Errors
/// If the listener cannot be used at all; a bad client is no error.
pub async fn serve(
    listener: Listener,
    desk: Arc<Desk>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    axum::serve(Bounded { listener, places }, routes(desk)).with_graceful_shutdown(shutdown).await
}

fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(nowhere)
        .with_state(desk)
}

async fn metrics(State(desk): State<Arc<Desk>>) -> Response {
    const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
    desk.take_stock();
    match desk.metrics.exposition() {
        Ok(text) => ([(header::CONTENT_TYPE, FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be shown");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be shown")
        }
    }
}

async fn healthz() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "up", "version": env!("CARGO_PKG_VERSION") }))
}

async fn readyz(State(desk): State<Arc<Desk>>) -> Response {
    let reasons = (desk.unready)();
    if reasons.is_empty() {
        return Json(serde_json::json!({ "status": "ready" })).into_response();
    }
    let shown: Vec<_> = reasons
        .iter()
        .map(|Unready { part, reason }| {
            serde_json::json!({ "part": part.as_str(), "reason": reason })
        })
        .collect();
    let body = Json(serde_json::json!({ "status": "not ready", "reasons": shown }));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

async fn nowhere() -> Response {
    problem(StatusCode::NOT_FOUND, "there is nothing here: /metrics, /healthz, /readyz")
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(serde_json::json!({ "error": message }))).into_response()
}

/// A listener whose connections are limited in number and life.
struct Bounded {
    listener: Listener,
    places: Arc<Semaphore>,
}

impl axum::serve::Listener for Bounded {
    type Io = BoundedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BoundedStream, SocketAddr) {
        // The semaphore is never closed, so `place` is only ever Ok; without one nothing is lost
        // but the limit.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = self.listener.accept().await;
        let life = Box::pin(sleep(CONNECTION_LIFE_MAX));
        (BoundedStream { stream, life, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct BoundedStream {
    stream: TcpStream,
    life: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl BoundedStream {
    fn poll_over(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.life.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_over(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_over(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
