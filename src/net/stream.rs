//! A connection, encrypted or not.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::UCred;
use tokio_rustls::{client, server};

use super::Socket;

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

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::ServerTls(tls) => Pin::new(tls).poll_read(context, buffer),
            Self::ClientTls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::ServerTls(tls) => Pin::new(tls).poll_write(context, bytes),
            Self::ClientTls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(context, slices),
            Self::ServerTls(tls) => Pin::new(tls).poll_write_vectored(context, slices),
            Self::ClientTls(tls) => Pin::new(tls).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_write_vectored(),
            Self::ServerTls(tls) => tls.is_write_vectored(),
            Self::ClientTls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(context),
            Self::ServerTls(tls) => Pin::new(tls).poll_flush(context),
            Self::ClientTls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Self::ServerTls(tls) => Pin::new(tls).poll_shutdown(context),
            Self::ClientTls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
