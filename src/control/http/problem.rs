//! Errors as problem details (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::pages::going_to;
use crate::model::{Report, SqlState};

/// Why a request is not carried out.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    report: Box<Report>,
    then: Then,
    /// The word of the type, where it is not that of the status.
    word: Option<&'static str>,
}

/// What whoever asked can do.
#[derive(Debug, Default)]
enum Then {
    #[default]
    Nothing,
    /// Say who they are.
    Challenge(Schemes),
    /// Wait so many seconds.
    Wait(u64),
    /// Sign in on our page, and come back to this one.
    SignIn(String),
    /// Come from a page of ours to this one, whose cookie browsers send.
    OnceMore(String),
}

/// The ways to say who one is in a header.
#[derive(Clone, Copy, Debug)]
enum Schemes {
    All,
    /// Without the one for which browsers show a dialog of their own.
    Quiet,
}

/// Why a request is not carried out (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemView {
    /// Which kind of problem it is: a URI, relative to the page that explains them.
    r#type: String,
    /// Of the kind: what is so of this one stands in `detail`.
    title: &'static str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    detail: String,
    /// What can be done about it.
    hint: Option<String>,
    /// The SQLSTATE that the same would have on the data port.
    #[schema(pattern = "^[0-9A-Z]{5}$")]
    code: String,
}

/// A kind of problems.
#[derive(Clone, Copy, Debug)]
pub struct ProblemKind {
    /// The word at the end of its type: `/api#forbidden`.
    pub word: &'static str,
    /// Of every problem of this kind; what is so of one stands in its detail.
    pub title: &'static str,
    /// What it means, and what can be done.
    pub about: &'static str,
}

const fn kind(word: &'static str, title: &'static str, about: &'static str) -> ProblemKind {
    ProblemKind { word, title, about }
}

/// All kinds of problems.
pub const PROBLEM_KINDS: &[ProblemKind] = &[
    kind(
        "malformed",
        "It cannot be read",
        "A parameter, a header or the body cannot be read. Send something else.",
    ),
    kind("unauthenticated", "Nobody is signed in", "Nobody is signed in, or the login is wrong."),
    kind(
        "forbidden",
        "It is not allowed",
        "Whoever asks may not do that; the detail says who may.",
    ),
    kind("not-found", "There is no such thing", "There is no such thing, or it is none of theirs."),
    kind(
        "method-not-allowed",
        "It is not done with this method",
        "There is such a path, and this is not done with it.",
    ),
    kind(
        "conflict",
        "The same is under way",
        "A request with the same Idempotency-Key is under way. Ask again later.",
    ),
    kind("too-long", "The body is too long", "The body is longer than 64 KiB."),
    kind("not-json", "The body is no JSON", "The body is not declared as application/json."),
    kind(
        "invalid",
        "It makes no sense",
        "It is read, and makes no sense here: the detail says why.",
    ),
    kind(
        "idempotency-key-reused",
        "The Idempotency-Key was used before",
        "The Idempotency-Key was sent before, with another request.",
    ),
    kind("too-many", "It is too much at a time", "Too much of it in this time. Ask again later."),
    kind("internal", "The proxy made a mistake", "A mistake of the proxy's; its log says more."),
    kind(
        "unavailable",
        "What it needs is out of reach",
        "What it needs cannot be reached now. Ask again later.",
    ),
];

fn title_of(word: &str) -> &'static str {
    PROBLEM_KINDS.iter().find(|kind| kind.word == word).map_or("", |kind| kind.title)
}

fn word_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "unauthenticated",
        403 => "forbidden",
        404 => "not-found",
        405 => "method-not-allowed",
        409 => "conflict",
        413 => "too-long",
        415 => "not-json",
        422 => "invalid",
        429 => "too-many",
        503 => "unavailable",
        500..=599 => "internal",
        _ => "malformed",
    }
}

impl Problem {
    pub(super) fn new(status: StatusCode, state: SqlState, detail: impl Into<String>) -> Self {
        Self::from_report(status, Report::error(state, detail), Then::default())
    }

    fn from_report(status: StatusCode, report: Report, then: Then) -> Self {
        Self { status, report: Box::new(report), then, word: None }
    }

    pub(super) fn of_type(self, word: &'static str) -> Self {
        Self { word: Some(word), ..self }
    }

    pub(super) fn hint(self, hint: &'static str) -> Self {
        Self { report: Box::new(self.report.hint(hint)), ..self }
    }

    /// Nobody knows who is asking.
    pub(super) fn unauthorized(report: Report) -> Self {
        Self::from_report(StatusCode::UNAUTHORIZED, report, Then::Challenge(Schemes::All))
    }

    /// For scripts of our pages.
    pub(super) fn without_dialog(self) -> Self {
        Self { then: Then::Challenge(Schemes::Quiet), ..self }
    }

    /// Nobody knows who wants to look at this page of ours.
    pub(super) fn sign_in_first(report: Report, place: &str) -> Self {
        let then = Then::SignIn(sign_in_place(place));
        Self::from_report(StatusCode::SEE_OTHER, report, then)
    }

    /// The same, where a link elsewhere led to it: browsers send cookies from our pages only.
    pub(super) fn once_more(report: Report, place: &str) -> Self {
        Self::from_report(StatusCode::OK, report, Then::OnceMore(place.to_owned()))
    }

    /// Too many requests of theirs have come lately.
    pub(super) fn too_many(wait: Duration) -> Self {
        let secs = wait.as_secs().saturating_add(1);
        let what = "too many requests: there is a limit in a minute";
        let problem =
            Self::new(StatusCode::TOO_MANY_REQUESTS, SqlState::PROGRAM_LIMIT_EXCEEDED, what);
        Self { then: Then::Wait(secs), ..problem }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, SqlState::UNDEFINED_OBJECT, what)
    }

    fn invalid(status: StatusCode, detail: String) -> Self {
        Self::new(status, SqlState::INVALID_PARAMETER_VALUE, detail)
    }

    /// In words, for people.
    pub(super) fn words(&self) -> String {
        let Report { message, detail, hint, .. } = &*self.report;
        sentences([Some(message.as_str()), detail.as_deref(), hint.as_deref()])
    }
}

fn sentences<'a>(parts: impl IntoIterator<Item = Option<&'a str>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(". ")
}

impl From<Report> for Problem {
    fn from(report: Report) -> Self {
        let status = match report.state {
            SqlState::INSUFFICIENT_PRIVILEGE => StatusCode::FORBIDDEN,
            SqlState::UNDEFINED_OBJECT
            | SqlState::UNDEFINED_TABLE
            | SqlState::INVALID_CATALOG_NAME => StatusCode::NOT_FOUND,
            SqlState::INVALID_PARAMETER_VALUE
            | SqlState::SYNTAX_ERROR
            | SqlState::FEATURE_NOT_SUPPORTED => StatusCode::UNPROCESSABLE_ENTITY,
            SqlState::PROGRAM_LIMIT_EXCEEDED => StatusCode::TOO_MANY_REQUESTS,
            SqlState::CONNECTION_FAILURE
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::ADMIN_SHUTDOWN
            | SqlState::IO_ERROR => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::from_report(status, report, Then::default())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::invalid(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match &self.then {
            Then::SignIn(place) => return see(place),
            Then::OnceMore(place) => return going_to(place),
            Then::Nothing | Then::Challenge(_) | Then::Wait(_) => {}
        }
        let Report { state, message, detail, hint, .. } = *self.report;
        let word = self.word.unwrap_or(word_of(self.status));
        let body = ProblemView {
            r#type: format!("/api#{word}"),
            title: title_of(word),
            status: self.status.as_u16(),
            detail: sentences([Some(message.as_str()), detail.as_deref()]),
            hint,
            code: state.as_str().to_owned(),
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        match self.then {
            Then::Challenge(schemes) => {
                let basic = match schemes {
                    Schemes::All => Some("Basic realm=\"keyhole\", charset=\"UTF-8\""),
                    Schemes::Quiet => None,
                };
                for scheme in basic.into_iter().chain(["Bearer realm=\"keyhole\""]) {
                    headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
                }
            }
            Then::Wait(secs) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
            }
            Then::Nothing | Then::SignIn(_) | Then::OnceMore(_) => {}
        }
        response
    }
}

/// Has a browser go on to a place of ours.
pub(super) fn see(place: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Where to sign in and come back from.
pub(super) fn sign_in_place(next: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("/login?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_kind_with_a_title() {
        for status in (400..600).filter_map(|code| StatusCode::from_u16(code).ok()) {
            assert_ne!(title_of(word_of(status)), "", "{status}");
        }
    }

    #[test]
    fn titles_tell_kinds_apart() {
        let titles: std::collections::BTreeSet<_> =
            PROBLEM_KINDS.iter().map(|kind| kind.title).collect();
        assert_eq!(titles.len(), PROBLEM_KINDS.len());
    }
}
