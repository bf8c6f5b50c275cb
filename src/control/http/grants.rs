//! `/api/v1/grants`: what is granted, for longer or no longer.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::body::{Body, Id, Paging, page};
use super::problem::Problem;
use super::requests::{Nothing, asked, created, unreadable};
use super::sign_in::SignedIn;
use super::views::GrantJson;
use crate::control::desk::Deed;
use crate::control::grammar::{Command, Revoked};
use crate::control::{Desk, answer, lookup};
use crate::grant::{DirectGrant, Extension, GrantId, GrantView, Scope, Subject};
use crate::model::{Report, parse_duration};

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/", get(list).post(grant))
        .route("/revoke", post(revoke_all))
        .route("/{id}", get(show))
        .route("/{id}/extend", post(extend))
        .route("/{id}/revoke", post(revoke))
        .route("/{id}/review", post(review))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    /// Only those in this state; `open`: those that count or will.
    state: Option<String>,
    /// Only those of this subject: `alice`, `group:support`.
    subject: Option<String>,
    limit: Option<usize>,
    before: Option<u64>,
}

async fn list(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Wanted { state, subject, limit, before }) = wanted?;
    let mut grants = desk.approvals.grants();
    grants.retain(|view| {
        who.may_see_grant(view)
            && state.as_deref().is_none_or(|state| match state {
                "open" => view.is_open(),
                state => state == view.state.as_str(),
            })
            && subject.as_deref().is_none_or(|name| name == view.grant.subject.to_string())
    });
    let views = grants.iter().map(GrantJson::from).collect();
    Ok(Json(page(views, |view: &GrantJson| view.id, Paging { limit, before })).into_response())
}

/// # Errors
/// It is not known, or none of their business.
pub(super) fn visible(desk: &Desk, who: &SignedIn, id: GrantId) -> Result<GrantView, Problem> {
    let found = desk.approvals.find_grant(id).filter(|view| who.may_see_grant(view));
    found.ok_or_else(|| Problem::not_found(&format!("there is no grant {id}")))
}

async fn show(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
) -> Result<Json<GrantJson>, Problem> {
    Ok(Json((&visible(&desk, &who, id)?).into()))
}

/// A DBA's own grant: what a request says, and to whom.
async fn grant(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Body(mut body): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let subject = match body.remove("subject") {
        Some(Value::String(text)) => subject(&text)?,
        Some(_) | None => return Err(unreadable("subject is a user, or group: and a group")),
    };
    let (database, ask) = asked(body)?;
    let ask = ask.read()?;
    let stranger = answer::stranger(&desk, &subject);
    let granted = async {
        let view = lookup::view(&(desk.databases)(), database.as_deref(), &ask.resource)?;
        desk.approvals.grant(&who.user, &view, DirectGrant { subject, ask }).await
    };
    let granted: Result<GrantView, Report> = granted.await;
    answer::record(&desk, &who.operator(), Deed::Grant, granted.as_ref().err());
    let mut body = serde_json::to_value(GrantJson::from(&granted?))
        .map_err(|error| unreadable(error.to_string()))?;
    if let Value::Object(fields) = &mut body {
        fields.insert("warning".to_owned(), stranger.into());
    }
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

fn subject(text: &str) -> Result<Subject, Problem> {
    match Subject::parse(text) {
        Ok(subject @ (Subject::User(_) | Subject::Group(_))) => Ok(subject),
        Ok(Subject::Anyone) => Err(unreadable("a grant is to a user or a group")),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Longer {
    /// `10 minutes`
    duration: String,
    reason: String,
}

async fn extend(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    Body(Longer { duration, reason }): Body<Longer>,
) -> Result<Response, Problem> {
    let by = parse_duration(&duration).map_err(|error| unreadable(error.to_string()))?;
    let grant = visible(&desk, &who, id)?.grant;
    let database = grant.database.as_deref();
    let database = database.ok_or_else(|| unreadable("a standing grant has no end"))?;
    let view = lookup::view(&(desk.databases)(), Some(database), "")?;
    let (operator, extension) = (who.operator(), Extension { grant: id, by, reason });
    let request = desk.approvals.extend(&operator.client(database), &view, extension).await;
    answer::record(&desk, &operator, Deed::Extend(id), request.as_ref().err());
    Ok(created(&request?))
}

async fn revoke(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<GrantJson>, Problem> {
    change(&desk, &who, id, Command::Revoke(Revoked::One(id))).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Looked {
    note: String,
}

async fn review(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    Body(Looked { note }): Body<Looked>,
) -> Result<Json<GrantJson>, Problem> {
    if note.trim().is_empty() {
        return Err(unreadable("the note is empty"));
    }
    change(&desk, &who, id, Command::Review { grant: id, note }).await
}

/// Carries out a change as the console does.
pub(super) async fn change(
    desk: &Desk,
    who: &SignedIn,
    id: GrantId,
    command: Command,
) -> Result<Json<GrantJson>, Problem> {
    visible(desk, who, id)?;
    answer::answer(desk, &who.operator(), &command).await?;
    Ok(Json((&visible(desk, who, id)?).into()))
}

/// Which grants end: exactly one of `all`, `subject` and `resource`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ending {
    all: bool,
    subject: Option<String>,
    resource: Option<String>,
    database: Option<String>,
}

async fn revoke_all(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Body(ending): Body<Ending>,
) -> Result<Json<Value>, Problem> {
    let scope = match ending {
        Ending { all: true, subject: None, resource: None, database: None } => Scope::Everything,
        Ending { all: false, subject: Some(text), resource: None, database: None } => {
            Scope::Of(subject(&text)?)
        }
        Ending { all: false, subject: None, resource: Some(resource), database } => {
            lookup::scope(&(desk.databases)(), database.as_deref(), &resource)?
        }
        Ending { .. } => {
            return Err(unreadable(
                "say one of all, subject and resource, which may have a database",
            ));
        }
    };
    let revoked = desk.approvals.revoke_all(&who.user, scope).await;
    answer::record(&desk, &who.operator(), Deed::RevokeAll, revoked.as_ref().err());
    let ids: Vec<_> = revoked?.iter().map(|view| view.grant.id).collect();
    Ok(Json(json!({ "revoked": ids })))
}
