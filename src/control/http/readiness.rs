//! Whether the proxy is ready, and if not, why: for programs as JSON, for people as text.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::control::desk::{Desk, Sink, Unready};
use crate::telemetry::labels::Label;

/// 200 when it is ready, 503 when not. Text for who prefers `text/plain`.
pub(super) async fn readyz(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    let reasons = (desk.unready)();
    // For information: a proxy whose sinks are behind serves all the same.
    let sinks = (desk.sinks)();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if prefers_text(&headers) {
        const TEXT: &str = "text/plain; charset=utf-8";
        return (status, [(header::CONTENT_TYPE, TEXT)], text(&reasons, &sinks)).into_response();
    }
    (status, Json(document(&reasons, &sinks))).into_response()
}

fn prefers_text(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.trim_start().starts_with("text/plain"))
}

fn document(reasons: &[Unready], sinks: &[Sink]) -> Value {
    if !reasons.is_empty() {
        let reason =
            |Unready { part, reason }: &Unready| json!({ "part": part.as_str(), "reason": reason });
        let reasons: Vec<_> = reasons.iter().map(reason).collect();
        return json!({ "status": "not ready", "reasons": reasons });
    }
    let mut answer = json!({ "status": "ready" });
    if !sinks.is_empty() {
        answer["sinks"] = sinks.iter().map(sink).collect();
    }
    answer
}

fn sink(sink: &Sink) -> Value {
    json!({
        "name": sink.name,
        "state": sink.state(),
        "behind_records": sink.behind_records,
        "behind_seconds": sink.behind_secs,
    })
}

/// A line for each reason and each sink.
fn text(reasons: &[Unready], sinks: &[Sink]) -> String {
    let mut text = String::from(if reasons.is_empty() { "ready\n" } else { "not ready\n" });
    for Unready { part, reason } in reasons {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {reason}", part.as_str());
    }
    for sink in sinks {
        let Sink { name, behind_records, behind_secs, .. } = sink;
        let state = sink.state();
        let _ = writeln!(
            text,
            "sink {name}: {state}, {behind_records} records and {behind_secs} s behind"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::labels::Part;

    #[test]
    fn why_it_is_not_ready_is_told_to_programs_and_people() {
        let reason = "database shop: no connection in time".to_owned();
        let reasons = [Unready { part: Part::Schema, reason }];
        assert_eq!(
            text(&reasons, &[]),
            "not ready\nschema: database shop: no connection in time\n"
        );
        let told = document(&reasons, &[]);
        assert_eq!(told["status"], "not ready");
        assert_eq!(told["reasons"][0]["part"], "schema");
        assert_eq!(text(&[], &[]), "ready\n");
    }

    #[test]
    fn only_who_asks_for_text_gets_it() {
        let says = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            prefers_text(&headers)
        };
        assert!(says("text/plain") && says("text/plain; charset=utf-8, */*"));
        assert!(!says("*/*") && !says("application/json, text/plain"));
        assert!(!prefers_text(&HeaderMap::new()));
    }
}
