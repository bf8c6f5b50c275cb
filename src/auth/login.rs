//! A client's way in: TLS, startup packet, authentication.
//!
//! [`accept`] speaks with the client until it has authenticated or is turned away with a FATAL;
//! everything after AuthenticationOk is the session's. It takes no byte that is not its own: what
//! the client sent ahead is handed over.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::scram::{self, ScramError};
use super::{Authenticated, Credentials};
use crate::model::{Report, SqlState};
use crate::net::{FrameError, Frames, Stream};
use crate::wire::startup::{Startup, StartupPacket};
use crate::wire::{WireError, frontend, write};

/// The longest message of somebody who is not known yet, as PostgreSQL's
/// `PG_MAX_AUTH_TOKEN_LENGTH`.
const AUTH_FRAME_LEN_MAX: usize = 65_535;

/// Whether clients may, must or cannot use TLS.
#[derive(Clone, Debug)]
pub enum Tls {
    Off,
    Prefer(Arc<ServerConfig>),
    Require(Arc<ServerConfig>),
}

/// How clients prove who they are.
#[derive(Clone, Debug)]
pub enum Method {
    Scram(Arc<Credentials>),
    /// Whoever connects is believed. The configuration allows it on loopback addresses only.
    Trust,
    /// A method that exists in the configuration and not in the code yet, by its name.
    Unsupported(&'static str),
}

/// The rules of one port.
#[derive(Clone, Debug)]
pub struct Rules {
    pub tls: Tls,
    pub method: Method,
}

/// What a new connection turned out to be.
#[derive(Debug)]
pub enum Arrival {
    Client(Box<Accepted>),
    /// "Stop what the session with this key is doing": never answered, the connection is closed.
    Cancel {
        pid: i32,
        secret: Vec<u8>,
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
    /// The client was told.
    #[error("refused with {}", report.state)]
    Refused { user: Option<String>, report: Report },
}

/// Receives a client. Not cancel safe: a caller that gives up (login timeout) drops the connection
/// with the future.
///
/// # Errors
/// Whoever is refused has been told so.
pub async fn accept(tcp: TcpStream, rules: &Rules) -> Result<Arrival, LoginError> {
    let (mut newcomer, packet) = Newcomer::negotiate(tcp, &rules.tls).await?;
    let startup = match StartupPacket::read(&packet) {
        Ok(StartupPacket::Startup(startup)) => startup,
        Ok(StartupPacket::CancelRequest(cancel)) => {
            return Ok(Arrival::Cancel { pid: cancel.pid, secret: cancel.secret.to_vec() });
        }
        Ok(StartupPacket::SslRequest | StartupPacket::GssEncRequest) => {
            return Err(newcomer.turn_away(None, negotiated_already()).await);
        }
        Err(error) => return Err(newcomer.turn_away(None, error.into()).await),
    };
    match newcomer.log_in(&startup, rules).await {
        Ok((request, authenticated)) => {
            let Newcomer { stream, frames } = newcomer;
            let leftover = frames.into_leftover();
            let accepted = Accepted { stream, leftover, authenticated, request };
            Ok(Arrival::Client(Box::new(accepted)))
        }
        Err(stop) => {
            let user = startup.parameter("user").map(str::to_owned);
            Err(newcomer.turn_away(user, stop).await)
        }
    }
}

/// Why a login does not go on.
enum Stop {
    Error(LoginError),
    /// To be told to the client.
    Report(Report),
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

fn negotiated_already() -> Stop {
    refusal(SqlState::PROTOCOL_VIOLATION, "encryption was negotiated already")
}

/// What the plain part of a connection leads to.
enum Opening {
    /// A packet that is not about encryption.
    Packet(Vec<u8>),
    StartTls(Arc<ServerConfig>),
}

/// Answers requests for encryption, each of which may be made once, until the client says what it
/// wants or TLS begins.
async fn negotiate_plain(
    tcp: &mut TcpStream,
    frames: &mut Frames,
    tls: &Tls,
) -> Result<Opening, Stop> {
    let mut asked = Vec::with_capacity(2);
    loop {
        let packet = frames.next_startup(tcp).await?;
        let request = StartupPacket::read(&packet)?;
        let reply = match (request, tls) {
            (StartupPacket::Startup(_) | StartupPacket::CancelRequest(_), _) => {
                return Ok(Opening::Packet(packet));
            }
            (StartupPacket::SslRequest, Tls::Prefer(config) | Tls::Require(config)) => {
                (b"S", Some(config))
            }
            (StartupPacket::SslRequest, Tls::Off) | (StartupPacket::GssEncRequest, _) => {
                (b"N", None)
            }
        };
        if asked.contains(&packet) {
            return Err(negotiated_already());
        }
        // Somebody in between may have added bytes that would later pass for the client's own, as
        // in CVE-2021-23214.
        if !frames.is_empty() {
            let message = "received unencrypted data after encryption request";
            return Err(refusal(SqlState::PROTOCOL_VIOLATION, message));
        }
        let (answer, config) = reply;
        tcp.write_all(answer).await?;
        if let Some(config) = config {
            return Ok(Opening::StartTls(Arc::clone(config)));
        }
        asked.push(packet);
    }
}

/// A connection of somebody who is not known yet.
struct Newcomer {
    stream: Stream,
    frames: Frames,
}

impl Newcomer {
    /// Settles on encryption; gives the first packet that is not about it.
    async fn negotiate(mut tcp: TcpStream, tls: &Tls) -> Result<(Self, Vec<u8>), LoginError> {
        let mut frames = Frames::default();
        let opening = negotiate_plain(&mut tcp, &mut frames, tls).await;
        match opening {
            Ok(Opening::Packet(packet)) => {
                Ok((Self { stream: Stream::Plain(tcp), frames }, packet))
            }
            Ok(Opening::StartTls(config)) => {
                let tls = TlsAcceptor::from(config).accept(tcp).await.map_err(LoginError::Tls)?;
                let mut newcomer = Self { stream: Stream::ServerTls(Box::new(tls)), frames };
                match newcomer.frames.next_startup(&mut newcomer.stream).await {
                    Ok(packet) => Ok((newcomer, packet)),
                    Err(error) => Err(newcomer.turn_away(None, error.into()).await),
                }
            }
            Err(stop) => {
                let newcomer = Self { stream: Stream::Plain(tcp), frames };
                Err(newcomer.turn_away(None, stop).await)
            }
        }
    }

    async fn log_in(
        &mut self,
        startup: &Startup<'_>,
        rules: &Rules,
    ) -> Result<(Request, Authenticated), Stop> {
        if matches!(rules.tls, Tls::Require(_)) && !self.stream.is_encrypted() {
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
        let authenticated = match &rules.method {
            Method::Scram(credentials) => self.scram(&request.user, credentials, &mut out).await?,
            Method::Trust => Authenticated { user: request.user.as_str().into() },
            Method::Unsupported(name) => {
                let message = format!("authentication method \"{name}\" is not supported yet");
                return Err(refusal(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
        };
        write::authentication_ok(&mut out);
        self.send(&mut out).await?;
        Ok((request, authenticated))
    }

    /// Leaves the server's last message in `out`, as nothing is gained by sending it alone.
    async fn scram(
        &mut self,
        user: &str,
        credentials: &Credentials,
        out: &mut Vec<u8>,
    ) -> Result<Authenticated, Stop> {
        let server = credentials.scram(user, rand::random());
        write::authentication_sasl(out, [scram::MECHANISM])?;
        self.send(out).await?;

        let response = self.response().await?;
        let (mechanism, first) = frontend::sasl_initial_response(&response)?;
        if mechanism != scram::MECHANISM {
            let message = "client selected an invalid SASL authentication mechanism";
            return Err(refusal(SqlState::PROTOCOL_VIOLATION, message));
        }
        let (reply, server) = server.first(first.ok_or(ScramError::Malformed)?)?;
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

    /// The payload of the client's next answer.
    async fn response(&mut self) -> Result<Vec<u8>, Stop> {
        let frame = self.frames.next(&mut self.stream, AUTH_FRAME_LEN_MAX).await?;
        if frame.tag != frontend::tag::PASSWORD {
            let message = "expected an authentication response";
            return Err(refusal(SqlState::PROTOCOL_VIOLATION, message));
        }
        Ok(frame.payload)
    }

    async fn send(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.stream.write_all(out).await?;
        out.clear();
        self.stream.flush().await
    }

    /// Tells the client why, if it is still there to be told, and closes the connection.
    async fn turn_away(mut self, user: Option<String>, stop: Stop) -> LoginError {
        let report = match stop {
            Stop::Error(error) => return error,
            Stop::Report(report) => report,
        };
        let mut out = Vec::new();
        write::error(&mut out, &report);
        if self.send(&mut out).await.is_ok() && self.stream.shutdown().await.is_ok() {
            tracing::debug!(state = %report.state, "login refused");
        }
        LoginError::Refused { user, report }
    }
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
