//! `/api/v1/requests`: asking for access, and deciding on it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{Body, Id, Listed, Paging, Parameters, number};
use super::once::{KeyHeader, Once};
use super::problem::Problem;
use super::sign_in::SignedIn;
use super::views::{Page, RequestView};
use crate::control::desk::Deed;
use crate::control::grammar::Command;
use crate::control::{Desk, answer, lookup};
use crate::grant::{Ask, AskText, Proof, Request, RequestId};
use crate::model::{Report, Secret, SqlState};

/// How long an answer may be waited for in one request.
const WAIT_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only those in this state.
    state: Option<String>,
    /// Only those of this user.
    requester: Option<String>,
}

/// Requests, the newest first
///
/// One's own, those that are one's to decide and, for operators, all.
#[utoipa::path(
    get,
    path = "/api/v1/requests",
    tag = "requests",
    operation_id = "requests",
    params(Wanted, Paging),
    responses((status = 200, description = "Some of them", body = Page<RequestView>)),
)]
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Listed(Wanted { state, requester }, paging): Listed<Wanted>,
) -> Json<Page<RequestView>> {
    let mut requests = desk.approvals.requests();
    requests.retain(|request| {
        who.may_see_request(request)
            && state.as_deref().is_none_or(|state| state == request.state.as_str())
            && requester.as_deref().is_none_or(|name| name == request.requester)
    });
    let views = requests.iter().map(RequestView::from).collect();
    Json(paging.newest(views, |view: &RequestView| view.id))
}

/// What is asked for, in words.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Wish)]
pub(super) struct Wish {
    /// As clients name it; nothing: the only one that knows the resource.
    pub(super) database: Option<String>,
    /// `customers.email`, `shop.public.customers`, `class:email`
    pub(super) resource: String,
    /// `30 minutes`
    pub(super) duration: String,
    pub(super) reason: String,
    /// `read, export`; nothing: `read`.
    pub(super) actions: Option<String>,
    /// Only rows for which this holds: `id = 42`.
    pub(super) rows: Option<String>,
    pub(super) ticket: Option<String>,
    /// When it begins, if not at once: `2026-01-31 09:00+01`.
    pub(super) starting: Option<String>,
    #[serde(default, deserialize_with = "scalar")]
    #[schema(value_type = Option<u64>)]
    pub(super) max_rows: Option<String>,
    #[serde(default, deserialize_with = "scalar")]
    #[schema(value_type = Option<u64>)]
    pub(super) max_uses: Option<String>,
    #[serde(default, deserialize_with = "scalar")]
    #[schema(value_type = Option<u64>)]
    pub(super) max_subjects: Option<String>,
    /// Ends if it is not used for so long: `10 minutes`.
    pub(super) unused: Option<String>,
    /// Whether its time runs from its first use.
    #[serde(default, deserialize_with = "scalar")]
    #[schema(value_type = Option<bool>)]
    pub(super) first_use: Option<String>,
    /// Whether it is an emergency.
    #[serde(default, deserialize_with = "scalar")]
    #[schema(value_type = Option<bool>)]
    pub(super) break_glass: Option<String>,
}

/// A number or a boolean as JSON has it, or as text.
fn scalar<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Scalar {
        Text(String),
        Number(u64),
        Bool(bool),
    }
    Ok(Option::deserialize(from)?.map(|scalar| match scalar {
        Scalar::Text(text) => text,
        Scalar::Number(number) => number.to_string(),
        Scalar::Bool(said) => said.to_string(),
    }))
}

impl Wish {
    /// The database, and what is asked for in it.
    ///
    /// # Errors
    /// Says which word cannot be read.
    pub(super) fn read(self) -> Result<(Option<String>, Ask), Problem> {
        let ask = AskText {
            resource: self.resource,
            duration: self.duration,
            reason: self.reason,
            actions: self.actions,
            rows: self.rows,
            ticket: self.ticket,
            starting: self.starting,
            max_rows: self.max_rows,
            max_uses: self.max_uses,
            max_subjects: self.max_subjects,
            unused: self.unused,
            first_use: self.first_use,
            break_glass: self.break_glass,
        };
        Ok((self.database, ask.read()?))
    }
}

pub(super) fn unreadable(what: impl Into<String>) -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, SqlState::INVALID_PARAMETER_VALUE, what)
}

/// Ask for access for oneself
///
/// The first policy that speaks of it says who decides; it may be granted at once.
#[utoipa::path(
    post,
    path = "/api/v1/requests",
    tag = "requests",
    operation_id = "request",
    params(KeyHeader),
    request_body = Wish,
    responses((
        status = 201,
        description = "It is filed",
        body = RequestView,
        headers(("Location" = String, description = "Where it is")),
    )),
)]
pub(super) async fn create(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    once: Once<Wish>,
) -> Result<Response, Problem> {
    once.run(who, |who, wish| async move {
        let (database, ask) = wish.read()?;
        let view = lookup::view(&(desk.databases)(), database.as_deref(), &ask.resource)?;
        let operator = who.operator();
        let request = desk.approvals.request(&operator.client(&view.database), &view, ask).await;
        answer::record(&desk, &operator, Deed::Request, request.as_ref().err());
        Ok(created(&request?))
    })
    .await
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

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Patience {
    /// Seconds to wait until it is decided, 30 at most.
    #[serde(deserialize_with = "number")]
    wait: Option<u64>,
}

/// A request
#[utoipa::path(
    get,
    path = "/api/v1/requests/{id}",
    tag = "requests",
    operation_id = "show_request",
    params(("id" = u64, Path, description = "The request"), Patience),
    responses((status = 200, description = "As it is now", body = RequestView)),
)]
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    Parameters(Patience { wait }): Parameters<Patience>,
) -> Result<Json<RequestView>, Problem> {
    let request = visible(&desk, &who, id)?;
    let Some(seconds) = wait else { return Ok(Json((&request).into())) };
    let patience = Duration::from_secs(seconds).min(WAIT_MAX);
    match tokio::time::timeout(patience, desk.approvals.decided(id)).await {
        Ok(decided) => Ok(Json((&decided?).into())),
        Err(_) => Ok(Json((&visible(&desk, &who, id)?).into())),
    }
}

/// What an approver's own key signs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Challenge)]
pub(super) struct ChallengeView {
    request: u64,
    challenge: String,
}

/// What an approver's own key signs to approve
#[utoipa::path(
    get,
    path = "/api/v1/requests/{id}/challenge",
    tag = "requests",
    operation_id = "challenge",
    params(("id" = u64, Path, description = "The request")),
    responses((status = 200, description = "To be signed as it is", body = ChallengeView)),
)]
pub(super) async fn challenge(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
) -> Result<Json<ChallengeView>, Problem> {
    visible(&desk, &who, id)?;
    let (_, challenge) = desk.approvals.challenge(id)?;
    Ok(Json(ChallengeView { request: id, challenge: challenge.as_str().to_owned() }))
}

/// What an approver proves an approval with.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Approval {
    /// Of the second factor.
    #[schema(value_type = Option<String>)]
    code: Option<String>,
    /// Of the challenge, by the approver's own key.
    signature: Option<String>,
}

/// Approve a request
///
/// For its approvers, and for nobody their own.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/approve",
    tag = "requests",
    operation_id = "approve",
    params(("id" = u64, Path, description = "The request")),
    request_body = Approval,
    responses((status = 200, description = "As it is now", body = RequestView)),
)]
pub(super) async fn approve(
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

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Denial {
    #[schema(min_length = 1)]
    reason: String,
}

/// Deny a request
///
/// For its approvers, and for nobody their own.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/deny",
    tag = "requests",
    operation_id = "deny",
    params(("id" = u64, Path, description = "The request")),
    request_body = Denial,
    responses((status = 200, description = "As it is now", body = RequestView)),
)]
pub(super) async fn deny(
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

/// Take one's own request back
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/cancel",
    tag = "requests",
    operation_id = "cancel",
    params(("id" = u64, Path, description = "The request")),
    request_body = Nothing,
    responses((status = 200, description = "As it is now", body = RequestView)),
)]
pub(super) async fn cancel(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<RequestView>, Problem> {
    decide(&desk, &who, id, Command::Cancel(id)).await
}

/// `{}`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}
