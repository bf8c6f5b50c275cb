//! The way to one address, encrypted as it should be.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rand::seq::SliceRandom as _;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixStream, lookup_host};
use tokio_rustls::TlsConnector;

use super::{ConnectError, Tls};
use crate::net::listen::{self, Silence};
use crate::net::{Socket, Stream, tls::ALPN};
use crate::upstream::servers::{Host, Order};
use crate::wire::startup;

/// Where one connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub address: Address,
    /// What a verified certificate has to be for.
    pub host: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Tcp(SocketAddr),
    Socket(PathBuf),
}

impl Way {
    /// Whether what is sent there stays on this machine.
    pub fn is_local(&self) -> bool {
        match &self.address {
            Address::Tcp(address) => address.ip().is_loopback(),
            Address::Socket(_) => true,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Every address of a host, in the order in which to try them.
pub(super) async fn ways(host: &Host, order: Order) -> Result<Vec<Way>, ConnectError> {
    let (name, port) = match host {
        Host::Socket(path) => {
            let address = Address::Socket(path.clone());
            return Ok(vec![Way { address, host: String::new() }]);
        }
        Host::Tcp { name, port } => (name, *port),
    };
    let found = lookup_host((name.as_str(), port)).await.map_err(ConnectError::Unreachable)?;
    let mut addresses: Vec<SocketAddr> = found.collect();
    if order == Order::Random {
        addresses.shuffle(&mut rand::rng());
    }
    let way = |address| Way { address: Address::Tcp(address), host: name.clone() };
    Ok(addresses.into_iter().map(way).collect())
}

/// Opens a connection, encrypted as `tls` says, that ends with its peer's `silence`.
pub(in crate::upstream) async fn open(
    way: &Way,
    tls: &Tls,
    silence: Silence,
) -> Result<Stream, ConnectError> {
    match &way.address {
        Address::Tcp(address) => {
            let tcp =
                listen::connect(*address, silence).await.map_err(ConnectError::Unreachable)?;
            encrypt(tcp.into(), &way.host, tls).await
        }
        Address::Socket(path) => {
            let unix = UnixStream::connect(path).await.map_err(ConnectError::Unreachable)?;
            Ok(Stream::Plain(unix.into()))
        }
    }
}

async fn encrypt(mut socket: Socket, host: &str, tls: &Tls) -> Result<Stream, ConnectError> {
    let config = match tls {
        Tls::Disable => return Ok(Stream::Plain(socket)),
        Tls::Prefer(config) | Tls::Require(config) => config,
        Tls::Direct(config) => return handshake(socket, host, config, Expected::Alpn).await,
    };
    let mut request = Vec::with_capacity(8);
    startup::ssl_request(&mut request);
    socket.write_all(&request).await?;
    // One byte and no more: what somebody in between sent behind it would be plain text that later
    // passes for the server's (CVE-2021-23222). TLS gets it instead, and fails.
    match (socket.read_u8().await?, tls) {
        (b'S', _) => handshake(socket, host, config, Expected::Anything).await,
        (b'N', Tls::Prefer(_)) => Ok(Stream::Plain(socket)),
        (b'N', _) => Err(ConnectError::TlsRefused),
        // An error could be anybody's: it is not shown (CVE-2024-10977).
        (other, _) => Err(ConnectError::Unexpected(other)),
    }
}

/// What the server has to say about the protocol within TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Anything,
    /// That it is PostgreSQL's: nothing else has told so.
    Alpn,
}

async fn handshake(
    socket: Socket,
    host: &str,
    config: &Arc<ClientConfig>,
    expected: Expected,
) -> Result<Stream, ConnectError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::ServerName)?;
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, socket);
    let stream = connecting.await.map_err(ConnectError::Tls)?;
    if expected == Expected::Alpn && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(ConnectError::TlsRefused);
    }
    Ok(Stream::ClientTls(Box::new(stream)))
}
