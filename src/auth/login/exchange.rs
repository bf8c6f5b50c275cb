//! The exchanges by which clients prove who they are.

use std::sync::Arc;

use super::newcomer::Newcomer;
use super::{Attempt, Request, Stop, refusal};
use crate::auth::certificate::Certificates;
use crate::auth::rules::{Asking, Encryption, Method, Origin, Rules, Tls};
use crate::auth::scram::ScramError;
use crate::auth::{Authenticated, Credentials, peer};
use crate::config::{AuthMethod, IdentityMap};
use crate::model::{Report, Secret, SqlState};
use crate::wire::startup::Startup;
use crate::wire::{frontend, write};

/// What became of a login.
pub(super) enum Outcome {
    In(Request, Authenticated),
    /// The database decides; and what is still to be sent to the client.
    Passthrough(Request, Vec<u8>),
}

impl Newcomer {
    pub(super) async fn log_in(
        &mut self,
        startup: &Startup<'_>,
        rules: &Rules,
        attempt: &mut Attempt,
    ) -> Result<Outcome, Stop> {
        let open = !self.stream.is_encrypted() && !self.stream.is_local();
        if open && matches!(rules.tls, Tls::Require(_)) {
            let report = Report::fatal(SqlState::INVALID_AUTHORIZATION, "connection requires TLS")
                .hint("Connect with sslmode=require or stronger.");
            return Err(Stop::Report(report));
        }
        let request = Request::read(startup)?;
        let mut out = Vec::new();
        if startup.needs_negotiation() {
            let options = startup.protocol_options();
            write::negotiate_protocol_version(&mut out, request.minor, options)?;
        }
        let asking = Asking {
            database: rules.database.unwrap_or(&request.database),
            user: &request.user,
            origin: self.origin,
            encryption: self.encryption(),
        };
        let method = rules.choose(&asking).ok_or_else(|| unmatched(&asking))?;
        attempt.method = method.name();
        let user = &request.user;
        let authenticated = match method {
            Method::Ldap(directory) => self.ldap(user, directory, &mut out).await?,
            Method::Oidc(issuer) => self.token(user, issuer, &mut out).await?,
            Method::OauthBearer(issuer) => self.bearer(user, issuer, &mut out).await?,
            Method::Scram(credentials) => {
                let over_tls = self.encryption() == Encryption::Tls;
                let end_point = rules.end_point.as_ref().filter(|_| over_tls);
                self.scram(user, credentials, end_point, &mut out).await?
            }
            Method::Cert(certificates) => self.certificate(user, certificates)?,
            Method::Peer(map) => self.peer(user, map).await?,
            Method::Passthrough => return Ok(Outcome::Passthrough(request, out)),
            Method::Trust => Authenticated::new(user, Vec::new(), AuthMethod::Trust),
            Method::Reject => return Err(rejected(&asking)),
        };
        write::authentication_ok(&mut out);
        self.send(&mut out).await?;
        Ok(Outcome::In(request, authenticated))
    }

    fn certificate(&self, user: &str, known: &Certificates) -> Result<Authenticated, Stop> {
        let Some(certificate) = self.stream.peer_certificate() else {
            let report = Report::fatal(
                SqlState::INVALID_AUTHORIZATION,
                "connection requires a valid client certificate",
            )
            .hint("Connect with TLS, and with sslcert and sslkey.");
            return Err(Stop::Report(report));
        };
        if known.allow(certificate, user) {
            Ok(Authenticated::new(user, Vec::new(), AuthMethod::Cert))
        } else {
            let message = format!("certificate authentication failed for user \"{user}\"");
            Err(refusal(SqlState::INVALID_AUTHORIZATION, message))
        }
    }

    async fn peer(&self, user: &str, map: &IdentityMap) -> Result<Authenticated, Stop> {
        let found = match self.origin {
            Origin::Local { uid } => peer::os_user(uid).await,
            Origin::Address(_) => None,
        };
        if found.is_some_and(|found| map.allows(&found, user)) {
            Ok(Authenticated::new(user, Vec::new(), AuthMethod::Peer))
        } else {
            let message = format!("peer authentication failed for user \"{user}\"");
            Err(refusal(SqlState::INVALID_AUTHORIZATION, message))
        }
    }

    /// Asks for the password as it is, for methods that have somebody else check it. `out` is what
    /// was to be sent before.
    ///
    /// # Errors
    /// Where others could read it, it is not asked for.
    pub(super) async fn clear_password(&mut self, out: &mut Vec<u8>) -> Result<Secret, Stop> {
        self.is_private("a password in clear")?;
        write::authentication_cleartext_password(out);
        self.send(out).await?;
        let response = self.response().await?;
        let password = std::str::from_utf8(frontend::password(&response)?)
            .map_err(|_| refusal(SqlState::PROTOCOL_VIOLATION, "the password is not in UTF-8"))?;
        // As in PostgreSQL: an empty one would pass as "anonymous" in some directories.
        if password.is_empty() {
            let message = "empty password returned by client";
            return Err(refusal(SqlState::INVALID_PASSWORD, message));
        }
        Ok(Secret::new(password))
    }

    /// # Errors
    /// If others could read what the client is to send.
    pub(super) fn is_private(&self, what: &str) -> Result<(), Stop> {
        if self.encryption() == Encryption::Tls || self.origin.is_near() {
            return Ok(());
        }
        let message = format!("{what} is not taken over a connection without TLS");
        let report = Report::fatal(SqlState::INVALID_AUTHORIZATION, message)
            .hint("Connect with sslmode=require or stronger.");
        Err(Stop::Report(report))
    }

    /// Leaves the server's last message in `out`, as nothing is gained by sending it alone.
    async fn scram(
        &mut self,
        user: &str,
        credentials: &Credentials,
        end_point: Option<&Arc<[u8]>>,
        out: &mut Vec<u8>,
    ) -> Result<Authenticated, Stop> {
        let server = credentials.scram(user, rand::random()).binding_to(end_point.cloned());
        write::authentication_sasl(out, server.mechanisms())?;
        self.send(out).await?;

        let response = self.response().await?;
        let (mechanism, first) = frontend::sasl_initial_response(&response)?;
        let (reply, server) = server.first(mechanism, first.ok_or(ScramError::Malformed)?)?;
        write::authentication_sasl_continue(out, &reply)?;
        self.send(out).await?;

        let response = self.response().await?;
        let (reply, authenticated) = server.finish(&response).map_err(|error| {
            if error == ScramError::Proof {
                let message = format!("password authentication failed for user \"{user}\"");
                refusal(error.state(), message)
            } else {
                error.into()
            }
        })?;
        write::authentication_sasl_final(out, &reply)?;
        Ok(authenticated)
    }
}

/// Nobody knows who they would be.
fn unmatched(asking: &Asking<'_>) -> Stop {
    let message = format!("no [[login]] rule for {}", described(asking));
    refusal(SqlState::INVALID_AUTHORIZATION, message)
}

fn rejected(asking: &Asking<'_>) -> Stop {
    let message = format!("a [[login]] rule rejects {}", described(asking));
    refusal(SqlState::INVALID_AUTHORIZATION, message)
}

/// What rules go by, in the words of PostgreSQL's message for the same case.
fn described(asking: &Asking<'_>) -> String {
    let Asking { database, user, origin, encryption } = asking;
    let encryption = match encryption {
        Encryption::None => "no encryption",
        Encryption::Tls => "TLS",
    };
    format!("host \"{origin}\", user \"{user}\", database \"{database}\", {encryption}")
}
