//! A connection as the kernel gives it: TCP, or a Unix socket.

use std::io;
use std::net::SocketAddr;

use tokio::net::unix::UCred;
use tokio::net::{TcpStream, UnixStream};

use super::forward::forward_io;
use super::listen::{self, Silence};

/// A TCP connection or one over a Unix socket.
#[derive(Debug)]
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl From<TcpStream> for Socket {
    fn from(tcp: TcpStream) -> Self {
        Self::Tcp(tcp)
    }
}

impl From<UnixStream> for Socket {
    fn from(unix: UnixStream) -> Self {
        Self::Unix(unix)
    }
}

/// A connection that no runtime watches, on its way to another thread's.
#[derive(Debug)]
pub enum Detached {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Detached {
    /// Has the runtime that this is called in watch it.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn attach(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(tcp) => Socket::Tcp(TcpStream::from_std(tcp)?),
            Self::Unix(unix) => Socket::Unix(UnixStream::from_std(unix)?),
        })
    }
}

impl Socket {
    /// Takes it away from the runtime that watches it.
    ///
    /// # Errors
    /// The runtime does not let it go; the connection is closed then.
    pub fn detach(self) -> io::Result<Detached> {
        Ok(match self {
            Self::Tcp(tcp) => Detached::Tcp(tcp.into_std()?),
            Self::Unix(unix) => Detached::Unix(unix.into_std()?),
        })
    }

    /// Whether it is a Unix socket.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// # Errors
    /// There is no connection any more; or it is no TCP (`Unsupported`).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(tcp) => tcp.peer_addr(),
            Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// User, group and process at the other end when it connected, as the kernel knows them; None
    /// for TCP.
    pub fn peer_credentials(&self) -> Option<io::Result<UCred>> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(unix) => Some(unix.peer_cred()),
        }
    }

    /// As [`listen::keep_alive`]; the kernel tells the end of a Unix socket's peer by itself.
    ///
    /// # Errors
    /// There is no connection any more.
    pub fn keep_alive(&self, silence: Silence) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => listen::keep_alive(tcp, silence),
            Self::Unix(_) => Ok(()),
        }
    }

    /// The first byte that the peer sent, which stays to be read; waits for it. None if there is
    /// none to come, or on a Unix socket, where nobody may look ahead. Cancel safe.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn first_byte(&self) -> io::Result<Option<u8>> {
        let Self::Tcp(tcp) = self else { return Ok(None) };
        let mut first = [0];
        Ok((tcp.peek(&mut first).await? > 0).then_some(first[0]))
    }

    /// Writes what fits at once.
    ///
    /// # Errors
    /// `WouldBlock` when nothing does; the connection is lost.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.try_write(bytes),
            Self::Unix(unix) => unix.try_write(bytes),
        }
    }
}

forward_io!(Socket { Tcp, Unix });
