//! The packet that opens a connection: no tag, a length word and a request code.

use super::WireError;
use super::backend::SECRET_LEN_MAX;
use super::cursor::Cursor;
use super::write::{finish, start, string};

/// The longest packet taken before anybody is known, as in PostgreSQL.
pub const PACKET_LEN_MAX: usize = 10_000;

/// The newest minor version of protocol 3 that the proxy speaks.
pub const MINOR_MAX: u16 = 2;

const CANCEL_REQUEST: u32 = (1234 << 16) | 5678;
const SSL_REQUEST: u32 = (1234 << 16) | 5679;
const GSSENC_REQUEST: u32 = (1234 << 16) | 5680;
const MAJOR: u32 = 3;

/// What a peer wants of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartupPacket<'a> {
    SslRequest,
    GssEncRequest,
    CancelRequest(CancelRequest<'a>),
    Startup(Startup<'a>),
}

/// "Stop what the session with this key is doing."
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CancelRequest<'a> {
    pub pid: i32,
    pub secret: &'a [u8],
}

// By hand, as whoever reads the secret can cancel the session.
impl std::fmt::Debug for CancelRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CancelRequest").field("pid", &self.pid).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Startup<'a> {
    /// Of protocol 3, as asked for: see [`Startup::minor_spoken`].
    pub minor: u16,
    parameters: &'a [u8],
}

/// The length in bytes of the packet at the start of `bytes`; None if fewer than four have arrived.
///
/// # Errors
/// `Length` if it cannot hold a request code or is longer than [`PACKET_LEN_MAX`].
pub fn packet_len(bytes: &[u8]) -> Result<Option<usize>, WireError> {
    let Some(len) = bytes.first_chunk::<4>() else {
        return Ok(None);
    };
    let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| WireError::Length)?;
    if (8..=PACKET_LEN_MAX).contains(&len) { Ok(Some(len)) } else { Err(WireError::Length) }
}

impl<'a> StartupPacket<'a> {
    /// Reads one whole packet, length word included.
    ///
    /// # Errors
    /// `Version` for any protocol but 3; else whatever keeps `packet` from being well-formed.
    pub fn read(packet: &'a [u8]) -> Result<Self, WireError> {
        match packet_len(packet)? {
            Some(len) if len == packet.len() => {}
            Some(len) if len < packet.len() => return Err(WireError::Leftover),
            Some(_) | None => return Err(WireError::Truncated),
        }
        let mut cursor = Cursor::new(packet);
        cursor.u32()?;
        let read = match cursor.u32()? {
            SSL_REQUEST => Self::SslRequest,
            GSSENC_REQUEST => Self::GssEncRequest,
            CANCEL_REQUEST => return CancelRequest::read(cursor).map(Self::CancelRequest),
            version => return Startup::read(version, cursor).map(Self::Startup),
        };
        cursor.finish()?;
        Ok(read)
    }
}

impl<'a> CancelRequest<'a> {
    fn read(mut cursor: Cursor<'a>) -> Result<Self, WireError> {
        let pid = cursor.i32()?;
        match cursor.rest() {
            [] => Err(WireError::Truncated),
            secret if secret.len() > SECRET_LEN_MAX => Err(WireError::Leftover),
            secret => Ok(Self { pid, secret }),
        }
    }
}

impl<'a> Startup<'a> {
    fn read(version: u32, mut cursor: Cursor<'a>) -> Result<Self, WireError> {
        if version >> 16 != MAJOR {
            return Err(WireError::Version);
        }
        let parameters = cursor.rest();
        while !cursor.text()?.is_empty() {
            cursor.text()?;
        }
        cursor.finish()?;
        let minor = u16::try_from(version & 0xffff).map_err(|_| WireError::Version)?;
        Ok(Self { minor, parameters })
    }

    /// Name and value of each parameter, in order, options of the protocol (`_pq_.`) included.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone + use<'a> {
        let mut cursor = Cursor::new(self.parameters);
        std::iter::from_fn(move || {
            let name = cursor.text().ok().filter(|name| !name.is_empty())?;
            Some((name, cursor.text().ok()?))
        })
    }

    /// The value of a parameter; the last counts, as in PostgreSQL.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters().filter(|(found, _)| *found == name).last().map(|(_, value)| value)
    }

    /// The minor version that the conversation uses: the newest of 0 and 2 (1 was never released)
    /// that the client knows.
    pub fn minor_spoken(&self) -> u16 {
        if self.minor >= MINOR_MAX { MINOR_MAX } else { 0 }
    }

    /// Options of the protocol. The proxy knows none, so all of them go into the
    /// NegotiateProtocolVersion.
    pub fn protocol_options(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.parameters().map(|(name, _)| name).filter(|name| name.starts_with("_pq_."))
    }

    /// Whether a NegotiateProtocolVersion has to be sent.
    pub fn needs_negotiation(&self) -> bool {
        self.minor != self.minor_spoken() || self.protocol_options().next().is_some()
    }
}

pub fn ssl_request(out: &mut Vec<u8>) {
    out.extend([8, SSL_REQUEST].map(u32::to_be_bytes).as_flattened());
}

pub fn gssenc_request(out: &mut Vec<u8>) {
    out.extend([8, GSSENC_REQUEST].map(u32::to_be_bytes).as_flattened());
}

/// # Errors
/// `Length` if the secret is empty or longer than [`SECRET_LEN_MAX`].
pub fn cancel_request(out: &mut Vec<u8>, pid: i32, secret: &[u8]) -> Result<(), WireError> {
    if secret.is_empty() || secret.len() > SECRET_LEN_MAX {
        return Err(WireError::Length);
    }
    let packet = start(out);
    out.extend(CANCEL_REQUEST.to_be_bytes());
    out.extend(pid.to_be_bytes());
    out.extend(secret);
    finish(out, packet, Ok(()))
}

/// # Errors
/// `ZeroInString`, or `Value` for an empty name, which would end the list.
pub fn startup<'p>(
    out: &mut Vec<u8>,
    minor: u16,
    parameters: impl IntoIterator<Item = (&'p str, &'p str)>,
) -> Result<(), WireError> {
    let packet = start(out);
    out.extend(((MAJOR << 16) | u32::from(minor)).to_be_bytes());
    let written = parameters.into_iter().try_for_each(|(name, value)| {
        if name.is_empty() {
            return Err(WireError::Value);
        }
        string(out, name.as_bytes())?;
        string(out, value.as_bytes())
    });
    out.push(0);
    finish(out, packet, written)
}
