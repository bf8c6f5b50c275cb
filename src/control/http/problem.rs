//! Errors as problem details (RFC 9457).

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::model::{Report, SqlState};

/// Why a request is not carried out.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    report: Report,
}

impl Problem {
    pub(super) fn new(status: StatusCode, state: SqlState, detail: impl Into<String>) -> Self {
        Self { status, report: Report::error(state, detail) }
    }

    pub(super) fn hint(self, hint: &'static str) -> Self {
        Self { report: self.report.hint(hint), ..self }
    }

    /// Nobody knows who is asking.
    pub(super) fn unauthorized(report: Report) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, report }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, SqlState::UNDEFINED_OBJECT, what)
    }

    fn invalid(status: StatusCode, detail: String) -> Self {
        Self::new(status, SqlState::INVALID_PARAMETER_VALUE, detail)
    }

    /// In words, for people.
    pub(super) fn words(&self) -> String {
        let Report { message, detail, hint, .. } = &self.report;
        let parts = [Some(message.as_str()), detail.as_deref(), hint.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(". ")
    }
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
        Self { status, report }
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
        const CHALLENGE: HeaderValue =
            HeaderValue::from_static("Basic realm=\"keyhole\", charset=\"UTF-8\"");
        let Report { state, message, detail, hint, .. } = &self.report;
        let body = json!({
            "title": message,
            "status": self.status.as_u16(),
            "detail": detail,
            "hint": hint,
            "code": state.as_str(),
        });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    }
}
