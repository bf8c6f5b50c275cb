//! Who sends a request: HTTP Basic, checked by the [[login]] rules, at each request anew. So who
//! loses a group or an account has lost it here at once.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::bounded::Peer;
use super::problem::Problem;
use crate::auth::password::{self, Denied};
use crate::auth::rules::Origin;
use crate::control::Desk;
use crate::control::desk::{CONTROL, Deed, Occurrence, Operator};
use crate::grant::{GrantView, Request};
use crate::model::{Report, Secret, SqlState, User};
use crate::telemetry::labels::LoginResult;

/// Of the User-Agent header, the part that says which program it is, and no more of it.
const APPLICATION_LEN_MAX: usize = 64;

/// Somebody who has proven who they are.
pub(super) struct SignedIn {
    pub(super) user: User,
    pub(super) address: IpAddr,
    /// The product that the User-Agent header names first.
    pub(super) application: Arc<str>,
}

impl SignedIn {
    pub(super) fn operator(&self) -> Operator {
        let Self { user, address, application } = self;
        Operator { user: user.clone(), address: *address, application: Arc::clone(application) }
    }

    pub(super) fn is_operator(&self) -> bool {
        self.user.has_role(CONTROL)
    }

    /// Whether a request is any of their business: their own, or theirs to decide.
    pub(super) fn may_see_request(&self, request: &Request) -> bool {
        self.is_operator()
            || *request.requester == *self.user.name
            || request.approvers.iter().any(|subject| subject.includes(&self.user))
    }

    pub(super) fn may_see_grant(&self, view: &GrantView) -> bool {
        let grant = &view.grant;
        let reviews = |subject: &crate::grant::Subject| subject.includes(&self.user);
        self.is_operator()
            || grant.subject.includes(&self.user)
            || grant.approvers.iter().any(|name| **name == *self.user.name)
            || grant.review.as_ref().is_some_and(|review| review.reviewers.iter().any(reviews))
    }
}

impl FromRequestParts<Arc<Desk>> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Problem> {
        let peer = ConnectInfo::<Peer>::from_request_parts(parts, desk).await;
        let ConnectInfo(peer) = peer.map_err(|_| unexpected())?;
        if !peer.is_private() {
            let what = "the API is not served over a connection that others can read";
            let problem =
                Problem::new(StatusCode::FORBIDDEN, SqlState::INVALID_AUTHORIZATION, what);
            return Err(problem.hint("Ask with https, or from the machine of the proxy."));
        }
        if parts.method != Method::GET && !is_same_origin(&parts.headers) {
            let what = "a page of another site may not ask for this";
            return Err(Problem::new(StatusCode::FORBIDDEN, SqlState::INVALID_AUTHORIZATION, what));
        }
        let (name, password) = credentials(&parts.headers).ok_or_else(|| {
            let message = "nobody is signed in";
            let report = Report::error(SqlState::INVALID_AUTHORIZATION, message);
            Problem::unauthorized(report.hint(
                "Send the user's name and password, or token, with HTTP's Basic authentication.",
            ))
        })?;
        let application = application(&parts.headers);
        let rules = (desk.rules)();
        let origin = Origin::Address(peer.ip());
        let checking = password::check(&rules, origin, peer.encryption, &name, password);
        let Ok(checked) = tokio::time::timeout(rules.limit, checking).await else {
            desk.metrics.logins.of(LoginResult::Timeout).inc();
            let what = "the login took too long";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Problem::new(status, SqlState::CANNOT_CONNECT_NOW, what));
        };
        let at = (desk.clock)();
        let note = |user, method, refused| {
            (desk.record)(&Occurrence {
                at,
                user,
                address: peer.ip(),
                application: Arc::clone(&application),
                deed: Deed::Login { method },
                refused,
            });
        };
        let authenticated = match checked {
            Ok(authenticated) => authenticated,
            Err(Denied { attempt, report }) => {
                desk.metrics.logins.of(LoginResult::of_refusal(report.state)).inc();
                if let Some(delay) = attempt.delay {
                    desk.metrics.login_delays.of(delay).inc();
                }
                note(User::nobody(&attempt.user), attempt.method, Some(report.state));
                return Err(Problem::unauthorized(report));
            }
        };
        let is_over = authenticated.until().is_some_and(|until| at >= until);
        let user = (desk.users)(&authenticated).filter(|_| !is_over);
        let Some(user) = user else {
            desk.metrics.logins.of(LoginResult::NotAllowed).inc();
            let state = SqlState::INVALID_AUTHORIZATION;
            note(User::nobody(authenticated.user()), authenticated.method(), Some(state));
            let report = Report::error(state, "this user is not known to the proxy");
            return Err(Problem::unauthorized(report));
        };
        desk.metrics.logins.of(LoginResult::Ok).inc();
        note(user.clone(), authenticated.method(), None);
        Ok(Self { user, address: peer.ip(), application })
    }
}

fn unexpected() -> Problem {
    let what = "the connection is not known";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, SqlState::INTERNAL_ERROR, what)
}

/// Name and password, as RFC 7617 has them.
fn credentials(headers: &HeaderMap) -> Option<(String, Secret)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), Secret::new(password)))
}

/// Browsers send a password that they know along with what other sites' pages ask for, and say
/// that it is so. Programs say nothing.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let word = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (word("sec-fetch-site"), word("origin")) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == word("host")
        }
        (None, None) => true,
    }
}

fn application(headers: &HeaderMap) -> Arc<str> {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let product = agent.and_then(|agent| agent.split([' ', '/']).next()).unwrap_or_default();
    product.chars().take(APPLICATION_LEN_MAX).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (header::HeaderName::from_static(name), header::HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_basic_credentials_are_read() {
        let read = |value| credentials(&headers(&[("authorization", value)]));
        let (name, password) = read("basic YWxpY2U6YTpi").unwrap();
        assert_eq!((name.as_str(), password.expose()), ("alice", "a:b"));
        for wrong in ["Basic", "Basic ???", "Basic YWxpY2U=", "Bearer YWxpY2U6YTpi", ""] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_told_from_programs_and_from_ours() {
        for (pairs, same) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://k:1"), ("host", "k:1")], false),
            (&[("origin", "http://k:1"), ("host", "k:1")], true),
            (&[("origin", "http://k:1"), ("host", "k:2")], false),
            (&[("origin", "null"), ("host", "k:2")], false),
            (&[("origin", "null")], false),
        ] {
            assert_eq!(is_same_origin(&headers(pairs)), same, "{pairs:?}");
        }
    }

    #[test]
    fn the_application_is_the_first_product() {
        assert_eq!(&*application(&headers(&[("user-agent", "keyhole/0.1.0 (x)")])), "keyhole");
        assert_eq!(&*application(&headers(&[])), "");
    }
}
