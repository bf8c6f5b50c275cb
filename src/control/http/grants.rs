//! `/api/v1/grants`: what is granted, for longer or no longer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::body::{Body, Id, Listed, Paging};
use super::once::{KeyHeader, Once};
use super::problem::Problem;
use super::requests::{Nothing, Wish, created, unreadable};
use super::sign_in::SignedIn;
use super::views::{GrantJson, Page, RequestView};
use crate::control::desk::Deed;
use crate::control::grammar::{Command, Revoked as What};
use crate::control::{Desk, answer, lookup};
use crate::grant::{DirectGrant, Extension, GrantId, GrantView, Scope, Subject};
use crate::model::{Report, parse_duration};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only those in this state; `open`: those that count or will.
    state: Option<String>,
    /// Only those of this subject: `alice`, `group:support`.
    subject: Option<String>,
}

/// Grants, the newest first
///
/// One's own, those that one has approved or has to review and, for operators, all.
#[utoipa::path(
    get,
    path = "/api/v1/grants",
    tag = "grants",
    operation_id = "grants",
    params(Wanted, Paging),
    responses((status = 200, description = "Some of them", body = Page<GrantJson>)),
)]
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Listed(Wanted { state, subject }, paging): Listed<Wanted>,
) -> Json<Page<GrantJson>> {
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
    Json(paging.newest(views, |view: &GrantJson| view.id))
}

/// # Errors
/// It is not known, or none of their business.
pub(super) fn visible(desk: &Desk, who: &SignedIn, id: GrantId) -> Result<GrantView, Problem> {
    let found = desk.approvals.find_grant(id).filter(|view| who.may_see_grant(view));
    found.ok_or_else(|| Problem::not_found(&format!("there is no grant {id}")))
}

/// A grant
#[utoipa::path(
    get,
    path = "/api/v1/grants/{id}",
    tag = "grants",
    operation_id = "show_grant",
    params(("id" = u64, Path, description = "The grant")),
    responses((status = 200, description = "As it is now", body = GrantJson)),
)]
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
) -> Result<Json<GrantJson>, Problem> {
    Ok(Json((&visible(&desk, &who, id)?).into()))
}

/// A DBA's own grant: what a request says, and to whom.
#[derive(Debug)]
pub(super) struct Given {
    subject: String,
    wish: Wish,
}

// By hand, as serde lets unknown fields of a flattened struct pass.
impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(from)?;
        let subject = fields.remove("subject").ok_or_else(|| Error::missing_field("subject"))?;
        let subject = serde_json::from_value(subject).map_err(Error::custom)?;
        let wish = serde_json::from_value(Value::Object(fields)).map_err(Error::custom)?;
        Ok(Self { subject, wish })
    }
}

impl PartialSchema for Given {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(mut whole)) = Wish::schema() else { return Wish::schema() };
        let subject = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("`alice`, `group:support`"));
        whole.properties.insert("subject".to_owned(), subject.into());
        whole.required.push("subject".to_owned());
        Schema::Object(whole).into()
    }
}

impl ToSchema for Given {
    fn name() -> std::borrow::Cow<'static, str> {
        "GrantWish".into()
    }
}

/// A grant, and what to know about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Granted {
    #[serde(flatten)]
    grant: GrantJson,
    /// It may be a slip: nobody is known by that name.
    warning: Option<String>,
}

/// Grant access to somebody else
///
/// For operators.
#[utoipa::path(
    post,
    path = "/api/v1/grants",
    tag = "grants",
    operation_id = "grant",
    params(KeyHeader),
    request_body = Given,
    responses((
        status = 201,
        description = "It counts",
        body = Granted,
        headers(("Location" = String, description = "Where it is")),
    )),
)]
pub(super) async fn grant(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    once: Once<Given>,
) -> Result<Response, Problem> {
    once.run(who, |who, Given { subject: text, wish }| async move {
        let subject = subject(&text)?;
        let (database, ask) = wish.read()?;
        let warning = answer::stranger(&desk, &subject);
        let granted = async {
            let view = lookup::view(&(desk.databases)(), database.as_deref(), &ask.resource)?;
            desk.approvals.grant(&who.user, &view, DirectGrant { subject, ask }).await
        };
        let granted: Result<GrantView, Report> = granted.await;
        answer::record(&desk, &who.operator(), Deed::Grant, granted.as_ref().err());
        let grant = GrantJson::from(&granted?);
        let place = HeaderValue::try_from(format!("/api/v1/grants/{}", grant.id));
        let mut response = (StatusCode::CREATED, Json(Granted { grant, warning })).into_response();
        response.headers_mut().extend(place.ok().map(|place| (header::LOCATION, place)));
        Ok(response)
    })
    .await
}

fn subject(text: &str) -> Result<Subject, Problem> {
    match Subject::parse(text) {
        Ok(subject @ (Subject::User(_) | Subject::Group(_))) => Ok(subject),
        Ok(Subject::Anyone) => Err(unreadable("a grant is to a user or a group")),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Longer {
    /// `10 minutes`
    duration: String,
    reason: String,
}

/// Ask for a longer life of one's own grant
#[utoipa::path(
    post,
    path = "/api/v1/grants/{id}/extend",
    tag = "grants",
    operation_id = "extend",
    params(("id" = u64, Path, description = "The grant"), KeyHeader),
    request_body = Longer,
    responses((
        status = 201,
        description = "A request is filed",
        body = RequestView,
        headers(("Location" = String, description = "Where it is")),
    )),
)]
pub(super) async fn extend(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    once: Once<Longer>,
) -> Result<Response, Problem> {
    once.run(who, move |who, Longer { duration, reason }| async move {
        let by = parse_duration(&duration).map_err(|error| unreadable(error.to_string()))?;
        let grant = visible(&desk, &who, id)?.grant;
        let database = grant.database.as_deref();
        let database = database.ok_or_else(|| unreadable("a standing grant has no end"))?;
        let view = lookup::view(&(desk.databases)(), Some(database), "")?;
        let (operator, extension) = (who.operator(), Extension { grant: id, by, reason });
        let request = desk.approvals.extend(&operator.client(database), &view, extension).await;
        answer::record(&desk, &operator, Deed::Extend(id), request.as_ref().err());
        Ok(created(&request?))
    })
    .await
}

/// End a grant
///
/// For its subject, its approvers and operators.
#[utoipa::path(
    post,
    path = "/api/v1/grants/{id}/revoke",
    tag = "grants",
    operation_id = "revoke",
    params(("id" = u64, Path, description = "The grant")),
    request_body = Nothing,
    responses((status = 200, description = "As it is now", body = GrantJson)),
)]
pub(super) async fn revoke(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<GrantJson>, Problem> {
    change(&desk, &who, id, Command::Revoke(What::One(id))).await
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Looked {
    #[schema(min_length = 1)]
    note: String,
}

/// Say that break-glass access has been looked at
#[utoipa::path(
    post,
    path = "/api/v1/grants/{id}/review",
    tag = "grants",
    operation_id = "review",
    params(("id" = u64, Path, description = "The grant")),
    request_body = Looked,
    responses((status = 200, description = "As it is now", body = GrantJson)),
)]
pub(super) async fn review(
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
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Ending {
    all: bool,
    subject: Option<String>,
    resource: Option<String>,
    database: Option<String>,
}

/// Grants that were ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Revoked {
    revoked: Vec<u64>,
}

/// End many grants at once
///
/// For operators: all of them, those of a subject, or those on a resource.
#[utoipa::path(
    post,
    path = "/api/v1/grants/revoke",
    tag = "grants",
    operation_id = "revoke_all",
    request_body = Ending,
    responses((status = 200, description = "Those that were ended", body = Revoked)),
)]
pub(super) async fn revoke_all(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Body(ending): Body<Ending>,
) -> Result<Json<Revoked>, Problem> {
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
    let revoked = revoked?.iter().map(|view| view.grant.id).collect();
    Ok(Json(Revoked { revoked }))
}
