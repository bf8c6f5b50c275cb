//! Style, script and icon: in the binary, asked for again only when they have changed.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::control::Desk;
use crate::model::Digest;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("console.js");
const ICON: &str = include_str!("icon.svg");

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/style.css", get(|asked| serve(asked, "text/css; charset=utf-8", STYLE)))
        .route("/console.js", get(|asked| serve(asked, "text/javascript; charset=utf-8", SCRIPT)))
        .route("/icon.svg", get(|asked| serve(asked, "image/svg+xml", ICON)))
}

async fn serve(asked: HeaderMap, kind: &'static str, text: &'static str) -> Response {
    let tag = format!("\"{}\"", Digest::of(text.as_bytes()));
    let known =
        asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], text).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}
