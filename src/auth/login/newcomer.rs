//! A connection of somebody who is not known yet: encryption is settled first, then messages go to
//! and fro.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use super::{Accepted, Attempt, Failed, LoginError, Refused, Request, Stop, refusal};
use crate::auth::Authenticated;
use crate::auth::rules::{Encryption, Origin, Tls};
use crate::model::{Report, SqlState};
use crate::net::{Frames, Socket, Stream, tls};
use crate::upstream::connect::passthrough::Proven;
use crate::wire::startup::StartupPacket;
use crate::wire::{frontend, write};

/// The longest message of somebody who is not known yet, as PostgreSQL's
/// `PG_MAX_AUTH_TOKEN_LENGTH`.
const AUTH_FRAME_LEN_MAX: usize = 65_535;

/// What a TLS handshake begins with, and no packet of PostgreSQL's that could be taken.
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection of somebody who is not known yet.
pub(super) struct Newcomer {
    pub(super) stream: Stream,
    pub(super) frames: Frames,
    pub(super) origin: Origin,
}

impl Newcomer {
    /// Settles on encryption; gives the first packet that is not about it.
    pub(super) async fn negotiate(
        mut socket: Socket,
        origin: Origin,
        tls: &Tls,
    ) -> Result<(Self, Vec<u8>), Failed> {
        let mut frames = Frames::default();
        let opening = match socket.first_byte().await.map_err(LoginError::Io)? {
            Some(TLS_HANDSHAKE) => direct(tls),
            Some(_) | None => negotiate_plain(&mut socket, &mut frames, tls).await,
        };
        match opening {
            Ok(Opening::Packet(packet)) => {
                Ok((Self { stream: Stream::Plain(socket), frames, origin }, packet))
            }
            Ok(Opening::StartTls(config, start)) => {
                let stream = TlsAcceptor::from(config).accept(socket).await;
                let stream = Stream::ServerTls(Box::new(stream.map_err(handshake_error)?));
                let mut newcomer = Self { stream, frames, origin };
                if start == Start::Direct
                    && newcomer.stream.application_protocol() != Some(tls::ALPN)
                {
                    let message = "received direct TLS connection request without ALPN";
                    let stop = refusal(SqlState::PROTOCOL_VIOLATION, message);
                    return Err(newcomer.refuse(Attempt::default(), stop));
                }
                match newcomer.frames.next_startup(&mut newcomer.stream).await {
                    Ok(packet) => Ok((newcomer, packet)),
                    Err(error) => Err(newcomer.refuse(Attempt::default(), error.into())),
                }
            }
            Err(stop) => {
                let newcomer = Self { stream: Stream::Plain(socket), frames, origin };
                Err(newcomer.refuse(Attempt::default(), stop))
            }
        }
    }

    pub(super) fn encryption(&self) -> Encryption {
        if self.stream.is_encrypted() { Encryption::Tls } else { Encryption::None }
    }

    /// The payload of the client's next answer.
    pub(super) async fn response(&mut self) -> Result<Vec<u8>, Stop> {
        self.response_within(AUTH_FRAME_LEN_MAX).await
    }

    /// The payload of the client's next answer, if that has no more than `len_max` bytes.
    pub(super) async fn response_within(&mut self, len_max: usize) -> Result<Vec<u8>, Stop> {
        let frame = self.frames.next(&mut self.stream, len_max).await?;
        if frame.tag != frontend::tag::PASSWORD {
            let message = "expected an authentication response";
            return Err(refusal(SqlState::PROTOCOL_VIOLATION, message));
        }
        Ok(frame.payload)
    }

    /// Does `work` as long as the client is there; when it leaves, the work is dropped.
    pub(super) async fn while_there<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<T, LoginError> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            error = self.frames.until_gone(&mut self.stream, AUTH_FRAME_LEN_MAX) => {
                Err(LoginError::Gone(error))
            }
        }
    }

    pub(super) async fn send(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.stream.write_all(out).await?;
        out.clear();
        self.stream.flush().await
    }

    /// The connection as the session gets it.
    pub(super) fn accepted(
        self,
        request: Request,
        authenticated: Authenticated,
        upstream: Option<Proven>,
    ) -> Accepted {
        let Self { stream, frames, origin: _ } = self;
        let leftover = frames.into_leftover();
        Accepted { stream, leftover, authenticated, request, upstream }
    }

    /// Keeps the connection for the answer, if there is to be one.
    pub(super) fn refuse(self, attempt: Attempt, stop: Stop) -> Failed {
        match stop {
            Stop::Error(error) => Failed::Error(error),
            Stop::Report(report) => {
                Failed::Refused(Box::new(Refused { newcomer: self, attempt, report }))
            }
        }
    }

    /// Tells the client why, if it is still there to be told, and closes the connection.
    pub(super) async fn turn_away(mut self, report: &Report) {
        let mut out = Vec::new();
        write::error(&mut out, report);
        if self.send(&mut out).await.is_ok() && self.stream.shutdown().await.is_ok() {
            tracing::debug!(state = %report.state, "login refused");
        }
    }
}

/// Certificates of clients are looked at in the handshake: what is wrong with them is told apart
/// from what goes wrong with TLS.
fn handshake_error(error: io::Error) -> LoginError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(
            rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidCertRevocationList(_),
        ) => LoginError::Certificate(error),
        Some(_) | None => LoginError::Tls(error),
    }
}

pub(super) fn negotiated_already() -> Stop {
    refusal(SqlState::PROTOCOL_VIOLATION, "encryption was negotiated already")
}

/// What the plain part of a connection leads to.
enum Opening {
    /// A packet that is not about encryption.
    Packet(Vec<u8>),
    StartTls(Arc<ServerConfig>, Start),
}

/// How TLS begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Requested,
    /// Without a word before it. Only ALPN tells then that the client means to speak to us.
    Direct,
}

/// The opening of a client that begins with TLS.
fn direct(tls: &Tls) -> Result<Opening, Stop> {
    match tls {
        Tls::Prefer(config) | Tls::Require(config) => {
            Ok(Opening::StartTls(Arc::clone(config), Start::Direct))
        }
        Tls::Off => Err(refusal(SqlState::FEATURE_NOT_SUPPORTED, "TLS is not configured")),
    }
}

/// Answers requests for encryption, each of which may be made once, until the client says what it
/// wants or TLS begins.
async fn negotiate_plain(
    socket: &mut Socket,
    frames: &mut Frames,
    tls: &Tls,
) -> Result<Opening, Stop> {
    let mut asked = Vec::with_capacity(2);
    // As PostgreSQL: what never leaves the machine is not encrypted.
    let tls = if socket.is_local() { &Tls::Off } else { tls };
    loop {
        let packet = frames.next_startup(socket).await?;
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
        socket.write_all(answer).await?;
        if let Some(config) = config {
            return Ok(Opening::StartTls(Arc::clone(config), Start::Requested));
        }
        asked.push(packet);
    }
}
