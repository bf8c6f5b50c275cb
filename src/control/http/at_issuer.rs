//! Signing in on the pages of an issuer of tokens, and coming back.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use super::pages::{going_to, login_page};
use super::problem::{Problem, see};
use super::session::{Next, own_place, with_cookie};
use super::sign_in::{Visitor, flow, flow_cookie, session_cookie};
use crate::auth::oidc::code::Secrets;
use crate::auth::session::Keeper;
use crate::control::Desk;
use crate::model::{Report, Secret, SqlState};

/// How long somebody may take to sign in there.
const FLOW_SECS_MAX: u64 = 600;

/// Where the issuer leads people back to.
const BACK: &str = "/login/oidc/callback";

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new().route("/login/oidc", get(begin)).route(BACK, get(back))
}

/// What the browser keeps meanwhile, signed.
#[derive(Serialize, Deserialize)]
struct Flow {
    secrets: Secrets,
    next: String,
    /// Seconds since 1970.
    until: i64,
}

/// Where people sign in.
#[derive(Serialize, ToSchema)]
#[schema(as = Issuer)]
pub(super) struct IssuerView {
    issuer: String,
    client_id: String,
    scope: String,
}

/// Whom programs on people's machines have to ask
#[utoipa::path(
    get,
    path = "/api/v1/session/oidc",
    tag = "session",
    operation_id = "issuer",
    security(()),
    responses((status = 200, description = "Where people sign in", body = IssuerView)),
)]
pub(super) async fn known(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
) -> Result<Json<IssuerView>, Problem> {
    let issuer = visitor.issuer(&desk).ok_or_else(none)?;
    let config = issuer.config();
    let client = config.client.as_ref().ok_or_else(none)?;
    Ok(Json(IssuerView {
        issuer: config.issuer.to_string(),
        client_id: client.id.clone(),
        scope: client.scope.clone(),
    }))
}

fn none() -> Problem {
    Problem::not_found("nobody signs in at an identity provider here")
}

async fn begin(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
    next: Result<Query<Next>, QueryRejection>,
) -> Response {
    let next = next.map(|Query(next)| next).unwrap_or_default();
    let next = own_place(&next.next).to_owned();
    let begun = async {
        let issuer = visitor.issuer(&desk).ok_or_else(none)?;
        let back = visitor.address_of(BACK).ok_or_else(none)?;
        let secrets = Secrets::new(rand::random());
        let page = issuer.begin(&secrets, &back).await.map_err(|error| {
            tracing::warn!(%error, "nobody can sign in at the issuer");
            Problem::from(error.report())
        })?;
        let until = visitor.now().as_second().saturating_add_unsigned(FLOW_SECS_MAX);
        let flow = Flow { secrets, next: next.clone(), until };
        let text = serde_json::to_string(&flow).map_err(|_| none())?;
        let sealed = desk.sign_in.sessions.seal(&text);
        let cookie = flow_cookie(&sealed, visitor.way(), FLOW_SECS_MAX).ok_or_else(none)?;
        Ok::<_, Problem>(with_cookie(see(&page), cookie))
    };
    begun.await.unwrap_or_else(|problem| failed(&desk, &visitor, &next, &problem))
}

/// What the issuer sends along.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    code: String,
    state: String,
    error: String,
    /// RFC 9207: which issuer it is, lest one pass itself off as another.
    iss: Option<String>,
}

async fn back(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
    headers: HeaderMap,
    said: Result<Query<Said>, QueryRejection>,
) -> Response {
    let said = said.map(|Query(said)| said).unwrap_or_default();
    let begun = begun_here(&desk, &visitor, &headers, &said.state);
    let next = begun.as_ref().map_or("/", |flow| own_place(&flow.next)).to_owned();
    let entered = async {
        let Flow { secrets, .. } = begun
            .ok_or_else(|| no("the sign-in was not begun in this browser, or too long ago"))?;
        if !said.error.is_empty() || said.code.is_empty() {
            return Err(no("the identity provider has let nobody in"));
        }
        let issuer = visitor.issuer(&desk).ok_or_else(none)?;
        if said.iss.is_some_and(|iss| iss != issuer.config().issuer) {
            return Err(no("another identity provider answers"));
        }
        let back = visitor.address_of(BACK).ok_or_else(none)?;
        let code = Secret::new(said.code);
        let (authenticated, _) = visitor.redeemed(&desk, &code, &secrets, &back).await?;
        let (session, token) = visitor.begin(&desk, &authenticated, Keeper::Browser)?;
        let cookie = session_cookie(&token, visitor.way(), visitor.now(), session.expires());
        // A page of ours leads on: with a redirect, as the issuer's, browsers would not send it.
        Ok::<_, Problem>(with_cookie(going_to(&next), cookie.ok_or_else(none)?))
    };
    let response = entered.await;
    let response = response.unwrap_or_else(|problem| failed(&desk, &visitor, &next, &problem));
    // Each is good for one answer.
    match flow_cookie("", visitor.way(), 0) {
        Some(cookie) => with_cookie(response, cookie),
        None => response,
    }
}

/// The sign-in that this browser has begun, if the answer is to it.
fn begun_here(desk: &Desk, visitor: &Visitor, headers: &HeaderMap, state: &str) -> Option<Flow> {
    let sealed = flow(headers, visitor.way())?;
    let flow: Flow = serde_json::from_str(&desk.sign_in.sessions.unseal(&sealed)?).ok()?;
    let same = bool::from(flow.secrets.state.as_bytes().ct_eq(state.as_bytes()));
    (same && visitor.now().as_second() < flow.until).then_some(flow)
}

fn no(message: &str) -> Problem {
    Problem::from(Report::error(SqlState::INSUFFICIENT_PRIVILEGE, message))
}

fn failed(desk: &Desk, visitor: &Visitor, next: &str, problem: &Problem) -> Response {
    let page = login_page(next, &problem.words(), visitor.offers_issuer(desk));
    (problem.status, page).into_response()
}
