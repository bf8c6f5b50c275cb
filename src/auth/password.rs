//! A login in one step, where the client sends its password or token along with what it wants:
//! HTTP.

use std::sync::Arc;

use super::login::Attempt;
use super::oidc::{OidcError, Proven};
use super::rules::{Asking, Encryption, Method, Origin, Rules};
use super::throttle::{Pace, Throttle};
use super::{Authenticated, Credentials};
use crate::config::AuthMethod;
use crate::model::{Report, Secret, SqlState};
use crate::telemetry::labels::LoginDelay;

/// Somebody who was not let in.
#[derive(Debug)]
pub struct Denied {
    pub attempt: Attempt,
    pub report: Report,
}

/// Checks the password, or the token, of `user`, who connects from `origin`, by the rule that is
/// about them. An answer to a failure is held back as [`Throttle`] says. Cancel safe.
///
/// # Errors
/// Wrong, or the rule asks for something that cannot be sent along: a certificate, a user of the
/// operating system; or believes whoever connects, which a page in somebody's browser could be.
pub async fn check(
    rules: &Rules,
    origin: Origin,
    encryption: Encryption,
    user: &str,
    password: Secret,
) -> Result<Authenticated, Denied> {
    let database = rules.database.unwrap_or_default();
    let asking = Asking { database, user, origin, encryption };
    let mut attempt =
        Attempt { user: user.to_owned(), database: database.to_owned(), ..Attempt::default() };
    let checked = match rules.choose(&asking) {
        None => Err(refusal("no [[login]] rule is about this user here")),
        Some(method) => {
            attempt.method = method.name();
            by(method, user, password).await
        }
    };
    match checked {
        Ok(authenticated) => {
            rules.throttle.succeeded(origin, user);
            Ok(authenticated)
        }
        Err(report) => {
            attempt.hold_back(&rules.throttle, origin, report.state).await;
            Err(Denied { attempt, report })
        }
    }
}

async fn by(method: &Method, user: &str, password: Secret) -> Result<Authenticated, Report> {
    // As in PostgreSQL: an empty one would pass as "anonymous" in some directories.
    if password.expose().is_empty() {
        return Err(Report::fatal(SqlState::INVALID_PASSWORD, "the password is empty"));
    }
    match method {
        Method::Scram(credentials) => by_verifier(credentials, user, password).await,
        Method::Ldap(directory) => {
            let groups = directory.check(user, &password).await.map_err(|e| e.report(user))?;
            Ok(Authenticated::new(user, groups, AuthMethod::Ldap))
        }
        Method::Oidc(issuer) | Method::OauthBearer(issuer) => {
            let report = |error: OidcError| error.report(user, SqlState::INVALID_PASSWORD);
            let Proven { groups, until } =
                issuer.check(password.expose(), user).await.map_err(report)?;
            Ok(Authenticated::new(user, groups, AuthMethod::Oidc).ending(until))
        }
        Method::Cert(_) | Method::Peer(_) | Method::Passthrough | Method::Trust => {
            Err(refusal("this user's [[login]] rule asks for nothing that HTTP could bring"))
        }
        Method::Reject => Err(refusal("a [[login]] rule rejects this user here")),
    }
}

/// Deriving a key takes milliseconds, or as long as the verifier's iterations want it.
async fn by_verifier(
    credentials: &Arc<Credentials>,
    user: &str,
    password: Secret,
) -> Result<Authenticated, Report> {
    let (known, name) = (Arc::clone(credentials), user.to_owned());
    let checked = tokio::task::spawn_blocking(move || known.check(&name, &password)).await;
    match checked {
        Ok(Some(authenticated)) => Ok(authenticated),
        Ok(None) => {
            let message = format!("password authentication failed for user \"{user}\"");
            Err(Report::fatal(SqlState::INVALID_PASSWORD, message))
        }
        Err(_) => Err(Report::fatal(SqlState::INTERNAL_ERROR, "the password was not checked")),
    }
}

fn refusal(message: &str) -> Report {
    Report::fatal(SqlState::INVALID_AUTHORIZATION, message)
        .hint("The data port and the console know more ways to log in.")
}

impl Attempt {
    /// Waits as long as an answer to somebody who failed has to.
    pub(super) async fn hold_back(&mut self, throttle: &Throttle, origin: Origin, state: SqlState) {
        if !self.failed_to_prove(state) {
            return;
        }
        match throttle.failed(origin, &self.user) {
            Pace::AtOnce => {}
            Pace::Wait { delay, place } => {
                // Whoever hangs up meanwhile does not learn more, or anything sooner.
                tokio::time::sleep(delay).await;
                self.delay = Some(LoginDelay::Waited);
                drop(place);
            }
            Pace::Crowded => self.delay = Some(LoginDelay::Crowded),
        }
    }
}
