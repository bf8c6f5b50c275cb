//! Signing in and out: `/api/v1/session` for programs, `/login` and `/logout` for browsers.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Body;
use super::pages::login_page;
use super::problem::{Problem, see};
use super::requests::unreadable;
use super::sign_in::{Form, SignedForm, SignedIn, Visitor, Way, no_session_cookie, session_cookie};
use crate::auth::session::{Keeper, Session};
use crate::control::Desk;
use crate::control::desk::{Deed, Occurrence};
use crate::model::{Secret, SqlState, Timestamp, User, misleads};
use crate::store::signed_out::SignedOutError;

/// Characters of a user's name whose sessions are to end.
const USER_CHARS_MAX: usize = 255;

/// Where people go who did not say where.
const HOME: &str = "/";

/// Bytes of the longest place of ours.
const PLACE_LEN_MAX: usize = 1024;

pub(super) fn pages() -> Router<Arc<Desk>> {
    Router::new().route("/login", get(login).post(on_login)).route("/logout", post(on_logout))
}

/// What somebody signs in with. A token is one of an issuer, for access here or about who somebody
/// is: those of machines need no session, and a session is no reason for another one.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Proof {
    Password { user: String, password: String },
    Token { token: String },
    Identity { id_token: String },
}

/// Somebody, and until when they are signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub(super) struct AboutView {
    user: String,
    groups: Vec<String>,
    roles: Vec<String>,
    /// How they have proven who they are.
    method: String,
    /// None: there is no session.
    expires_at: Option<Timestamp>,
    /// Of a session that has just begun: to be sent as a bearer.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// Sign in
///
/// With a password or an issuer's token; the token in the answer is a bearer until it expires.
#[utoipa::path(
    post,
    path = "/api/v1/session",
    tag = "session",
    operation_id = "sign_in",
    security(()),
    request_body = Proof,
    responses((status = 201, description = "A session has begun", body = AboutView)),
)]
pub(super) async fn create(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
    Body(proof): Body<Proof>,
) -> Result<Response, Problem> {
    let (authenticated, user) = match proof {
        Proof::Password { user, password } => {
            visitor.proven(&desk, &user, Secret::new(password)).await?
        }
        Proof::Token { token } => visitor.issued(&desk, &Secret::new(token)).await?,
        Proof::Identity { id_token } => visitor.identified(&desk, &Secret::new(id_token)).await?,
    };
    let (session, token) = visitor.begin(&desk, &authenticated, Keeper::Program)?;
    let mut body = about(&user, authenticated.method(), Some(session.expires()));
    body.token = Some(token.expose().to_owned());
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Who is signed in, how and until when
#[utoipa::path(
    get,
    path = "/api/v1/session",
    tag = "session",
    operation_id = "session",
    responses((status = 200, description = "Whoever asks", body = AboutView)),
)]
pub(super) async fn show(who: SignedIn) -> Json<AboutView> {
    Json(about(&who.user, who.method, who.session.as_ref().map(Session::expires)))
}

fn about(user: &User, method: &str, expires_at: Option<Timestamp>) -> AboutView {
    let User { name, groups, roles } = user;
    AboutView {
        user: name.to_string(),
        groups: groups.to_vec(),
        roles: roles.to_vec(),
        method: method.to_owned(),
        expires_at,
        token: None,
    }
}

/// Sign out
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    tag = "session",
    operation_id = "sign_out",
    responses((status = 204, description = "The session has ended, for good")),
)]
pub(super) async fn end(State(desk): State<Arc<Desk>>, who: SignedIn) -> Result<Response, Problem> {
    let Some(session) = &who.session else {
        return Err(Problem::not_found("there is no session, so nothing to sign out from"));
    };
    let session = session.clone();
    sign_out(&desk, &who, session).await?;
    Ok(forgetting(StatusCode::NO_CONTENT.into_response(), &who))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    pub(super) next: String,
}

async fn login(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
    next: Result<Query<Next>, axum::extract::rejection::QueryRejection>,
) -> Response {
    // Nothing but ours is looked for in it, and whatever else there is comes from elsewhere.
    let next = next.map(|Query(Next { next })| next).unwrap_or_default();
    login_page(own_place(&next), "", visitor.offers_issuer(&desk)).into_response()
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

async fn on_login(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
    before: Option<SignedIn>,
    Form(Login { user, password, next }): Form<Login>,
) -> Response {
    let next = own_place(&next);
    match enter(&desk, &visitor, before, &user, Secret::new(password)).await {
        Ok(cookie) => with_cookie(see(next), cookie),
        Err(problem) => {
            let page = login_page(next, &problem.words(), visitor.offers_issuer(&desk));
            (problem.status, page).into_response()
        }
    }
}

async fn enter(
    desk: &Desk,
    visitor: &Visitor,
    before: Option<SignedIn>,
    user: &str,
    password: Secret,
) -> Result<HeaderValue, Problem> {
    let (authenticated, _) = visitor.proven(desk, user, password).await?;
    let (session, token) = visitor.begin(desk, &authenticated, Keeper::Browser)?;
    // Who signs in as somebody else does not leave a session behind.
    if let Some(who) = before
        && let Some(session) = who.session.clone()
    {
        sign_out(desk, &who, session).await?;
    }
    let cookie = session_cookie(&token, visitor.way(), visitor.now(), session.expires());
    cookie.ok_or_else(|| Problem::from(no_cookie()))
}

fn no_cookie() -> crate::model::Report {
    crate::model::Report::error(SqlState::INTERNAL_ERROR, "the session makes no cookie")
}

/// Whose sessions are to end; nothing: one's own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignOutEverywhere)]
pub(super) struct Everywhere {
    #[schema(min_length = 1, max_length = 255)]
    user: Option<String>,
}

/// Sign out everywhere
///
/// All sessions over HTTP that have begun, in browsers and programs, end for good. Those of
/// somebody else are for operators.
#[utoipa::path(
    post,
    path = "/api/v1/session/end_all",
    tag = "session",
    operation_id = "sign_out_everywhere",
    request_body = Everywhere,
    responses((status = 204, description = "They have ended")),
)]
pub(super) async fn end_all(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Body(Everywhere { user }): Body<Everywhere>,
) -> Result<Response, Problem> {
    let user = user.unwrap_or_else(|| who.user.name.to_string());
    if *who.user.name != *user && !who.is_operator() {
        let what = "sessions of somebody else are for operators to end";
        return Err(Problem::new(StatusCode::FORBIDDEN, SqlState::INSUFFICIENT_PRIVILEGE, what)
            .hint("It needs the role \"control\"."));
    }
    let length = user.chars().count();
    if !(1..=USER_CHARS_MAX).contains(&length) || user.chars().any(misleads) {
        return Err(unreadable("that is nobody's name"));
    }
    sign_out_everywhere(&desk, &who, user).await?;
    Ok(forgetting(StatusCode::NO_CONTENT.into_response(), &who))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leave {
    /// `yes`: not only from here.
    #[serde(default)]
    everywhere: String,
}

async fn on_logout(
    State(desk): State<Arc<Desk>>,
    SignedForm(who, Leave { everywhere }): SignedForm<Leave>,
) -> Result<Response, Problem> {
    match (everywhere.as_str(), who.session.clone()) {
        ("yes", _) => sign_out_everywhere(&desk, &who, who.user.name.to_string()).await?,
        (_, Some(session)) => sign_out(&desk, &who, session).await?,
        (_, None) => {}
    }
    Ok(forgetting(see("/login"), &who))
}

/// The session ends for good, also for whoever has copied its token.
async fn sign_out(desk: &Desk, who: &SignedIn, session: Session) -> Result<(), Problem> {
    let at = (desk.clock)();
    let after = session.age(at);
    let sign_in = Arc::clone(&desk.sign_in);
    ending(move || sign_in.sessions.end(&session, at)).await?;
    remember(desk, who, at, Deed::SignOut { after }, None);
    Ok(())
}

/// All sessions of `user` do.
async fn sign_out_everywhere(desk: &Desk, who: &SignedIn, user: String) -> Result<(), Problem> {
    let at = (desk.clock)();
    let (sign_in, of) = (Arc::clone(&desk.sign_in), Arc::from(user.as_str()));
    ending(move || sign_in.sessions.end_all(&user, at)).await?;
    remember(desk, who, at, Deed::SignOutAll, Some(of));
    Ok(())
}

async fn ending(
    end: impl FnOnce() -> Result<(), SignedOutError> + Send + 'static,
) -> Result<(), Problem> {
    let failed = |error: String| {
        tracing::error!(%error, "somebody cannot be signed out");
        let what = "the session could not be ended: it goes on";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, SqlState::IO_ERROR, what)
    };
    let ended = tokio::task::spawn_blocking(end).await;
    let ended = ended.map_err(|_| failed("it panicked".to_owned()))?;
    ended.map_err(|error| failed(error.to_string()))
}

fn remember(desk: &Desk, who: &SignedIn, at: Timestamp, deed: Deed, about: Option<Arc<str>>) {
    (desk.record)(&Occurrence {
        at,
        user: who.user.clone(),
        address: who.address,
        application: Arc::clone(&who.application),
        deed,
        refused: None,
        about,
    });
}

pub(super) fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// Has the browser forget the session, if it has one.
fn forgetting(response: Response, who: &SignedIn) -> Response {
    if who.form_token.is_none() {
        return response;
    }
    [Way::Tls, Way::Near].into_iter().filter_map(no_session_cookie).fold(response, with_cookie)
}

/// A place of ours, or else where everybody begins: who signs in is led to no other site, and not
/// here again.
pub(super) fn own_place(next: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let path = next.split(['?', '#']).next().unwrap_or_default();
    let own = next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= PLACE_LEN_MAX
        && next.bytes().all(plain)
        && !["/login", "/logout"].iter().any(|way| path.starts_with(way));
    if own { next } else { HOME }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_signs_in_is_led_to_no_other_site() {
        for place in ["/requests/5", "/requests?state=pending&x=%2F", "/"] {
            assert_eq!(own_place(place), place);
        }
        let long = format!("/{}", "x".repeat(PLACE_LEN_MAX));
        for place in [
            "",
            "requests",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/a\r\nset-cookie: x",
            " /a",
            "/ä",
            "/login?next=/a",
            "/login/oidc",
            "/logout",
            &long,
        ] {
            assert_eq!(own_place(place), HOME, "{place}");
        }
    }
}
