//! Logins whose proof the database keeps: its own SCRAM exchange is passed on, message by message,
//! each after it was read. Nothing is forwarded that is no part of it, in its turn.
//!
//! The proxy ends TLS, so a login that is bound to the channel cannot be passed on, and the client
//! is not offered one. What it says about that is covered by its proof: the database refuses a
//! client that could have bound the channel and was not offered to (`y`), if it did offer.

use std::fmt;

use tokio::time::{Instant, timeout_at};

use super::newcomer::Newcomer;
use super::{Accepted, Attempt, Failed, LoginError, Request, Stop};
use crate::auth::Authenticated;
use crate::auth::scram::{self, ScramError};
use crate::auth::throttle::Throttle;
use crate::config::AuthMethod;
use crate::model::{Report, SqlState};
use crate::upstream::connect::ConnectError;
use crate::upstream::connect::passthrough::{Offered, Proven};
use crate::wire::{frontend, write};

/// The longest message of the exchange that a client may send; PostgreSQL takes 1024 bytes.
const SASL_FRAME_LEN_MAX: usize = 2 * 1024;

/// A client that named its user and database, and has proven nothing.
pub struct Pending {
    pub(super) newcomer: Newcomer,
    pub(super) attempt: Attempt,
    pub(super) request: Request,
    /// Still to be sent.
    pub(super) out: Vec<u8>,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("request", &self.request).finish_non_exhaustive()
    }
}

impl From<ConnectError> for Stop {
    fn from(error: ConnectError) -> Self {
        let told = matches!(error, ConnectError::Server(_));
        if !told {
            tracing::warn!(%error, "a login could not be passed through");
        }
        Self::Report(error.report())
    }
}

impl Pending {
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Does `work` for the client, until `deadline` and as long as it is there.
    ///
    /// # Errors
    /// `Gone` or `Timeout`; the work is dropped then.
    pub async fn attend<T>(
        &mut self,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Result<T, LoginError> {
        let attended = timeout_at(deadline, self.newcomer.while_there(work)).await;
        attended.unwrap_or(Err(LoginError::Timeout))
    }

    /// Has the client prove who it is to the server of `offered`, until `deadline`. It has heard
    /// the server's signature and AuthenticationOk when this succeeds.
    ///
    /// # Errors
    /// [`Failed`], and the connection to the database is closed.
    pub async fn prove(
        mut self,
        offered: Offered,
        deadline: Instant,
        throttle: &Throttle,
    ) -> Result<Accepted, Failed> {
        match timeout_at(deadline, self.relay(offered)).await {
            Ok(Ok(proven)) => {
                let Self { newcomer, attempt: _, request, out: _ } = self;
                throttle.succeeded(newcomer.origin, &request.user);
                let proof = Authenticated::new(&request.user, Vec::new(), AuthMethod::Passthrough);
                Ok(newcomer.accepted(request, proof, Some(proven)))
            }
            Ok(Err(stop)) => Err(self.newcomer.refuse(self.attempt, stop)),
            Err(_) => Err(LoginError::Timeout.into()),
        }
    }

    /// The client is not let in.
    pub fn refuse(self, report: Report) -> Failed {
        self.newcomer.refuse(self.attempt, Stop::Report(report))
    }

    async fn relay(&mut self, offered: Offered) -> Result<Proven, Stop> {
        let Self { newcomer, out, .. } = self;
        write::authentication_sasl(out, [scram::MECHANISM])?;
        newcomer.send(out).await?;

        let response = newcomer.response_within(SASL_FRAME_LEN_MAX).await?;
        let (mechanism, first) = frontend::sasl_initial_response(&response)?;
        let first = first.ok_or(ScramError::Malformed)?;
        scram::look_through(mechanism, first, offered.channel()).map_err(no_passage)?;
        let answered = newcomer.while_there(offered.first(first)).await;
        let (challenge, challenged) = answered.map_err(Stop::Error)??;
        write::authentication_sasl_continue(out, &challenge)?;
        newcomer.send(out).await?;

        let response = newcomer.response_within(SASL_FRAME_LEN_MAX).await?;
        let answered = newcomer.while_there(challenged.proof(&response)).await;
        let (signature, proven) = answered.map_err(Stop::Error)??;
        write::authentication_sasl_final(out, &signature)?;
        write::authentication_ok(out);
        newcomer.send(out).await?;
        Ok(proven)
    }
}

/// Why the client's first message goes nowhere.
fn no_passage(error: ScramError) -> Stop {
    match error {
        ScramError::Downgrade => {
            let report = Report::fatal(
                SqlState::FEATURE_NOT_SUPPORTED,
                "this login cannot be passed through to a database that offers channel binding",
            )
            .detail(
                "The client says that it would bind its login to the TLS channel if that were \
                 offered. The proxy ends that channel, so it does not offer it; the database \
                 does, and would take the client for deceived.",
            )
            .hint(
                "Connect with channel_binding=disable; or have the proxy reach the database over \
                 a Unix socket or without TLS.",
            );
            Stop::Report(report)
        }
        ScramError::ChannelBinding | ScramError::ChannelBindingType => {
            let report = Report::fatal(error.state(), error.to_string())
                .hint("Channel binding was not offered: connect with channel_binding=disable.");
            Stop::Report(report)
        }
        ScramError::Malformed
        | ScramError::Mechanism
        | ScramError::ChannelBindingCheck
        | ScramError::AuthorizationIdentity
        | ScramError::Extension
        | ScramError::Nonce
        | ScramError::NonceCheck
        | ScramError::Proof => error.into(),
    }
}
