//! Logins without a name: a token or a certificate says whose it is.

use std::sync::Arc;

use super::Authenticated;
use super::login::Attempt;
use super::oidc::code::{CodeError, Secrets};
use super::oidc::{Issuer, Named, OidcError};
use super::password::Denied;
use super::rules::{Asking, Encryption, Method, Origin, Rules};
use super::session::{self, Lasting, Session, SessionError, Sessions};
use super::token::{self, MachineToken, Rejected};
use crate::config::AuthMethod;
use crate::model::{Report, Secret, SqlState, Timestamp};

/// Where somebody comes from who sends a token.
#[derive(Clone, Copy, Debug)]
pub struct Bearer<'a> {
    pub rules: &'a Rules,
    pub origin: Origin,
    pub encryption: Encryption,
    /// What the connection has shown (DER).
    pub certificate: Option<&'a [u8]>,
    pub now: Timestamp,
}

/// What tokens there are, beside those of the issuer in the rules.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub tokens: &'a [MachineToken],
    pub sessions: &'a Sessions,
    /// How long sessions last at most.
    pub lasting: Lasting,
}

/// What a token turned out to be.
#[derive(Debug)]
pub enum Holder {
    /// A machine's, or one of the issuer.
    Token(Authenticated),
    Session(Session),
}

/// Who was refused, as far as it is known, by which method, and in which words.
type Refusal = (String, &'static str, Box<Report>);

impl Holder {
    pub fn authenticated(&self) -> &Authenticated {
        match self {
            Self::Token(authenticated) => authenticated,
            Self::Session(session) => session.authenticated(),
        }
    }
}

impl Bearer<'_> {
    /// Whose token it is. An answer to a failure is held back as
    /// [`Throttle`](super::throttle::Throttle) says, by address and by user where the token has
    /// one. Cancel safe.
    ///
    /// # Errors
    /// It is unknown, has expired, was signed out, or the rules do not let its user in from here
    /// like this.
    pub async fn check(&self, token: &Secret, known: Known<'_>) -> Result<Holder, Denied> {
        let checked = if token.expose().starts_with(session::PREFIX) {
            self.session(token, known).map(Holder::Session)
        } else if token.expose().starts_with(token::PREFIX) {
            self.machine(token, known.tokens).map(Holder::Token)
        } else {
            self.of_issuer(token).await.map(Holder::Token)
        };
        self.answer(checked).await
    }

    /// The session of a token.
    ///
    /// # Errors
    /// As [`Bearer::check`]; nothing is held back.
    pub fn session(&self, token: &Secret, known: Known<'_>) -> Result<Session, Refusal> {
        let found = known.sessions.find(token, self.now, known.lasting).map_err(of_session)?;
        let user = found.authenticated().user();
        // It counts where signing in would be asked for in the same way now.
        let method = self.method_for(user);
        let is_same = method.map(Method::name) == Some(found.method().as_str());
        if is_same && method.is_some_and(|method| self.is_still_proven(method, user)) {
            Ok(found)
        } else {
            let message = "the session does not count here: sign in again";
            Err((user.to_string(), session::METHOD, Box::new(refusal(message))))
        }
    }

    /// Whether the connection proves what can be proven anew without anybody doing anything: who
    /// signed in with a certificate has it with them, and it is neither expired nor revoked.
    fn is_still_proven(&self, method: &Method, user: &str) -> bool {
        match method {
            Method::Cert(asked) => self.certificate.is_some_and(|shown| asked.allow(shown, user)),
            Method::Scram(_)
            | Method::Ldap(_)
            | Method::Oidc(_)
            | Method::OauthBearer(_)
            | Method::Peer(_)
            | Method::Passthrough
            | Method::Trust
            | Method::Reject => true,
        }
    }

    fn machine(&self, token: &Secret, tokens: &[MachineToken]) -> Result<Authenticated, Refusal> {
        let refused = |user: &str, report| (user.to_owned(), token::METHOD, Box::new(report));
        let found = token::find(tokens, token, self.now).map_err(|rejected| match rejected {
            Rejected::Unknown => refused("", unknown()),
            Rejected::Expired { user } => {
                refused(&user, unknown().detail("The token has expired."))
            }
        })?;
        match self.method_for(found.user()) {
            Some(Method::Reject) | None => {
                let message = "no [[login]] rule lets the user of this token in here";
                Err(refused(found.user(), refusal(message)))
            }
            Some(
                Method::Scram(_)
                | Method::Ldap(_)
                | Method::Oidc(_)
                | Method::OauthBearer(_)
                | Method::Cert(_)
                | Method::Peer(_)
                | Method::Passthrough
                | Method::Trust,
            ) => Ok(found),
        }
    }

    /// Whose token of an issuer it is.
    ///
    /// # Errors
    /// As [`Bearer::check`], and for every other kind of token.
    pub async fn issued(&self, token: &Secret) -> Result<Authenticated, Denied> {
        let checked = self.of_issuer(token).await;
        self.answer(checked).await
    }

    /// Who signed in at the issuer, by a token that says so and was made for no page of ours.
    ///
    /// # Errors
    /// As [`Bearer::check`].
    pub async fn identified(&self, token: &Secret) -> Result<Authenticated, Denied> {
        let checked = match self.issuer() {
            None => Err(CodeError::NoClient),
            Some(issuer) => {
                let named = issuer.identified(token.expose(), None).await;
                named.map(|named| (issuer, named))
            }
        };
        self.came_from_issuer(checked).await
    }

    /// Who signed in on the issuer's pages, by the code with which they came back.
    ///
    /// # Errors
    /// As [`Bearer::check`].
    pub async fn redeemed(
        &self,
        code: &Secret,
        secrets: &Secrets,
        back: &str,
    ) -> Result<Authenticated, Denied> {
        let checked = match self.issuer() {
            None => Err(CodeError::NoClient),
            Some(issuer) => {
                let named = issuer.redeem(code.expose(), secrets, back).await;
                named.map(|named| (issuer, named))
            }
        };
        self.came_from_issuer(checked).await
    }

    async fn came_from_issuer(
        &self,
        checked: Result<(Arc<Issuer>, Named), CodeError>,
    ) -> Result<Authenticated, Denied> {
        let method = AuthMethod::Oidc.as_str();
        let checked = match checked {
            Ok((issuer, named)) => self.issued_to(&issuer, named),
            Err(error) => {
                tracing::info!(%error, "a sign-in at the issuer does not count");
                Err((String::new(), error.report()))
            }
        };
        self.answer(checked.map_err(|(user, report)| (user, method, Box::new(report)))).await
    }

    /// The token of an issuer that the rules name, whose user they ask for such a token.
    async fn of_issuer(&self, token: &Secret) -> Result<Authenticated, Refusal> {
        let method = AuthMethod::OauthBearer;
        let refused = |user: &str, report| (user.to_owned(), method.as_str(), Box::new(report));
        let Some(issuer) = self.issuer().filter(|_| token.expose().contains('.')) else {
            return Err((String::new(), token::METHOD, Box::new(unknown())));
        };
        let named = issuer.named(token.expose()).await;
        let named = named.map_err(|error| refused("", because_of(error)))?;
        self.issued_to(&issuer, named).map_err(|(user, report)| refused(&user, report))
    }

    /// The login of somebody whom the issuer names, if the rules ask them for its tokens.
    fn issued_to(
        &self,
        issuer: &Arc<Issuer>,
        named: Named,
    ) -> Result<Authenticated, (String, Report)> {
        let Named { user, proven } = named;
        match self.method_for(&user) {
            Some(Method::Oidc(own) | Method::OauthBearer(own)) if Arc::ptr_eq(own, issuer) => {
                let method = self.method_for(&user).map(Method::name).and_then(AuthMethod::parse);
                let method = method.unwrap_or(AuthMethod::Oidc);
                Ok(Authenticated::new(&user, proven.groups, method).ending(proven.until))
            }
            Some(_) | None => {
                let message = "no [[login]] rule asks the user of this token for one here";
                Err((user, refusal(message)))
            }
        }
    }

    /// The issuer of the rules; there is one in a configuration.
    pub fn issuer(&self) -> Option<Arc<Issuer>> {
        self.rules.list.iter().find_map(|rule| match &rule.method {
            Method::Oidc(issuer) | Method::OauthBearer(issuer) => Some(Arc::clone(issuer)),
            Method::Scram(_)
            | Method::Ldap(_)
            | Method::Cert(_)
            | Method::Peer(_)
            | Method::Passthrough
            | Method::Trust
            | Method::Reject => None,
        })
    }

    /// `user`, if a rule asks them for a client's certificate and the one shown is theirs.
    ///
    /// # Errors
    /// Not so. An answer is held back, likewise.
    pub async fn certified(&self, user: &str) -> Result<Authenticated, Denied> {
        let checked = match self.method_for(user) {
            Some(method @ Method::Cert(_)) if self.is_still_proven(method, user) => {
                Ok(Authenticated::new(user, Vec::new(), AuthMethod::Cert))
            }
            Some(_) | None => {
                let report = refusal("certificate authentication failed");
                Err((user.to_owned(), AuthMethod::Cert.as_str(), Box::new(report)))
            }
        };
        self.answer(checked).await
    }

    /// The only user whose certificate is shown, among those whom a rule asks for one.
    pub fn sole_owner(&self) -> Option<Authenticated> {
        let certificate = self.certificate?;
        let mut owners: Vec<String> = Vec::new();
        for rule in &self.rules.list {
            let Method::Cert(certificates) = &rule.method else { continue };
            for owner in certificates.owners(certificate) {
                let asked = match self.method_for(&owner) {
                    Some(Method::Cert(asked)) => Arc::ptr_eq(asked, certificates),
                    Some(_) | None => false,
                };
                if asked && !owners.contains(&owner) {
                    owners.push(owner);
                }
            }
        }
        match &owners[..] {
            [owner] => Some(Authenticated::new(owner, Vec::new(), AuthMethod::Cert)),
            _ => None,
        }
    }

    fn method_for(&self, user: &str) -> Option<&Method> {
        let Self { rules, origin, encryption, certificate: _, now: _ } = *self;
        let database = rules.database.unwrap_or_default();
        rules.choose(&Asking { database, user, origin, encryption })
    }

    async fn answer<T>(&self, checked: Result<T, Refusal>) -> Result<T, Denied> {
        let (user, method, report) = match checked {
            Ok(found) => return Ok(found),
            Err(refused) => refused,
        };
        let database = self.rules.database.unwrap_or_default().to_owned();
        let mut attempt = Attempt { user, database, method, delay: None };
        attempt.hold_back(&self.rules.throttle, self.origin, report.state).await;
        Err(Denied { attempt, report: *report })
    }
}

fn of_session(error: SessionError) -> Refusal {
    let expired = "The session has expired.";
    let (user, report) = match error {
        SessionError::Unknown | SessionError::Machine | SessionError::TooLong => {
            (String::new(), unknown())
        }
        SessionError::Expired { user } => (user.to_string(), unknown().detail(expired)),
        SessionError::Unused { user } => {
            (user.to_string(), unknown().detail("The session was not used for too long."))
        }
        SessionError::SignedOut { user } => {
            (user.to_string(), unknown().detail(session::SIGNED_OUT))
        }
        SessionError::List(error) => {
            tracing::error!(%error, "no session counts");
            let message = "whether sessions were signed out cannot be said now";
            (String::new(), Report::fatal(SqlState::CANNOT_CONNECT_NOW, message))
        }
    };
    (user, session::METHOD, Box::new(report))
}

fn because_of(error: OidcError) -> Report {
    match error {
        OidcError::Unavailable => error.report("", SqlState::INVALID_AUTHORIZATION),
        OidcError::Expired => unknown().detail("The token has expired."),
        OidcError::Audience => unknown().detail("The token is for another audience."),
        OidcError::Malformed
        | OidcError::Algorithm
        | OidcError::Kind
        | OidcError::UnknownKey
        | OidcError::Signature
        | OidcError::Issuer
        | OidcError::NotYet
        | OidcError::Bound
        | OidcError::NoUser
        | OidcError::Unverified
        | OidcError::OtherUser => unknown(),
    }
}

fn unknown() -> Report {
    Report::fatal(SqlState::INVALID_PASSWORD, "the token does not count")
}

fn refusal(message: &str) -> Report {
    Report::fatal(SqlState::INVALID_AUTHORIZATION, message)
}
