//! `/api/v1/requests`: asking for access, and deciding on it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::body::{Body, Id, Paging, page};
use super::problem::Problem;
use super::sign_in::SignedIn;
use super::views::RequestView;
use crate::control::desk::Deed;
use crate::control::grammar::Command;
use crate::control::{Desk, answer, lookup};
use crate::grant::{AskText, Proof, Request, RequestId};
use crate::model::{Report, Secret, SqlState};

/// How long an answer may be waited for in one request.
const WAIT_MAX: Duration = Duration::from_secs(30);

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/", get(list).post(create))
        .route("/{id}", get(show))
        .route("/{id}/challenge", get(challenge))
        .route("/{id}/approve", post(approve))
        .route("/{id}/deny", post(deny))
        .route("/{id}/cancel", post(cancel))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    /// Only those in this state.
    state: Option<String>,
    /// Only those of this user.
    requester: Option<String>,
    limit: Option<usize>,
    before: Option<u64>,
}

async fn list(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Wanted { state, requester, limit, before }) = wanted?;
    let mut requests = desk.approvals.requests();
    requests.retain(|request| {
        who.may_see_request(request)
            && state.as_deref().is_none_or(|state| state == request.state.as_str())
            && requester.as_deref().is_none_or(|name| name == request.requester)
    });
    let views = requests.iter().map(RequestView::from).collect();
    Ok(Json(page(views, |view| view.id, Paging { limit, before })).into_response())
}

/// A database, and what is asked for in it.
pub(super) fn asked(mut body: Map<String, Value>) -> Result<(Option<String>, AskText), Problem> {
    let database = match body.remove("database") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return Err(unreadable("database is a name")),
    };
    let ask = serde_json::from_value(Value::Object(body));
    Ok((database, ask.map_err(|error| unreadable(error.to_string()))?))
}

pub(super) fn unreadable(what: impl Into<String>) -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, SqlState::INVALID_PARAMETER_VALUE, what)
}

async fn create(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let (database, ask) = asked(body)?;
    let ask = ask.read()?;
    let view = lookup::view(&(desk.databases)(), database.as_deref(), &ask.resource)?;
    let operator = who.operator();
    let request = desk.approvals.request(&operator.client(&view.database), &view, ask).await;
    answer::record(&desk, &operator, Deed::Request, request.as_ref().err());
    Ok(created(&request?))
}

pub(super) fn created(request: &Request) -> Response {
    let mut response = (StatusCode::CREATED, Json(RequestView::from(request))).into_response();
    if let Ok(place) = HeaderValue::try_from(format!("/api/v1/requests/{}", request.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// # Errors
/// It is not known, or none of their business.
pub(super) fn visible(desk: &Desk, who: &SignedIn, id: RequestId) -> Result<Request, Problem> {
    let found = desk.approvals.find_request(id).filter(|request| who.may_see_request(request));
    found.ok_or_else(|| Problem::not_found(&format!("there is no request {id}")))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Patience {
    /// Seconds.
    wait: Option<u64>,
}

async fn show(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    patience: Result<Query<Patience>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<RequestView>, Problem> {
    let Query(Patience { wait }) = patience?;
    let request = visible(&desk, &who, id)?;
    let Some(seconds) = wait else { return Ok(Json((&request).into())) };
    let patience = Duration::from_secs(seconds).min(WAIT_MAX);
    match tokio::time::timeout(patience, desk.approvals.decided(id)).await {
        Ok(decided) => Ok(Json((&decided?).into())),
        Err(_) => Ok(Json((&visible(&desk, &who, id)?).into())),
    }
}

async fn challenge(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
) -> Result<Json<Value>, Problem> {
    visible(&desk, &who, id)?;
    let (_, challenge) = desk.approvals.challenge(id)?;
    Ok(Json(json!({ "request": id, "challenge": challenge.as_str() })))
}

/// What an approver proves an approval with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Approval {
    code: Option<String>,
    signature: Option<String>,
}

async fn approve(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    Body(Approval { code, signature }): Body<Approval>,
) -> Result<Json<RequestView>, Problem> {
    let signature = signature.map(|text| text.parse()).transpose();
    let signature = signature.map_err(|error| unreadable(format!("{error}")))?;
    let proof = Proof { signature, code: code.map(Secret::new) };
    decide(&desk, &who, id, Command::Approve { request: id, proof }).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Denial {
    reason: String,
}

async fn deny(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    Body(Denial { reason }): Body<Denial>,
) -> Result<Json<RequestView>, Problem> {
    decide(&desk, &who, id, denial(id, reason)?).await
}

/// # Errors
/// A reason is read by people later: it must say something.
pub(super) fn denial(id: RequestId, reason: String) -> Result<Command, Problem> {
    if reason.trim().is_empty() {
        return Err(unreadable("the reason is empty"));
    }
    Ok(Command::Deny { request: id, reason })
}

/// Carries out a decision as the console does.
pub(super) async fn decide(
    desk: &Desk,
    who: &SignedIn,
    id: RequestId,
    command: Command,
) -> Result<Json<RequestView>, Problem> {
    visible(desk, who, id)?;
    answer::answer(desk, &who.operator(), &command).await?;
    let request = desk.approvals.find_request(id);
    let gone = || Report::error(SqlState::UNDEFINED_OBJECT, format!("there is no request {id}"));
    Ok(Json((&request.ok_or_else(gone)?).into()))
}

async fn cancel(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<RequestView>, Problem> {
    decide(&desk, &who, id, Command::Cancel(id)).await
}

/// `{}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}
