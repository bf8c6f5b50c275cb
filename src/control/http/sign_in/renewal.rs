//! Sessions in browsers go on as they are used: their cookie is made anew.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::{SignedIn, Visitor, origin, session_cookie};
use crate::control::Desk;

/// Where a request leaves its session's new cookie for the answer.
#[derive(Clone, Default)]
pub(super) struct Renewed(Arc<OnceLock<HeaderValue>>);

/// Sets the new cookie, if there is one.
pub(in crate::control::http) async fn renewing(mut request: Request, next: Next) -> Response {
    let renewed = Renewed::default();
    request.extensions_mut().insert(renewed.clone());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // Who signs in or out has been told already.
    if let (Some(cookie), false) = (renewed.0.get(), headers.contains_key(header::SET_COOKIE)) {
        headers.append(header::SET_COOKIE, cookie.clone());
    }
    response
}

impl Visitor {
    /// Notes that the session is used, if somebody does something: a list that reads itself again
    /// goes on when everybody has left.
    pub(super) fn renew(&self, desk: &Desk, who: &SignedIn, headers: &HeaderMap) {
        let is_by_itself = self.is_safe && origin::is_fetch(headers);
        let (Some(place), Some(session), false) = (&self.renewed, &who.session, is_by_itself)
        else {
            return;
        };
        let token = desk.sign_in.sessions.renewed(session, self.now);
        let cookie =
            token.and_then(|token| session_cookie(&token, self.way(), self.now, session.expires()));
        if let Some(cookie) = cookie {
            // There is one session in a request.
            let _ = place.0.set(cookie);
        }
    }
}
