//! One operator's connection, from the first byte to the last.
//!
//! Messages are cut and checked by `wire`; pgwire sees only what passed there, one whole message
//! at a time, and writes the answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::SinkExt;
use pgwire::api::{ClientInfo, DefaultClient, NoopHandler, PgWireConnectionState};
use pgwire::error::{ErrorInfo, PgWireError};
use pgwire::messages::response::{ReadyForQuery, TransactionStatus};
use pgwire::messages::startup::{BackendKeyData, ParameterStatus, SecretKey};
use pgwire::messages::{
    DecodeContext, PgWireBackendMessage, PgWireFrontendMessage, ProtocolVersion,
};
use pgwire::tokio::server::{PgWireMessageServerCodec, process_error, process_message};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::codec::Framed;

use super::commands::Commands;
use super::encode::info;
use super::hint::hint;
use crate::auth::Authenticated;
use crate::auth::login::{self, Accepted, Arrival, LoginError};
use crate::auth::rules::{Origin, Rules};
use crate::control::desk::{Deed, Desk, Occurrence, Operator};
use crate::control::grammar::Command;
use crate::model::{Report, SqlState, User};
use crate::net::Stream;
use crate::telemetry::labels::LoginResult;
use crate::wire::frontend::{self, Frontend};
use crate::wire::{FrameHeader, WireError};

/// From accept to ReadyForQuery.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);

/// A query of the console is a few lines, and a hundred commands at most.
const FRAME_LEN_MAX: usize = 256 * 1024;

/// Shown to drivers, which read a number off it to know what they may ask for. Any version that
/// they know will do, as nothing they would ask for exists here.
const SERVER_VERSION: &str = concat!("14.0 (keyhole ", env!("CARGO_PKG_VERSION"), ")");

type Client = Framed<Stream, PgWireMessageServerCodec<Command>>;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
enum End {
    /// Terminate, or just gone.
    #[error("the client left")]
    Left,
    #[error("terminating connection: the proxy stops")]
    Shutdown,
    #[error("the console has no function calls")]
    FunctionCall,
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Serves one connection until it ends.
pub(super) async fn run(
    tcp: TcpStream,
    peer: SocketAddr,
    id: i32,
    desk: Arc<Desk>,
    mut closing: watch::Receiver<bool>,
) {
    let rules = (desk.rules)();
    let rules = Rules { limit: LOGIN_TIMEOUT.min(rules.limit), ..rules };
    let arrival = tokio::select! {
        arrival = login::accept(tcp, Origin::Address(peer.ip()), &rules) => arrival,
        _ = closing.wait_for(|closing| *closing) => return,
    };
    let accepted = match arrival {
        Ok(Arrival::Client(accepted)) => *accepted,
        // Commands are over before anybody could cancel them.
        Ok(Arrival::Cancel { .. }) => return,
        // No rule leaves it to a database here.
        Ok(Arrival::Pending(pending)) => {
            let message = "the control port has no database that could be asked";
            let report = Report::fatal(SqlState::FEATURE_NOT_SUPPORTED, message);
            let error = pending.refuse(report).tell(&rules.throttle).await;
            return turned_away(&desk, peer, &error);
        }
        Err(error) => return turned_away(&desk, peer, &error),
    };
    let Accepted { stream, leftover, authenticated, request, upstream: _ } = accepted;
    let codec = PgWireMessageServerCodec::new(DefaultClient::new(peer, stream.is_encrypted()));
    let mut client = Framed::new(stream, codec);
    let application = parameter(&request, "application_name");
    let operator = match admit(&desk, &authenticated, peer, application) {
        Ok(operator) => operator,
        Err(report) => return farewell(&mut client, report).await,
    };
    let commands = Arc::new(Commands { desk, operator, authenticated });
    let mut conversation =
        Conversation { client, arrived: BytesMut::from(&leftover[..]), commands };
    let end = async {
        conversation.greet(id, request.minor).await?;
        conversation.run(&mut closing).await
    };
    let end = end.await;
    conversation.close(end).await;
}

fn parameter<'r>(request: &'r login::Request, name: &str) -> &'r str {
    let found = request.parameters.iter().rev().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value)
}

/// Somebody who could not prove who they are has been told so.
fn turned_away(desk: &Desk, peer: SocketAddr, error: &LoginError) {
    match error {
        LoginError::Refused { attempt, report } => {
            desk.metrics.logins.of(LoginResult::of_refusal(report.state)).inc();
            if let Some(delay) = attempt.delay {
                desk.metrics.login_delays.of(delay).inc();
            }
            (desk.record)(&Occurrence {
                at: (desk.clock)(),
                user: User::nobody(&attempt.user),
                address: peer.ip(),
                application: "".into(),
                deed: Deed::Login { method: attempt.method },
                refused: Some(report.state),
                about: None,
            });
        }
        LoginError::Timeout => {
            desk.metrics.logins.of(LoginResult::Timeout).inc();
            tracing::info!("a console login took too long");
        }
        LoginError::Certificate(_) => {
            desk.metrics.logins.of(LoginResult::NotAllowed).inc();
            tracing::info!(%error, "a certificate is refused at the console");
        }
        LoginError::Gone(_) | LoginError::Io(_) | LoginError::Tls(_) => {
            tracing::debug!(%error, "a console login was left");
        }
    }
}

/// The operator, if the control port is open to that user.
fn admit(
    desk: &Desk,
    login: &Authenticated,
    peer: SocketAddr,
    application: &str,
) -> Result<Operator, Report> {
    let admitted = desk.operator(login).ok_or_else(|| {
        Report::fatal(SqlState::INVALID_AUTHORIZATION, "this user may not use the control port")
            .detail("The login is right; the role \"control\" is missing.")
            .hint("Data is on the data port. proxy.toml gives the role: roles = [\"control\"].")
    });
    let result = if admitted.is_ok() { LoginResult::Ok } else { LoginResult::NotAllowed };
    desk.metrics.logins.of(result).inc();
    let application: Arc<str> = application.into();
    (desk.record)(&Occurrence {
        at: (desk.clock)(),
        user: admitted.clone().unwrap_or_else(|_| User::nobody(login.user())),
        address: peer.ip(),
        application: Arc::clone(&application),
        deed: Deed::Login { method: login.method() },
        refused: admitted.as_ref().err().map(|report| report.state),
        about: None,
    });
    Ok(Operator { user: admitted?, address: peer.ip(), application })
}

/// The last word on a connection; that it does not arrive is no matter.
async fn farewell(client: &mut Client, report: Report) {
    let _ = client.send(PgWireBackendMessage::ErrorResponse(info(report).into())).await;
    let _ = client.close().await;
}

/// With something to do about it, also where it is the protocol's own.
fn hinted(error: PgWireError) -> PgWireError {
    let mut info = ErrorInfo::from(error);
    if info.hint.is_none() {
        let state = SqlState::parse(info.code.as_bytes()).unwrap_or(SqlState::INTERNAL_ERROR);
        info.hint = Some(hint(state).to_owned());
    }
    PgWireError::UserError(Box::new(info))
}

/// After an error of the extended protocol everything up to the next Sync is skipped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Simple,
    Extended,
}

impl Protocol {
    fn of(message: &PgWireFrontendMessage) -> Self {
        if message.is_extended_query() { Self::Extended } else { Self::Simple }
    }
}

struct Conversation {
    client: Client,
    /// Read and not yet taken.
    arrived: BytesMut,
    commands: Arc<Commands>,
}

impl Conversation {
    /// What follows AuthenticationOk, up to the first ReadyForQuery.
    async fn greet(&mut self, id: i32, minor: u16) -> Result<(), End> {
        let operator = &self.commands.operator;
        for (name, value) in [
            ("server_version", SERVER_VERSION),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO, MDY"),
            ("IntervalStyle", "postgres"),
            ("TimeZone", "UTC"),
            ("integer_datetimes", "on"),
            ("standard_conforming_strings", "on"),
            ("is_superuser", "off"),
            ("session_authorization", &operator.user.name),
            ("application_name", &operator.application),
        ] {
            let status = ParameterStatus::new(name.to_owned(), value.to_owned());
            self.client.feed(PgWireBackendMessage::ParameterStatus(status)).await?;
        }
        let (version, secret) = if minor >= 2 {
            let secret: [u8; 32] = rand::random();
            (ProtocolVersion::PROTOCOL3_2, SecretKey::Bytes(secret.to_vec().into()))
        } else {
            (ProtocolVersion::PROTOCOL3_0, SecretKey::I32(rand::random()))
        };
        self.client.set_protocol_version(version);
        let key = BackendKeyData::new(id, secret);
        self.client.feed(PgWireBackendMessage::BackendKeyData(key)).await?;
        let ready = ReadyForQuery::new(TransactionStatus::Idle);
        self.client.set_state(PgWireConnectionState::ReadyForQuery);
        self.client.send(PgWireBackendMessage::ReadyForQuery(ready)).await?;
        Ok(())
    }

    /// Answers messages until the connection ends. A command that was begun is answered before a
    /// shutdown is looked at.
    async fn run(&mut self, closing: &mut watch::Receiver<bool>) -> Result<(), End> {
        loop {
            let message = tokio::select! {
                message = self.next() => message?,
                _ = closing.wait_for(|closing| *closing) => return Err(End::Shutdown),
            };
            if matches!(message, PgWireFrontendMessage::Terminate(_)) {
                return Ok(());
            }
            let protocol = Protocol::of(&message);
            let nobody = Arc::new(NoopHandler);
            let outcome = process_message(
                message,
                &mut self.client,
                nobody.clone(),
                self.commands.clone(),
                self.commands.clone(),
                nobody.clone(),
                nobody,
            )
            .await;
            if let Err(error) = outcome {
                self.complain(error, protocol).await?;
            }
        }
    }

    /// Says why it ends, where the client has not left on its own.
    async fn close(&mut self, end: Result<(), End>) {
        let state = match &end {
            Err(End::Left) | Ok(()) => return,
            Err(End::Io(error)) => return tracing::debug!(%error, "a console client was lost"),
            Err(End::Shutdown) => SqlState::ADMIN_SHUTDOWN,
            Err(End::FunctionCall) => SqlState::FEATURE_NOT_SUPPORTED,
            Err(End::Wire(_)) => SqlState::PROTOCOL_VIOLATION,
        };
        if let Err(end) = end {
            farewell(&mut self.client, Report::fatal(state, end.to_string())).await;
        }
    }

    async fn complain(&mut self, error: PgWireError, protocol: Protocol) -> Result<(), End> {
        if let PgWireError::IoError(error) = error {
            return Err(End::Io(error));
        }
        let is_fatal = error.is_fatal();
        let error = hinted(error);
        process_error(&mut self.client, error, protocol == Protocol::Extended).await?;
        if is_fatal { Err(End::Left) } else { Ok(()) }
    }

    /// The next message, well-formed and whole. Cancel safe.
    async fn next(&mut self) -> Result<PgWireFrontendMessage, End> {
        let header = loop {
            match FrameHeader::peek(&self.arrived, FRAME_LEN_MAX)? {
                Some(header) if header.len <= self.arrived.len() => break header,
                Some(_) | None => {}
            }
            if self.client.get_mut().read_buf(&mut self.arrived).await? == 0 {
                return Err(End::Left);
            }
        };
        let mut frame = self.arrived.split_to(header.len);
        match frontend::read(header.tag, &frame[5..])? {
            Frontend::FunctionCall => return Err(End::FunctionCall),
            Frontend::Query(_)
            | Frontend::Parse(_)
            | Frontend::Bind(_)
            | Frontend::Describe(_)
            | Frontend::Execute(_)
            | Frontend::Close(_)
            | Frontend::Flush
            | Frontend::Sync
            | Frontend::Terminate
            | Frontend::CopyData(_)
            | Frontend::CopyDone
            | Frontend::CopyFail
            | Frontend::Password(_) => {}
        }
        let mut context = DecodeContext::new(self.client.protocol_version());
        context.awaiting_frontend_ssl = false;
        context.awaiting_frontend_startup = false;
        match PgWireFrontendMessage::decode(&mut frame, &context) {
            Ok(Some(message)) if frame.is_empty() => Ok(message),
            Ok(_) | Err(_) => Err(End::Wire(WireError::Leftover)),
        }
    }
}
