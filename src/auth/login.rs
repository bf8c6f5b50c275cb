//! A client's way in: TLS, startup packet, authentication.
//!
//! [`accept`] speaks with the client until it has authenticated or is turned away with a FATAL;
//! everything after AuthenticationOk is the session's. It takes no byte that is not its own: what
//! the client sent ahead is handed over. Where the database keeps the proof, it stops at
//! [`Pending`], and the caller opens the way there.

mod exchange;
mod identity;
mod newcomer;
mod passthrough;

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use super::Authenticated;
use super::rules::{Origin, Rules};
use super::scram::ScramError;
use super::throttle::Throttle;
use crate::config::AuthMethod;
use crate::model::{Report, SqlState};
use crate::net::{FrameError, Socket, Stream};
use crate::telemetry::labels::LoginDelay;
use crate::upstream::connect::passthrough::Proven;
use crate::wire::WireError;
use crate::wire::startup::{Startup, StartupPacket};
use exchange::Outcome;
use newcomer::Newcomer;
pub use passthrough::Pending;

/// How long a client may take to take in why it is refused.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a new connection turned out to be.
#[derive(Debug)]
pub enum Arrival {
    Client(Box<Accepted>),
    /// Whether it may come in is for its database to say.
    Pending(Box<Pending>),
    /// "Stop what the session with this key is doing": never answered, the connection is closed.
    Cancel {
        pid: i32,
        secret: Vec<u8>,
        /// To be closed when it is done, as that is what clients wait for.
        stream: Stream,
    },
}

/// A client that has authenticated and was sent AuthenticationOk.
#[derive(Debug)]
pub struct Accepted {
    pub stream: Stream,
    /// What the client sent after its last message of the login.
    pub leftover: Vec<u8>,
    pub authenticated: Authenticated,
    pub request: Request,
    /// The connection to the database on which it was proven, which becomes the session's.
    pub upstream: Option<Proven>,
}

/// What a client asked for in its startup packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub user: String,
    /// As the client named it, or else its user's name.
    pub database: String,
    /// Minor version of protocol 3 that is spoken: 0 or 2.
    pub minor: u16,
    /// The other parameters in order, without `user`, `database`, `replication` and options of the
    /// protocol.
    pub parameters: Vec<(String, String)>,
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The client went away: between two messages, as psql does to ask for a password and TCP
    /// health checks do, or within one.
    #[error(transparent)]
    Gone(FrameError),
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    #[error("TLS handshake failed: {0}")]
    Tls(io::Error),
    /// The certificate that the client showed is not one to go by: unknown, expired, revoked.
    #[error("certificate of a client: {0}")]
    Certificate(io::Error),
    #[error("the login took too long")]
    Timeout,
    /// The client was told.
    #[error("refused with {}", report.state)]
    Refused { attempt: Box<Attempt>, report: Report },
}

/// What is known of somebody who was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// As claimed; empty if no user was named.
    pub user: String,
    pub database: String,
    /// The method that was asked for, in the word of the records; `none` if it did not come to
    /// that.
    pub method: &'static str,
    /// Whether the answer was held back.
    pub delay: Option<LoginDelay>,
}

/// Receives a client that comes from `origin`, within the limit of the rules. Not cancel safe: a
/// caller that gives up drops the connection with the future.
///
/// # Errors
/// Whoever is refused has been told so, later if many failures came before.
pub async fn accept(
    socket: impl Into<Socket>,
    origin: Origin,
    rules: &Rules,
) -> Result<Arrival, LoginError> {
    match timeout(rules.limit, receive(socket.into(), origin, rules)).await {
        Ok(Ok(arrival)) => Ok(arrival),
        Ok(Err(failed)) => Err(failed.tell(&rules.throttle).await),
        Err(_) => Err(LoginError::Timeout),
    }
}

async fn receive(socket: Socket, origin: Origin, rules: &Rules) -> Result<Arrival, Failed> {
    let (mut newcomer, packet) = Newcomer::negotiate(socket, origin, &rules.tls).await?;
    let startup = match StartupPacket::read(&packet) {
        Ok(StartupPacket::Startup(startup)) => startup,
        Ok(StartupPacket::CancelRequest(cancel)) => {
            let (pid, secret) = (cancel.pid, cancel.secret.to_vec());
            return Ok(Arrival::Cancel { pid, secret, stream: newcomer.stream });
        }
        Ok(StartupPacket::SslRequest | StartupPacket::GssEncRequest) => {
            let stop = newcomer::negotiated_already();
            return Err(newcomer.refuse(Attempt::default(), stop));
        }
        Err(error) => return Err(newcomer.refuse(Attempt::default(), error.into())),
    };
    let mut attempt = Attempt::read(&startup);
    match newcomer.log_in(&startup, rules, &mut attempt).await {
        Ok(Outcome::In(request, authenticated)) => {
            rules.throttle.succeeded(origin, authenticated.user());
            let accepted = newcomer.accepted(request, authenticated, None);
            Ok(Arrival::Client(Box::new(accepted)))
        }
        Ok(Outcome::Passthrough(request, out)) => {
            let pending = Pending { newcomer, attempt, request, out };
            Ok(Arrival::Pending(Box::new(pending)))
        }
        Err(stop) => Err(newcomer.refuse(attempt, stop)),
    }
}

/// What ended a login, before whoever is refused has heard of it.
pub enum Failed {
    Error(LoginError),
    Refused(Box<Refused>),
}

/// Somebody who is still to be told why they are not let in.
pub struct Refused {
    newcomer: Newcomer,
    attempt: Attempt,
    report: Report,
}

impl Failed {
    /// Tells whoever is refused, later if many failures came before.
    pub async fn tell(self, throttle: &Throttle) -> LoginError {
        match self {
            Self::Error(error) => error,
            Self::Refused(refused) => refused.tell(throttle).await,
        }
    }
}

impl Refused {
    /// Tells the client, after a while if it looks like guessing, and closes the connection.
    async fn tell(self, throttle: &Throttle) -> LoginError {
        let Self { newcomer, mut attempt, report } = self;
        attempt.hold_back(throttle, newcomer.origin, report.state).await;
        if timeout(FAREWELL, newcomer.turn_away(&report)).await.is_err() {
            tracing::debug!("a refused client does not read");
        }
        LoginError::Refused { attempt: Box::new(attempt), report }
    }
}

/// Why a login does not go on.
enum Stop {
    Error(LoginError),
    /// To be told to the client.
    Report(Report),
}

impl From<LoginError> for Failed {
    fn from(error: LoginError) -> Self {
        Self::Error(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Error(LoginError::Io(error))
    }
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Self {
        let state = if error == WireError::Version {
            SqlState::FEATURE_NOT_SUPPORTED
        } else {
            SqlState::PROTOCOL_VIOLATION
        };
        refusal(state, error.to_string())
    }
}

impl From<FrameError> for Stop {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Wire(error) => error.into(),
            FrameError::Closed | FrameError::Io(_) => Self::Error(LoginError::Gone(error)),
        }
    }
}

impl From<ScramError> for Stop {
    fn from(error: ScramError) -> Self {
        refusal(error.state(), error.to_string())
    }
}

fn refusal(state: SqlState, message: impl Into<String>) -> Stop {
    Stop::Report(Report::fatal(state, message))
}

impl Request {
    fn read(startup: &Startup<'_>) -> Result<Self, Stop> {
        let user = startup.parameter("user").filter(|user| !user.is_empty()).ok_or_else(|| {
            let message = "no user name specified in startup packet";
            refusal(SqlState::INVALID_AUTHORIZATION, message)
        })?;
        let database = startup.parameter("database").filter(|name| !name.is_empty());
        if !startup.parameter("replication").is_none_or(is_false) {
            let message = "replication connections are not supported";
            return Err(refusal(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let parameters = startup
            .parameters()
            .filter(|(name, _)| !matches!(*name, "user" | "database" | "replication"))
            .filter(|(name, _)| !name.starts_with("_pq_."))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Self {
            user: user.to_owned(),
            database: database.unwrap_or(user).to_owned(),
            minor: startup.minor_spoken(),
            parameters,
        })
    }
}

impl Default for Attempt {
    fn default() -> Self {
        Self { user: String::new(), database: String::new(), method: "none", delay: None }
    }
}

impl Attempt {
    /// Whether a proof was asked for, and the one that came was wrong.
    pub(super) fn failed_to_prove(&self, state: SqlState) -> bool {
        let asked = self.method != "none" && self.method != AuthMethod::Reject.as_str();
        asked && (state == SqlState::INVALID_PASSWORD || state == SqlState::INVALID_AUTHORIZATION)
    }

    fn read(startup: &Startup<'_>) -> Self {
        let named = |name| startup.parameter(name).unwrap_or_default().to_owned();
        Self { user: named("user"), database: named("database"), ..Self::default() }
    }
}

/// The ways to write "false" that PostgreSQL knows.
fn is_false(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    match value.as_str() {
        "" | "o" => false,
        "0" => true,
        word => ["false", "no", "off"].iter().any(|full| full.starts_with(word)),
    }
}

#[cfg(test)]
mod tests;
