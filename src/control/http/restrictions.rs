//! `/api/v1/restrictions`: users for whom nothing counts, for a time.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Body, Paging, Parameters};
use super::once::{KeyHeader, Once};
use super::problem::Problem;
use super::requests::{Nothing, unreadable};
use super::sign_in::SignedIn;
use super::views::Page;
use super::who::operators_only;
use crate::control::grammar::Command;
use crate::control::table::Answer;
use crate::control::{Desk, answer};
use crate::grant::Restricted;
use crate::model::{Timestamp, parse_duration};

/// What is taken from a user.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Restriction)]
pub(super) struct RestrictionView {
    user: String,
    /// `suspended`
    restriction: String,
    since: Timestamp,
    /// None: until somebody lifts it.
    until: Option<Timestamp>,
    by: String,
    reason: String,
}

impl From<&Restricted> for RestrictionView {
    fn from(restricted: &Restricted) -> Self {
        let Restricted { user, restriction, since, until, by, reason } = restricted;
        Self {
            user: user.clone(),
            restriction: restriction.as_str().to_owned(),
            since: *since,
            until: *until,
            by: by.clone(),
            reason: reason.clone(),
        }
    }
}

/// Who is restricted now
///
/// For operators.
#[utoipa::path(
    get,
    path = "/api/v1/restrictions",
    tag = "restrictions",
    operation_id = "restrictions",
    params(Paging),
    responses((status = 200, description = "By name", body = Page<RestrictionView>)),
)]
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Parameters(paging): Parameters<Paging>,
) -> Result<Json<Page<RestrictionView>>, Problem> {
    operators_only(&who)?;
    let all = desk.approvals.restrictions();
    Ok(Json(paging.in_order(all.iter().map(RestrictionView::from).collect())))
}

/// Who is suspended, for how long and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Suspension {
    #[schema(min_length = 1)]
    user: String,
    /// `1 hour`; nothing: until somebody lifts it.
    duration: Option<String>,
    #[schema(min_length = 1)]
    reason: String,
}

/// A restriction, and what to know about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Suspended {
    #[serde(flatten)]
    restriction: RestrictionView,
    /// It may be a slip: nobody is known by that name.
    warning: Option<String>,
}

/// Suspend a user
///
/// For operators. No grant counts for the user from now on; results that stream are cut.
#[utoipa::path(
    post,
    path = "/api/v1/restrictions",
    tag = "restrictions",
    operation_id = "suspend",
    params(KeyHeader),
    request_body = Suspension,
    responses((status = 201, description = "It holds", body = Suspended)),
)]
pub(super) async fn suspend(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    once: Once<Suspension>,
) -> Result<Response, Problem> {
    operators_only(&who)?;
    once.run(who, |who, order| async move {
        let Suspension { user, duration, reason } = order;
        if user.is_empty() || reason.trim().is_empty() {
            return Err(unreadable("a user and a reason are needed"));
        }
        let duration = duration.as_deref().map(parse_duration).transpose();
        let duration = duration.map_err(|error| unreadable(error.to_string()))?;
        let command = Command::Suspend { user: user.clone(), duration, reason };
        let warning = match answer::answer(&desk, &who.operator(), &command).await? {
            Answer::Done { notices, .. } => notices.into_iter().next(),
            Answer::Table(_) => None,
        };
        let all = desk.approvals.restrictions();
        let found = all.iter().find(|one| *one.user == *user);
        let restriction = found.ok_or_else(|| Problem::not_found("it is over already"))?;
        let body = Suspended { restriction: restriction.into(), warning };
        Ok((StatusCode::CREATED, Json(body)).into_response())
    })
    .await
}

/// What was taken from a user is given back.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Lifted {
    /// Whose restriction.
    lifted: String,
}

/// Give a user back what was taken
///
/// For operators, and for nobody their own.
#[utoipa::path(
    post,
    path = "/api/v1/restrictions/{user}/lift",
    tag = "restrictions",
    operation_id = "lift",
    params(("user" = String, Path, description = "The user's name")),
    request_body = Nothing,
    responses((status = 200, description = "It is lifted", body = Lifted)),
)]
pub(super) async fn lift(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    user: Result<Path<String>, axum::extract::rejection::PathRejection>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Lifted>, Problem> {
    operators_only(&who)?;
    let Path(user) = user?;
    answer::answer(&desk, &who.operator(), &Command::Lift(user.clone())).await?;
    Ok(Json(Lifted { lifted: user }))
}
