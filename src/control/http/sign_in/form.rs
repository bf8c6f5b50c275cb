//! Forms of our pages.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::{SignedIn, Visitor, forged, origin};
use crate::control::Desk;
use crate::control::http::problem::Problem;
use crate::model::SqlState;

/// The field with the token of the session.
pub(in crate::control::http) const FORM_TOKEN: &str = "csrf";

/// A form of one of our pages, sent by somebody who is signed in. Every browser of today says from
/// which page a form comes; without that it is not taken, as browsers send passwords and
/// certificates along whatever page it was. With a session's cookie, it carries the session's
/// token, too.
pub(in crate::control::http) struct SignedForm<T>(
    pub(in crate::control::http) SignedIn,
    pub(in crate::control::http) T,
);

/// A form of one of our pages, whoever sends it.
pub(in crate::control::http) struct Form<T>(pub(in crate::control::http) T);

impl<T: DeserializeOwned> FromRequest<Arc<Desk>> for SignedForm<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, desk: &Arc<Desk>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::of(&mut parts, desk).await?;
        let who = visitor.sign_in(desk, &parts.headers).await?;
        from_our_page(&parts.headers)?;
        let (token, form) = read(Request::from_parts(parts, body)).await?;
        if who.form_is_ours(desk, token.as_deref()) { Ok(Self(who, form)) } else { Err(forged()) }
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Desk>> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Desk>) -> Result<Self, Problem> {
        from_our_page(request.headers())?;
        let (_, form) = read(request).await?;
        Ok(Self(form))
    }
}

/// That it says so; what it says, [`Visitor`] has compared.
fn from_our_page(headers: &HeaderMap) -> Result<(), Problem> {
    if origin::says_where_from(headers) {
        return Ok(());
    }
    let what = "the browser does not say which page the form is from";
    Err(Problem::new(StatusCode::FORBIDDEN, SqlState::INVALID_AUTHORIZATION, what))
}

/// The token, and the other fields.
async fn read<T: DeserializeOwned>(request: Request) -> Result<(Option<String>, T), Problem> {
    let (parts, body) = request.into_parts();
    let whole = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await;
    let whole = whole.map_err(|rejection| unreadable(rejection.status(), rejection.body_text()))?;
    let (token, rest) = without_token(&whole);
    let mut request = Request::from_parts(parts, Body::from(rest));
    // It says how long the form was with its token.
    request.headers_mut().remove(header::CONTENT_LENGTH);
    let read: Result<axum::extract::Form<T>, FormRejection> =
        axum::extract::Form::from_request(request, &()).await;
    match read {
        Ok(axum::extract::Form(form)) => Ok((token, form)),
        Err(rejection) => Err(unreadable(StatusCode::UNPROCESSABLE_ENTITY, rejection.body_text())),
    }
}

fn without_token(form: &[u8]) -> (Option<String>, String) {
    let mut token = None;
    let mut rest = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(form) {
        if name == FORM_TOKEN {
            token = Some(value.into_owned());
        } else {
            rest.append_pair(&name, &value);
        }
    }
    (token, rest.finish())
}

fn unreadable(status: StatusCode, what: String) -> Problem {
    Problem::new(status, SqlState::INVALID_PARAMETER_VALUE, what)
}
