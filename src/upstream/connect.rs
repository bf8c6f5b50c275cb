//! Opens a connection to the database, up to its first ReadyForQuery.

mod error;
mod login;
mod open;
pub mod passthrough;
mod probe;

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

pub use error::{ConnectError, ServerError};
pub(super) use open::open;
pub use open::{Address, Way};
pub use probe::Server;

use super::servers::{Host, Servers, Wanted};
use crate::model::Secret;
use crate::net::Stream;
use crate::wire::write;

/// Whether the connection to the database is encrypted; libpq's `sslmode`. Unix sockets never are.
#[derive(Clone, Debug, Default)]
pub enum Tls {
    #[default]
    Disable,
    /// Encrypted if the database can.
    Prefer(Arc<ClientConfig>),
    /// `require` and more: the configuration says what is asked of the certificate
    /// ([`crate::net::tls::ServerCertificate`]).
    Require(Arc<ClientConfig>),
    /// The same, encrypted from the first byte: libpq's `sslnegotiation=direct`.
    Direct(Arc<ClientConfig>),
}

/// Whether a login with SCRAM has to be bound to its TLS channel; libpq's `channel_binding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    Disable,
    #[default]
    Prefer,
    /// And no login is taken that is not.
    Require,
}

/// Where the database is and who connects.
#[derive(Clone, Debug)]
pub struct Target {
    pub servers: Arc<Servers>,
    pub tls: Tls,
    pub binding: Binding,
    pub user: String,
    pub database: String,
    pub password: Option<Secret>,
}

/// A connection that is ready for its first query.
pub struct Connected {
    pub stream: Stream,
    /// Where it leads; cancel requests take the same way.
    pub way: Way,
    /// Every ParameterStatus in order.
    pub parameters: Vec<(String, String)>,
    /// None if the database sent none: its queries cannot be cancelled.
    pub key: Option<BackendKey>,
    /// What the server says about itself; None if there was nothing to choose.
    pub server: Option<Server>,
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

/// Connects and logs in with `parameters`, which [`startup_parameters`] makes. Notices of the
/// login are dropped. Hosts that do not answer, each within the servers' timeout, or are not what
/// is wanted, are passed over. Dropping the future closes the connection.
///
/// # Errors
/// `Server` for what the database itself says (28P01, 3D000, 53300 …).
pub async fn connect(
    target: &Target,
    parameters: &[(String, String)],
) -> Result<Connected, ConnectError> {
    connect_wanting(target.servers.wanted, target, parameters).await
}

/// [`connect`], to a server of another role than the target's sessions want.
///
/// # Errors
/// As [`connect`].
pub async fn connect_wanting(
    wanted: Wanted,
    target: &Target,
    parameters: &[(String, String)],
) -> Result<Connected, ConnectError> {
    let attempt = |way| log_in(way, target, parameters);
    let mut failure = nowhere();
    for round in wanted.rounds() {
        for (number, host) in target.servers.in_order(Instant::now()) {
            match each_address(&target.servers, number, host, &attempt).await {
                Ok(connected) if connected.is(*round) => return Ok(connected),
                Ok(connected) => {
                    connected.leave().await;
                    failure = ConnectError::Unsuitable;
                }
                Err(error) if error.is_the_hosts() => failure = error,
                Err(error) => return Err(error),
            }
        }
    }
    Err(failure)
}

/// The first host on which the attempt succeeds.
async fn first_host<T, F: Future<Output = Result<T, ConnectError>>>(
    servers: &Servers,
    attempt: &impl Fn(Way) -> F,
) -> Result<T, ConnectError> {
    let mut failure = nowhere();
    for (number, host) in servers.in_order(Instant::now()) {
        match each_address(servers, number, host, attempt).await {
            Ok(done) => return Ok(done),
            Err(error) if error.is_the_hosts() => failure = error,
            Err(error) => return Err(error),
        }
    }
    Err(failure)
}

async fn log_in(
    way: Way,
    target: &Target,
    parameters: &[(String, String)],
) -> Result<Connected, ConnectError> {
    let stream = open(&way, &target.tls, target.servers.silence).await?;
    login::log_in(stream, way, target, parameters).await
}

/// Tries the addresses of one host, and remembers whether it answered. As in libpq, the next
/// address is for those that do not answer; an answer is an answer.
async fn each_address<T, F: Future<Output = Result<T, ConnectError>>>(
    servers: &Servers,
    number: usize,
    host: &Host,
    attempt: &impl Fn(Way) -> F,
) -> Result<T, ConnectError> {
    let limit = servers.connect_timeout;
    let ways = timeout(limit, open::ways(host, servers.order)).await;
    let mut failure = nowhere();
    match ways.unwrap_or_else(|_| Err(late())) {
        Err(error) => failure = error,
        Ok(ways) => {
            for way in ways {
                match timeout(limit, attempt(way)).await.unwrap_or_else(|_| Err(late())) {
                    Ok(done) => {
                        servers.found(number);
                        return Ok(done);
                    }
                    Err(error @ ConnectError::Unreachable(_)) => failure = error,
                    Err(error) => {
                        failure = error;
                        break;
                    }
                }
            }
        }
    }
    if failure.is_the_hosts() {
        servers.avoid(number, Instant::now());
        if servers.is_cluster() {
            tracing::warn!(%host, error = %failure, "a host of the database is passed over");
        }
    }
    Err(failure)
}

fn nowhere() -> ConnectError {
    ConnectError::Unreachable(io::ErrorKind::AddrNotAvailable.into())
}

fn late() -> ConnectError {
    ConnectError::Unreachable(io::ErrorKind::TimedOut.into())
}

impl Connected {
    fn is(&self, wanted: Wanted) -> bool {
        self.server.as_ref().is_none_or(|server| wanted.accepts(server.role))
    }

    /// Ends the session as the protocol wants it.
    async fn leave(mut self) {
        let mut out = Vec::new();
        write::terminate(&mut out);
        // Whoever has gone need not hear it.
        if self.stream.write_all(&out).await.is_ok() {
            let _ = self.stream.shutdown().await;
        }
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
