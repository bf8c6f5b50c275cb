//! A connection, encrypted or not.

use std::io;
use std::net::SocketAddr;

use tokio::net::unix::UCred;
use tokio_rustls::{client, server};

use super::Socket;
use super::forward::forward_io;

/// A connection with or without TLS, whichever side of it the proxy is on.
#[derive(Debug)]
pub enum Stream {
    Plain(Socket),
    /// The proxy is the TLS server: a client's connection.
    ServerTls(Box<server::TlsStream<Socket>>),
    /// The proxy is the TLS client: a connection to the database.
    ClientTls(Box<client::TlsStream<Socket>>),
}

impl Stream {
    pub fn is_encrypted(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::ServerTls(_) | Self::ClientTls(_) => true,
        }
    }

    /// Whether it is a Unix socket.
    pub fn is_local(&self) -> bool {
        self.socket().is_local()
    }

    /// # Errors
    /// As [`Socket::peer_addr`].
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket().peer_addr()
    }

    /// As [`Socket::peer_credentials`].
    pub fn peer_credentials(&self) -> Option<io::Result<UCred>> {
        self.socket().peer_credentials()
    }

    /// The certificate that the peer proved to own, as DER; None without TLS or certificate.
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        let chain = match self {
            Self::Plain(_) => None,
            Self::ServerTls(tls) => tls.get_ref().1.peer_certificates(),
            Self::ClientTls(tls) => tls.get_ref().1.peer_certificates(),
        };
        chain?.first().map(|certificate| certificate.as_ref())
    }

    /// The protocol that both sides agreed on with TLS (ALPN), if they did.
    pub fn application_protocol(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::ServerTls(tls) => tls.get_ref().1.alpn_protocol(),
            Self::ClientTls(tls) => tls.get_ref().1.alpn_protocol(),
        }
    }

    /// The TLS version in use; None without TLS.
    pub fn tls_version(&self) -> Option<&'static str> {
        let version = match self {
            Self::Plain(_) => None,
            Self::ServerTls(tls) => tls.get_ref().1.protocol_version(),
            Self::ClientTls(tls) => tls.get_ref().1.protocol_version(),
        };
        version.map(|version| version.as_str().unwrap_or("TLS"))
    }

    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::ServerTls(tls) => tls.get_ref().0,
            Self::ClientTls(tls) => tls.get_ref().0,
        }
    }
}

forward_io!(Stream { Plain, ServerTls, ClientTls });
