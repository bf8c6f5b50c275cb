//! Opens a connection to the database, up to its first ReadyForQuery.

mod login;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use crate::model::{Report, Secret, SqlState};
use crate::net::{FrameError, Stream, listen};
use crate::wire::backend::ErrorFields;
use crate::wire::{WireError, startup};

/// Whether the connection to the database is encrypted; libpq's `sslmode`. Off unless asked for, as
/// proxy and database mostly share a machine or a private network, and encryption without a
/// verified certificate would promise more than it keeps.
#[derive(Clone, Debug, Default)]
pub enum Tls {
    #[default]
    Disable,
    /// Encrypted if the database can.
    Prefer(Arc<ClientConfig>),
    /// `require` or `verify-full`: the configuration says whether the certificate is verified
    /// ([`crate::net::tls::ServerCertificate`]).
    Require(Arc<ClientConfig>),
}

/// Where the database is and who connects.
#[derive(Clone, Debug)]
pub struct Target {
    /// A name or an address; also what a verified certificate has to be for.
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub user: String,
    pub database: String,
    pub password: Option<Secret>,
}

/// A connection that is ready for its first query.
pub struct Connected {
    pub stream: Stream,
    /// Every ParameterStatus in order.
    pub parameters: Vec<(String, String)>,
    /// None if the database sent none: its queries cannot be cancelled.
    pub key: Option<BackendKey>,
    /// What came after ReadyForQuery.
    pub leftover: Vec<u8>,
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What a session can be cancelled with.
#[derive(Clone, PartialEq, Eq)]
pub struct BackendKey {
    pub pid: i32,
    pub secret: Vec<u8>,
}

impl fmt::Debug for BackendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendKey").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("cannot connect: {0}")]
    Unreachable(#[source] io::Error),
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    #[error("connection closed during login")]
    Closed,
    #[error("the database does not offer TLS")]
    TlsRefused,
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
    #[error("host is no name that a certificate could be for")]
    ServerName,
    #[error("protocol violation: {0}")]
    Wire(#[from] WireError),
    #[error("protocol violation: unexpected message of type 0x{0:02x}")]
    Unexpected(u8),
    #[error("the database asks for a password and none is configured")]
    PasswordMissing,
    #[error("the database asks for an authentication that is not supported (code {0})")]
    Authentication(u32),
    #[error("the database offers no SASL mechanism that is supported")]
    Mechanisms,
    /// Whoever answered does not know the password either.
    #[error("the database could not prove its identity: {0}")]
    Scram(#[source] io::Error),
    #[error("refused by the database with {}", .0.state())]
    Server(ServerError),
}

impl ConnectError {
    /// What the client may be told: the database's own refusal, else 08006 without particulars.
    pub fn report(&self) -> Report {
        match self {
            Self::Server(error) => {
                let report = Report::fatal(error.state(), error.text(b'M'));
                let report = match error.field(b'D') {
                    Some(_) => report.detail(error.text(b'D')),
                    None => report,
                };
                match error.field(b'H') {
                    Some(_) => report.hint(error.text(b'H')),
                    None => report,
                }
            }
            Self::Unreachable(_)
            | Self::Io(_)
            | Self::Closed
            | Self::TlsRefused
            | Self::Tls(_)
            | Self::ServerName
            | Self::Wire(_)
            | Self::Unexpected(_)
            | Self::PasswordMissing
            | Self::Authentication(_)
            | Self::Mechanisms
            | Self::Scram(_) => {
                Report::fatal(SqlState::CONNECTION_FAILURE, "cannot connect to the database")
            }
        }
    }
}

impl From<FrameError> for ConnectError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Closed => Self::Closed,
            FrameError::Io(error) => Self::Io(error),
            FrameError::Wire(error) => Self::Wire(error),
        }
    }
}

/// An ErrorResponse of the database.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError {
    /// Code and value of every field in order.
    pub fields: Vec<(u8, Vec<u8>)>,
}

impl ServerError {
    fn read(payload: &[u8]) -> Result<Self, WireError> {
        let fields = ErrorFields::read(payload)?;
        Ok(Self { fields: fields.map(|(code, value)| (code, value.to_vec())).collect() })
    }

    pub fn field(&self, code: u8) -> Option<&[u8]> {
        self.fields.iter().find(|(found, _)| *found == code).map(|(_, value)| value.as_slice())
    }

    pub fn state(&self) -> SqlState {
        self.field(b'C').and_then(SqlState::parse).unwrap_or(SqlState::CONNECTION_FAILURE)
    }

    fn text(&self, code: u8) -> String {
        String::from_utf8_lossy(self.field(code).unwrap_or_default()).into_owned()
    }
}

// By hand: messages may hold names.
impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerError({})", self.state())
    }
}

/// Connects and logs in with `parameters`, which [`startup_parameters`] makes. Notices of the
/// login are dropped. Waits as long as it takes: the caller sets the limit, and dropping the future
/// closes the connection.
///
/// # Errors
/// `Server` for what the database itself says (28P01, 3D000, 53300 …).
pub async fn connect(
    target: &Target,
    parameters: &[(String, String)],
) -> Result<Connected, ConnectError> {
    login::log_in(stream(target).await?, target, parameters).await
}

/// Connects without logging in, encrypted as the target says.
///
/// # Errors
/// If nobody answers, or not as they should.
pub async fn stream(target: &Target) -> Result<Stream, ConnectError> {
    let mut addresses = lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(ConnectError::Unreachable)?;
    let mut failure = ConnectError::Unreachable(io::ErrorKind::AddrNotAvailable.into());
    // As in libpq, the next address is for those that do not answer; an answer is an answer.
    let tcp = loop {
        let Some(address) = addresses.next() else { return Err(failure) };
        match listen::connect(address).await {
            Ok(tcp) => break tcp,
            Err(error) => failure = ConnectError::Unreachable(error),
        }
    };
    encrypt(tcp, &target.host, &target.tls).await
}

/// Opens a connection to one address, encrypted as the target says.
pub(super) async fn open(address: SocketAddr, target: &Target) -> Result<Stream, ConnectError> {
    let tcp = listen::connect(address).await.map_err(ConnectError::Unreachable)?;
    encrypt(tcp, &target.host, &target.tls).await
}

async fn encrypt(mut tcp: TcpStream, host: &str, tls: &Tls) -> Result<Stream, ConnectError> {
    let config = match tls {
        Tls::Disable => return Ok(Stream::Plain(tcp.into())),
        Tls::Prefer(config) | Tls::Require(config) => Arc::clone(config),
    };
    let mut request = Vec::with_capacity(8);
    startup::ssl_request(&mut request);
    tcp.write_all(&request).await?;
    // One byte and no more: what somebody in between sent behind it would be plain text that later
    // passes for the server's (CVE-2021-23222). TLS gets it instead, and fails.
    match (tcp.read_u8().await?, tls) {
        (b'S', _) => {
            let name = ServerName::try_from(host.to_owned());
            let name = name.map_err(|_| ConnectError::ServerName)?;
            let stream = TlsConnector::from(config).connect(name, tcp.into()).await;
            Ok(Stream::ClientTls(Box::new(stream.map_err(ConnectError::Tls)?)))
        }
        (b'N', Tls::Prefer(_)) => Ok(Stream::Plain(tcp.into())),
        (b'N', _) => Err(ConnectError::TlsRefused),
        // An error could be anybody's: it is not shown (CVE-2024-10977).
        (other, _) => Err(ConnectError::Unexpected(other)),
    }
}

/// The startup parameters of a session: user and database of the target; then what the client sent,
/// in its order, without user, database, replication and options of the protocol; then those of
/// `defaults` that the client did not set.
pub fn startup_parameters(
    target: &Target,
    client: &[(String, String)],
    defaults: &[(&str, &str)],
) -> Vec<(String, String)> {
    let own = |name: &str| {
        ["user", "database", "replication"].iter().any(|own| name.eq_ignore_ascii_case(own))
            || name.starts_with("_pq_.")
    };
    let sent: Vec<_> = client.iter().filter(|(name, _)| !own(name)).cloned().collect();
    let missing = defaults
        .iter()
        .filter(|(name, _)| !sent.iter().any(|(sent, _)| sent.eq_ignore_ascii_case(name)))
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect::<Vec<_>>();
    [("user", &target.user), ("database", &target.database)]
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .into_iter()
        .chain(sent)
        .chain(missing)
        .collect()
}

#[cfg(test)]
mod tests;
