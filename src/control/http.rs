//! HTTP: `/metrics`, `/healthz`, `/readyz` for machines that watch, without login and without
//! personal data; `/api/v1`, described by its own document and on the page `/api`; and the pages of the web console.

mod api;
mod at_issuer;
mod audit;
mod body;
mod bounded;
mod catalog;
mod drift;
mod explain;
mod grants;
mod once;
pub mod openapi;
mod pages;
mod policies;
mod problem;
mod readiness;
mod reference;
mod requests;
mod restrictions;
mod routes;
mod session;
mod sessions;
mod sign_in;
mod status;
pub mod views;
mod who;

use std::io;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router, middleware};

use self::bounded::{Bounded, Peer};
use self::problem::Problem;
pub use self::problem::{PROBLEM_KINDS, ProblemKind};
pub use self::routes::{ROUTES, Route};
use super::desk::Desk;
use crate::model::SqlState;
use crate::net::Listener;

/// Bytes of the longest body: a request has some lines.
const BODY_LEN_MAX: usize = 64 * 1024;

/// Answers requests until `shutdown` completes and the requests under way are answered.
///
/// # Errors
/// If the listener cannot be used at all; a bad client is no error.
pub async fn serve(
    listener: Listener,
    desk: Arc<Desk>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let bounded = Bounded::new(listener, Arc::clone(&desk));
    let service = routes(desk).into_make_service_with_connect_info::<Peer>();
    axum::serve(bounded, service).with_graceful_shutdown(shutdown).await
}

fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readiness::readyz))
        .route("/api", get(reference::show))
        .merge(api::routes().router)
        .merge(session::pages())
        .merge(at_issuer::routes())
        .merge(pages::routes())
        .layer(Extension(once::Kept::default()))
        .layer(Extension(explain::Turn::default()))
        .fallback(nowhere)
        .method_not_allowed_fallback(routes::not_so)
        .layer(middleware::from_fn(routes::listed))
        .layer(middleware::from_fn(sign_in::renewing))
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .layer(middleware::map_response(guarded))
        .with_state(desk)
}

/// What is shown here is for whoever asked, and for no other page.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
             connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Script and style say themselves how long they are good for.
    let kept = headers.entry(header::CACHE_CONTROL);
    kept.or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn metrics(State(desk): State<Arc<Desk>>) -> Response {
    const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
    desk.take_stock();
    match desk.metrics.exposition() {
        Ok(text) => ([(header::CONTENT_TYPE, FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be shown");
            let what = "metrics cannot be shown";
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(status, SqlState::INTERNAL_ERROR, what).into_response()
        }
    }
}

async fn healthz() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "up", "version": env!("CARGO_PKG_VERSION") }))
}

async fn nowhere() -> Problem {
    Problem::not_found("there is nothing here: /api/v1, /metrics, /healthz, /readyz")
}
