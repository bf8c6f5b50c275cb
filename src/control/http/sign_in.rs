//! Who sends a request. A name and a password (HTTP Basic), a token (Bearer), a session's cookie or
//! a client's certificate says so, and each is checked by the [[login]] rules at each request anew.
//! So who loses a group or an account has lost it here at once.

mod carried;
mod enter;
mod form;
mod origin;
mod renewal;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use self::carried::Credential;
pub(super) use self::carried::{Way, flow, flow_cookie, no_session_cookie, session_cookie};
pub(super) use self::form::{FORM_TOKEN, Form, SignedForm};
pub(super) use self::renewal::renewing;
use super::bounded::Peer;
use super::pages::Issuer;
use super::problem::Problem;
use crate::auth::oidc;
use crate::auth::rules::Encryption;
use crate::auth::session::Session;
use crate::control::Desk;
use crate::control::desk::{CONTROL, Operator};
use crate::control::pace::{Payer, Wait};
use crate::control::sign_in::Terms;
use crate::grant::{GrantView, Request};
use crate::model::{Report, SqlState, Timestamp, User};

/// Of the User-Agent header, the part that says which program it is, and no more of it.
const APPLICATION_LEN_MAX: usize = 64;

/// Somebody who has proven who they are.
pub(super) struct SignedIn {
    pub(super) user: User,
    pub(super) address: IpAddr,
    /// The product that the User-Agent header names first.
    pub(super) application: Arc<str>,
    /// How they have proven it, in the word of the records.
    pub(super) method: &'static str,
    /// The session that was shown, if it was one.
    pub(super) session: Option<Session>,
    /// What forms have to carry for them, if their browser shows a session by itself.
    pub(super) form_token: Option<String>,
}

impl SignedIn {
    pub(super) fn operator(&self) -> Operator {
        let Self { user, address, application, .. } = self;
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

/// A request that changes something is taken from a browser only with the token of one of our
/// forms: of a script in a header, of a page as [`SignedForm`] takes it.
impl FromRequestParts<Arc<Desk>> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Problem> {
        let visitor = Visitor::of(parts, desk).await?;
        let who = visitor.sign_in(desk, &parts.headers).await?;
        if !visitor.is_safe && !who.form_is_ours(desk, carried::form_token(&parts.headers)) {
            return Err(forged());
        }
        Ok(who)
    }
}

impl SignedIn {
    /// Whether what a browser sends with `token` comes from a page of this session. What comes
    /// without a session's cookie carries none.
    fn form_is_ours(&self, desk: &Desk, token: Option<&str>) -> bool {
        match (&self.session, &self.form_token) {
            (Some(session), Some(_)) => {
                token.is_some_and(|token| desk.sign_in.sessions.is_form_token(session, token))
            }
            (_, None) | (None, Some(_)) => self.form_token.is_none(),
        }
    }
}

fn forged() -> Problem {
    let what = "the form is not of this session";
    let problem = Problem::new(StatusCode::FORBIDDEN, SqlState::INVALID_AUTHORIZATION, what);
    problem.hint("Load the page again. A script sends the token in the header X-CSRF-Token.")
}

/// Somebody who is not known yet, on a connection on which they may say who they are.
pub(super) struct Visitor {
    peer: Peer,
    application: Arc<str>,
    terms: Terms,
    now: Timestamp,
    is_safe: bool,
    from: From,
    renewed: Option<renewal::Renewed>,
}

/// What to do with somebody who is not signed in.
enum From {
    Program,
    /// A script of one of our pages.
    Script,
    /// Somebody who wants to look at this page.
    Page(String),
    /// The same, by a link elsewhere: their browser has not shown its cookie.
    Link(String),
}

impl Visitor {
    async fn of(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Problem> {
        let peer = ConnectInfo::<Peer>::from_request_parts(parts, desk).await;
        let ConnectInfo(peer) = peer.map_err(|_| unexpected())?;
        if !peer.is_private() {
            let what = "the API is not served over a connection that others can read";
            let problem =
                Problem::new(StatusCode::FORBIDDEN, SqlState::INVALID_AUTHORIZATION, what);
            return Err(problem.hint("Ask with https, or from the machine of the proxy."));
        }
        let headers = &parts.headers;
        let is_safe = origin::is_safe(&parts.method);
        if !is_safe && !origin::is_same_origin(headers) {
            let what = "a page of another site may not ask for this";
            return Err(Problem::new(StatusCode::FORBIDDEN, SqlState::INVALID_AUTHORIZATION, what));
        }
        // Nested routers cut off their part of it.
        let whole = parts.extensions.get::<OriginalUri>().map(|OriginalUri(uri)| uri.clone());
        let uri = whole.unwrap_or_else(|| parts.uri.clone());
        let path = uri.path();
        let is_page = origin::wants_page(headers) && !path.starts_with("/api/");
        let place = || {
            let whole = uri.path_and_query().filter(|_| is_safe);
            whole.map_or(path, |whole| whole.as_str()).to_owned()
        };
        let from = if is_page && is_safe && origin::is_led_here(headers) {
            From::Link(place())
        } else if is_page {
            From::Page(place())
        } else if origin::is_fetch(headers) {
            From::Script
        } else {
            From::Program
        };
        let (terms, now) = ((desk.sign_in.terms)(), (desk.clock)());
        let application = application(headers);
        let renewed = parts.extensions.get::<renewal::Renewed>().cloned();
        Ok(Self { peer, application, terms, now, is_safe, from, renewed })
    }

    /// Who it is, by what the request carries.
    async fn sign_in(&self, desk: &Desk, headers: &HeaderMap) -> Result<SignedIn, Problem> {
        let proven = match carried::credential(headers, self.way()) {
            Some(Credential::Password { user, password }) => {
                // First, lest one address has as many looked at as it has connections.
                self.pay(desk)?;
                let who = self.by_password(desk, &user, password).await?;
                self.pay_back(desk);
                return self.pay_as(desk, who);
            }
            Some(Credential::Bearer(token)) => self.by_token(desk, &token).await,
            Some(Credential::Cookie(token)) => {
                self.by_cookie(desk, &token).inspect(|who| self.renew(desk, who, headers))
            }
            None if headers.contains_key(header::AUTHORIZATION) => {
                Err(self.challenged(nobody("the header Authorization cannot be read")))
            }
            None => self.by_nothing(desk),
        };
        match proven {
            Ok(who) => self.pay_as(desk, who),
            Err(problem) => self.pay(desk).and(Err(problem)),
        }
    }

    /// Counts a request of somebody who is signed in.
    fn pay_as(&self, desk: &Desk, who: SignedIn) -> Result<SignedIn, Problem> {
        let limit = self.terms.requests.per_user;
        let paid = desk.sign_in.pace.take(Payer::user(&who.user), limit, self.now);
        paid.map(|()| who).map_err(|Wait(wait)| Problem::too_many(wait))
    }

    /// Counts a request of somebody who is not signed in.
    fn pay(&self, desk: &Desk) -> Result<(), Problem> {
        let payer = Payer::address(self.peer.ip());
        let paid = desk.sign_in.pace.take(payer, self.terms.requests.per_address, self.now);
        paid.map_err(|Wait(wait)| Problem::too_many(wait))
    }

    /// It was somebody who is.
    fn pay_back(&self, desk: &Desk) {
        let payer = Payer::address(self.peer.ip());
        desk.sign_in.pace.give_back(payer, self.terms.requests.per_address, self.now);
    }

    /// Whether others could read a cookie. Somebody else may do TLS for us on this machine.
    pub(super) fn way(&self) -> Way {
        let url = self.terms.console_url.as_deref().unwrap_or_default();
        let tls = self.peer.encryption == Encryption::Tls || url.starts_with("https://");
        if tls { Way::Tls } else { Way::Near }
    }

    /// What somebody is told whom nobody knows.
    fn unknown(&self, report: Report) -> Problem {
        match &self.from {
            From::Program => self.challenged(report),
            From::Script => Problem::unauthorized(report).without_dialog(),
            From::Page(place) => Problem::sign_in_first(report, place),
            From::Link(place) => Problem::once_more(report, place),
        }
    }

    /// The same, if they have tried with a header, which the browser's own dialog may have made.
    fn challenged(&self, report: Report) -> Problem {
        match self.from {
            From::Script => Problem::unauthorized(report).without_dialog(),
            From::Program | From::Page(_) | From::Link(_) => Problem::unauthorized(report),
        }
    }

    /// The issuer at which people sign in, and who it is.
    pub(super) fn issuer(&self, desk: &Desk) -> Option<Arc<oidc::Issuer>> {
        let rules = (desk.rules)();
        self.bearer(&rules).issuer().filter(|issuer| issuer.config().client.is_some())
    }

    /// Whether people can sign in on an issuer's pages: it has to lead them back to a place that
    /// the configuration names, not to one that a request claims.
    pub(super) fn offers_issuer(&self, desk: &Desk) -> Issuer {
        match (self.issuer(desk), &self.terms.console_url) {
            (Some(_), Some(_)) => Issuer::Offered,
            (_, None) | (None, _) => Issuer::None,
        }
    }

    /// The whole address of a place of ours; None: nobody said where we are.
    pub(super) fn address_of(&self, place: &str) -> Option<String> {
        self.terms.console_url.as_ref().map(|url| format!("{url}{place}"))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }
}

/// Nobody, or nobody who counts, is no reason not to go on.
impl OptionalFromRequestParts<Arc<Desk>> for SignedIn {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        desk: &Arc<Desk>,
    ) -> Result<Option<Self>, Infallible> {
        let Ok(visitor) = Visitor::of(parts, desk).await else { return Ok(None) };
        let token = match carried::credential(&parts.headers, visitor.way()) {
            Some(Credential::Cookie(token)) => token,
            Some(Credential::Password { .. } | Credential::Bearer(_)) | None => return Ok(None),
        };
        Ok(visitor.by_cookie(desk, &token).ok())
    }
}

/// For what anybody may ask for; it counts.
impl FromRequestParts<Arc<Desk>> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Problem> {
        let visitor = Self::of(parts, desk).await?;
        visitor.pay(desk)?;
        Ok(visitor)
    }
}

fn nobody(message: &str) -> Report {
    Report::error(SqlState::INVALID_AUTHORIZATION, message).hint(
        "Send the user's name and password, or token, with HTTP's Basic authentication, or a token \
         with Bearer.",
    )
}

fn unexpected() -> Problem {
    let what = "the connection is not known";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, SqlState::INTERNAL_ERROR, what)
}

fn application(headers: &HeaderMap) -> Arc<str> {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let product = agent.and_then(|agent| agent.split([' ', '/']).next()).unwrap_or_default();
    product.chars().take(APPLICATION_LEN_MAX).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (header::HeaderName::from_static(name), header::HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_application_is_the_first_product() {
        assert_eq!(&*application(&headers(&[("user-agent", "keyhole/0.1.0 (x)")])), "keyhole");
        assert_eq!(&*application(&headers(&[])), "");
    }
}
