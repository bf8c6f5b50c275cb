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

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(code: u32, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len() + 8).unwrap();
        [&len.to_be_bytes()[..], &code.to_be_bytes(), body].concat()
    }

    #[test]
    fn the_length_is_bounded_before_anything_is_read() {
        for (bytes, expected) in [
            (&[0, 0, 0][..], Ok(None)),
            (&[0, 0, 0, 7], Err(WireError::Length)),
            (&[0, 0, 0, 8], Ok(Some(8))),
            (&[0, 0, 0x27, 0x10], Ok(Some(10_000))),
            (&[0, 0, 0x27, 0x11], Err(WireError::Length)),
            (&[0xff, 0xff, 0xff, 0xff], Err(WireError::Length)),
            // The start of an HTTP request and of a TLS handshake.
            (b"GET / HTTP/1.1", Err(WireError::Length)),
            (&[0x16, 3, 1, 2, 0], Err(WireError::Length)),
        ] {
            assert_eq!(packet_len(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn requests_are_told_apart() {
        let mut out = Vec::new();
        ssl_request(&mut out);
        assert_eq!(out, [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]);
        assert_eq!(StartupPacket::read(&out), Ok(StartupPacket::SslRequest));
        out.clear();
        gssenc_request(&mut out);
        assert_eq!(StartupPacket::read(&out), Ok(StartupPacket::GssEncRequest));
    }

    #[test]
    fn malformed_packets_are_refused_for_what_is_wrong() {
        const V3: u32 = 3 << 16;
        for (bytes, expected) in [
            (packet(SSL_REQUEST, b"x"), WireError::Leftover),
            (packet(CANCEL_REQUEST, b"\0\0\0\x01"), WireError::Truncated),
            (packet(CANCEL_REQUEST, &[7; 261]), WireError::Leftover),
            (packet(2 << 16, b"user\0x\0\0"), WireError::Version),
            (packet(4 << 16, b"user\0x\0\0"), WireError::Version),
            (packet(0, b""), WireError::Version),
            (packet(V3, b""), WireError::Unterminated),
            (packet(V3, b"user\0x\0"), WireError::Unterminated),
            (packet(V3, b"user\0\0"), WireError::Unterminated),
            (packet(V3, b"user\0x\0\0database\0y\0\0"), WireError::Leftover),
            (packet(V3, b"user\0\xff\0\0"), WireError::NotUtf8),
            (packet(V3, b"\0")[..8].to_vec(), WireError::Truncated),
            ([packet(V3, b"\0"), vec![0]].concat(), WireError::Leftover),
        ] {
            assert_eq!(StartupPacket::read(&bytes), Err(expected), "{bytes:?}");
        }
    }

    #[test]
    fn the_last_of_repeated_parameters_counts() {
        let bytes = packet(3 << 16, b"user\0a\0database\0\0user\0b\0\0");
        let Ok(StartupPacket::Startup(startup)) = StartupPacket::read(&bytes) else {
            panic!("not a startup packet")
        };
        assert_eq!(startup.parameter("user"), Some("b"));
        assert_eq!(startup.parameter("database"), Some(""));
        assert_eq!(startup.parameter("options"), None);
    }

    #[test]
    fn newer_versions_and_options_are_negotiated_down() {
        for (minor, body, spoken, negotiate) in [
            (0, &b"user\0x\0\0"[..], 0, false),
            (1, b"user\0x\0\0", 0, true),
            (2, b"user\0x\0\0", 2, false),
            (9, b"user\0x\0\0", 2, true),
            (0, b"user\0x\0_pq_.a\0b\0\0", 0, true),
        ] {
            let bytes = packet((3 << 16) | minor, body);
            let Ok(StartupPacket::Startup(startup)) = StartupPacket::read(&bytes) else {
                panic!("not a startup packet")
            };
            assert_eq!(startup.minor_spoken(), spoken, "3.{minor}");
            assert_eq!(startup.needs_negotiation(), negotiate, "3.{minor} {body:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_packet_is_not_written() {
        let mut out = b"before".to_vec();
        assert_eq!(startup(&mut out, 0, [("user", "a\0b")]), Err(WireError::ZeroInString));
        assert_eq!(startup(&mut out, 0, [("", "x"), ("user", "y")]), Err(WireError::Value));
        assert_eq!(cancel_request(&mut out, 1, &[]), Err(WireError::Length));
        assert_eq!(cancel_request(&mut out, 1, &[0; 257]), Err(WireError::Length));
        assert_eq!(out, b"before");
    }
}
