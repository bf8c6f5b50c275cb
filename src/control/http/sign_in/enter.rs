//! The ways in: each ends with somebody whom the configuration knows, or with a record of who
//! failed.

use std::sync::Arc;

use super::{SignedIn, Visitor, nobody};
use crate::auth::bearer::{Bearer, Holder};
use crate::auth::oidc::code::Secrets;
use crate::auth::password::{self, Denied};
use crate::auth::rules::{Origin, Rules};
use crate::auth::session::{Keeper, Session, SessionError};
use crate::auth::{Authenticated, session};
use crate::control::Desk;
use crate::control::desk::{Deed, Occurrence};
use crate::control::http::problem::Problem;
use crate::model::{Report, Secret, SqlState, User};
use crate::telemetry::labels::LoginResult;

use axum::http::StatusCode;

impl Visitor {
    /// A name and its password, or a token that the rules ask for in its place.
    pub(super) async fn by_password(
        &self,
        desk: &Desk,
        user: &str,
        password: Secret,
    ) -> Result<SignedIn, Problem> {
        let (authenticated, user) = self.proven(desk, user, password).await?;
        Ok(self.signed_in(user, &authenticated))
    }

    /// The login of a name with its password, and whom it is about. Whoever calls has counted it.
    pub(in crate::control::http) async fn proven(
        &self,
        desk: &Desk,
        user: &str,
        password: Secret,
    ) -> Result<(Authenticated, User), Problem> {
        let rules = (desk.rules)();
        let (origin, encryption) = (Origin::Address(self.peer.ip()), self.peer.encryption);
        let checking = async {
            match &self.peer.certificate {
                // The name says whose the certificate is.
                Some(_) if password.expose().is_empty() => {
                    self.bearer(&rules).certified(user).await
                }
                Some(_) | None => password::check(&rules, origin, encryption, user, password).await,
            }
        };
        let authenticated = self.within(desk, &rules, checking).await?;
        let user = self.admit(desk, &authenticated)?;
        Ok((authenticated, user))
    }

    /// A token of any kind.
    pub(super) async fn by_token(&self, desk: &Desk, token: &Secret) -> Result<SignedIn, Problem> {
        let rules = (desk.rules)();
        let bearer = self.bearer(&rules);
        let checking = bearer.check(token, desk.sign_in.known(&self.terms));
        match self.within(desk, &rules, checking).await? {
            Holder::Token(authenticated) => {
                let user = self.admit(desk, &authenticated)?;
                Ok(self.signed_in(user, &authenticated))
            }
            Holder::Session(session) => {
                let user = self.known(desk, session.authenticated());
                let user = user.ok_or_else(|| self.challenged(unknown_user()))?;
                let who = self.signed_in(user, session.authenticated());
                Ok(SignedIn { session: Some(session), ..who })
            }
        }
    }

    /// The login of a token that an issuer made, and whom it is about.
    pub(in crate::control::http) async fn issued(
        &self,
        desk: &Desk,
        token: &Secret,
    ) -> Result<(Authenticated, User), Problem> {
        let rules = (desk.rules)();
        let bearer = self.bearer(&rules);
        let checking = bearer.issued(token);
        let authenticated = self.within(desk, &rules, checking).await?;
        let user = self.admit(desk, &authenticated)?;
        Ok((authenticated, user))
    }

    /// The login of a token that says who signed in at an issuer on a page of its own, and whom it
    /// is about.
    pub(in crate::control::http) async fn identified(
        &self,
        desk: &Desk,
        token: &Secret,
    ) -> Result<(Authenticated, User), Problem> {
        let rules = (desk.rules)();
        let bearer = self.bearer(&rules);
        let authenticated = self.within(desk, &rules, bearer.identified(token)).await?;
        let user = self.admit(desk, &authenticated)?;
        Ok((authenticated, user))
    }

    /// The login of somebody who has come back from the issuer's pages with a code.
    pub(in crate::control::http) async fn redeemed(
        &self,
        desk: &Desk,
        code: &Secret,
        secrets: &Secrets,
        back: &str,
    ) -> Result<(Authenticated, User), Problem> {
        let rules = (desk.rules)();
        let bearer = self.bearer(&rules);
        let checking = bearer.redeemed(code, secrets, back);
        let authenticated = self.within(desk, &rules, checking).await?;
        let user = self.admit(desk, &authenticated)?;
        Ok((authenticated, user))
    }

    /// A session's cookie. One that has ended is as good as none; one that was signed out may have
    /// been stolen.
    pub(super) fn by_cookie(&self, desk: &Desk, token: &Secret) -> Result<SignedIn, Problem> {
        let rules = (desk.rules)();
        let found = self.bearer(&rules).session(token, desk.sign_in.known(&self.terms));
        let session = found.map_err(|(user, method, report)| {
            if report.detail.as_deref() == Some(session::SIGNED_OUT) {
                self.note(desk, User::nobody(&user), method, Some(report.state));
            }
            match report.state {
                SqlState::CANNOT_CONNECT_NOW => Problem::from(*report),
                _ => self.unknown(*report),
            }
        })?;
        let user = self.known(desk, session.authenticated());
        let user = user.ok_or_else(|| self.unknown(unknown_user()))?;
        let form_token = Some(desk.sign_in.sessions.form_token(&session));
        let who = self.signed_in(user, session.authenticated());
        Ok(SignedIn { session: Some(session), form_token, ..who })
    }

    /// The certificate of the connection, where it is the only one's whom a rule asks for one.
    pub(super) fn by_nothing(&self, desk: &Desk) -> Result<SignedIn, Problem> {
        let rules = (desk.rules)();
        match self.bearer(&rules).sole_owner() {
            Some(authenticated) => {
                let user = self.admit(desk, &authenticated)?;
                Ok(self.signed_in(user, &authenticated))
            }
            None => Err(self.unknown(nobody("nobody is signed in"))),
        }
    }

    /// A session for somebody who has just proven who they are, and its token.
    pub(in crate::control::http) fn begin(
        &self,
        desk: &Desk,
        authenticated: &Authenticated,
        keeper: Keeper,
    ) -> Result<(Session, Secret), Problem> {
        let (sessions, life) = (&desk.sign_in.sessions, self.terms.lasting.life);
        let begun = sessions.begin(authenticated, keeper, rand::random(), self.now, life);
        begun.map_err(|error| {
            let status = match error {
                SessionError::Machine | SessionError::TooLong => StatusCode::FORBIDDEN,
                SessionError::Unknown
                | SessionError::Expired { .. }
                | SessionError::Unused { .. }
                | SessionError::SignedOut { .. }
                | SessionError::List(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            Problem::new(status, SqlState::INSUFFICIENT_PRIVILEGE, error.to_string())
        })
    }

    pub(super) fn bearer<'r>(&'r self, rules: &'r Rules) -> Bearer<'r> {
        let origin = Origin::Address(self.peer.ip());
        let (encryption, certificate) = (self.peer.encryption, self.peer.certificate.as_deref());
        Bearer { rules, origin, encryption, certificate, now: self.now }
    }

    /// What comes of a check, with a record of a failure.
    async fn within<T>(
        &self,
        desk: &Desk,
        rules: &Rules,
        checking: impl Future<Output = Result<T, Denied>>,
    ) -> Result<T, Problem> {
        let Ok(checked) = tokio::time::timeout(rules.limit, checking).await else {
            desk.metrics.logins.of(LoginResult::Timeout).inc();
            let what = "the login took too long";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Problem::new(status, SqlState::CANNOT_CONNECT_NOW, what));
        };
        checked.map_err(|Denied { attempt, report }| {
            desk.metrics.logins.of(LoginResult::of_refusal(report.state)).inc();
            if let Some(delay) = attempt.delay {
                desk.metrics.login_delays.of(delay).inc();
            }
            self.note(desk, User::nobody(&attempt.user), attempt.method, Some(report.state));
            match report.state {
                // Nobody can say whether it was wrong.
                SqlState::CANNOT_CONNECT_NOW | SqlState::CONNECTION_FAILURE => report.into(),
                _ => self.challenged(report),
            }
        })
    }

    /// The user that a login is about, with a record of it.
    pub(in crate::control::http) fn admit(
        &self,
        desk: &Desk,
        authenticated: &Authenticated,
    ) -> Result<User, Problem> {
        let Some(user) = self.known(desk, authenticated) else {
            desk.metrics.logins.of(LoginResult::NotAllowed).inc();
            let (user, method) = (User::nobody(authenticated.user()), authenticated.method());
            let report = unknown_user();
            self.note(desk, user, method, Some(report.state));
            return Err(self.challenged(report));
        };
        desk.metrics.logins.of(LoginResult::Ok).inc();
        self.note(desk, user.clone(), authenticated.method(), None);
        Ok(user)
    }

    /// The user that a login is about, as the configuration has them now, with no more roles than
    /// the login leaves them.
    fn known(&self, desk: &Desk, authenticated: &Authenticated) -> Option<User> {
        if authenticated.until().is_some_and(|until| self.now >= until) {
            return None;
        }
        (desk.users)(authenticated).map(|user| authenticated.narrow(user))
    }

    fn signed_in(&self, user: User, authenticated: &Authenticated) -> SignedIn {
        SignedIn {
            user,
            address: self.peer.ip(),
            application: Arc::clone(&self.application),
            method: authenticated.method(),
            session: None,
            form_token: None,
        }
    }

    fn note(&self, desk: &Desk, user: User, method: &'static str, refused: Option<SqlState>) {
        (desk.record)(&Occurrence {
            at: self.now,
            user,
            address: self.peer.ip(),
            application: Arc::clone(&self.application),
            deed: Deed::Login { method },
            refused,
            about: None,
        });
    }
}

fn unknown_user() -> Report {
    Report::error(SqlState::INVALID_AUTHORIZATION, "this user is not known to the proxy")
}
