//! Where a database is: `postgres://user@host:port,host:port/dbname?sslmode=…`, in the words of
//! libpq where it has some.

mod parameters;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use parameters::Parameters;

/// The servers of one cluster, and the account that the proxy uses there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    pub user: String,
    /// In the order of the URL; at least one.
    pub hosts: Vec<UpstreamHost>,
    pub database: UpstreamDatabase,
    pub target: SessionTarget,
    pub balance: LoadBalance,
    /// For each host, up to the end of the login.
    pub connect_timeout: Duration,
    /// Silence after which a server is asked whether it is still there.
    pub keepalives_idle: Duration,
    /// For how long bytes may be unacknowledged, or not taken. None: as the system has it.
    pub tcp_user_timeout: Option<Duration>,
    pub tls: UpstreamTls,
    pub binding: ChannelBinding,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamHost {
    /// A name or an address.
    Tcp { host: String, port: u16 },
    /// The directory of a Unix socket.
    Socket { dir: PathBuf, port: u16 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamDatabase {
    Named(String),
    /// `*`: the name the client asked for.
    AsRequested,
}

/// libpq's `target_session_attrs`: which of the hosts will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionTarget {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    /// A standby if there is one, else any.
    PreferStandby,
}

/// libpq's `load_balance_hosts`: in which order the hosts are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadBalance {
    #[default]
    Disable,
    Random,
}

/// libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    Disable,
    Prefer,
    /// Encrypted, by whoever answers.
    Require,
    /// The certificate is signed by an authority of ours.
    VerifyCa,
    /// And it is for the host that was asked for.
    VerifyFull,
}

/// Whose signatures count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    None,
    /// Those that the operating system trusts.
    System,
    /// PEM.
    File(PathBuf),
}

/// What the proxy proves its identity with: PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// libpq's `sslnegotiation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslNegotiation {
    /// Asked for within the protocol.
    #[default]
    Postgres,
    /// At once, as PostgreSQL 17 and later take it.
    Direct,
}

/// libpq's `channel_binding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelBinding {
    Disable,
    #[default]
    Prefer,
    Require,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    pub mode: SslMode,
    pub roots: Roots,
    pub certificate: Option<CertificateFiles>,
    pub negotiation: SslNegotiation,
}

const PORT_DEFAULT: u16 = 5432;
const SHAPE: &str = "a URL is postgres://user@host:port/dbname";

impl UpstreamUrl {
    /// # Errors
    /// What is wrong with the URL, without repeating it: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
            .ok_or(SHAPE)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').ok_or(SHAPE)?;
        let (user, servers) = authority.rsplit_once('@').ok_or("the URL names no user")?;
        if user.contains(':') {
            return Err("a password does not belong into the URL: use password_env or \
                        password_file"
                .to_owned());
        }
        let user = decode(user)?;
        let database = match database {
            "" => return Err("the URL names no database".to_owned()),
            "*" => UpstreamDatabase::AsRequested,
            name if name.contains('/') => return Err(SHAPE.to_owned()),
            name => UpstreamDatabase::Named(decode(name)?),
        };
        if user.is_empty() {
            return Err(SHAPE.to_owned());
        }
        let mut parameters = Parameters::read(query)?;
        let hosts = hosts(servers, &mut parameters)?;
        let (tls, binding) = (parameters.tls()?, parameters.binding()?);
        if binding == ChannelBinding::Require && tls.mode < SslMode::Require {
            return Err("channel_binding=require takes an sslmode that insists on TLS".to_owned());
        }
        Ok(Self {
            user,
            hosts,
            database,
            target: parameters.target()?,
            balance: parameters.balance()?,
            connect_timeout: parameters.connect_timeout()?,
            keepalives_idle: parameters.keepalives_idle()?,
            tcp_user_timeout: parameters.tcp_user_timeout()?,
            tls,
            binding,
        })
    }

    /// What an operator should know about how little the connection is protected.
    pub fn warning(&self) -> Option<&'static str> {
        let away = self.hosts.iter().any(|host| !host.is_local());
        match self.tls.mode {
            SslMode::Require => Some(
                "sslmode=require encrypts without verifying who answers: whoever sits in between \
                 can read along. With sslrootcert=FILE (or system) it is verify-full",
            ),
            SslMode::Prefer if away => Some(
                "without sslrootcert the database's certificate is not verified, and whoever sits \
                 in between can read along: sslrootcert=FILE (or system) makes it verify-full, \
                 sslmode=disable says that the network is trusted",
            ),
            SslMode::Disable | SslMode::Prefer | SslMode::VerifyCa | SslMode::VerifyFull => None,
        }
    }
}

impl UpstreamHost {
    /// Whether what is sent there stays on this machine.
    fn is_local(&self) -> bool {
        match self {
            Self::Socket { .. } => true,
            Self::Tcp { host, .. } => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl fmt::Display for UpstreamHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Socket { dir, port } => write!(f, "{}:{port}", dir.display()),
        }
    }
}

/// The hosts before the database's name, or those of the parameters `host` and `port`.
fn hosts(text: &str, parameters: &mut Parameters<'_>) -> Result<Vec<UpstreamHost>, String> {
    let (names, ports) = (parameters.take("host")?, parameters.take("port")?);
    match (names, ports) {
        (None, None) => text.split(',').map(host_of).collect(),
        (None, Some(_)) => Err("port stands behind its host".to_owned()),
        (Some(_), _) if !text.is_empty() => Err("the URL names hosts twice".to_owned()),
        (Some(names), ports) => {
            let names: Vec<&str> = names.split(',').collect();
            let ports: Vec<&str> = ports.as_deref().unwrap_or_default().split(',').collect();
            if ports.len() != 1 && ports.len() != names.len() {
                return Err("port names one port, or one for each host".to_owned());
            }
            let each = names.iter().zip(ports.iter().cycle());
            each.map(|(name, port)| host(*name, Some(*port).filter(|port| !port.is_empty())))
                .collect()
        }
    }
}

fn host_of(text: &str) -> Result<UpstreamHost, String> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (name, rest) = bracketed.split_once(']').ok_or("a bracket is not closed")?;
        return match (rest, rest.strip_prefix(':')) {
            ("", _) => host(name, None),
            (_, Some(port)) => host(name, Some(port)),
            (_, None) => Err(SHAPE.to_owned()),
        };
    }
    match text.split_once(':') {
        Some((name, port)) => host(decode(name)?, Some(port)),
        None => host(decode(text)?, None),
    }
}

fn host(name: impl Into<String>, port: Option<&str>) -> Result<UpstreamHost, String> {
    let name = name.into();
    if name.is_empty() {
        return Err("a host has no name".to_owned());
    }
    let port = match port {
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err("a port is a number from 1 to 65535".to_owned()),
            Ok(port) => port,
        },
        None => PORT_DEFAULT,
    };
    Ok(match name.starts_with('/') {
        true => UpstreamHost::Socket { dir: name.into(), port },
        false => UpstreamHost::Tcp { host: name, port },
    })
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, String> {
    const SHAPE: &str = "a percent sign is not followed by two hexadecimal digits of UTF-8";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2).ok_or(SHAPE)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let (high, low) = digit(digits[0]).zip(digit(digits[1])).ok_or(SHAPE)?;
        bytes.push(high << 4 | low);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| SHAPE.to_owned())
}

#[cfg(test)]
mod tests;
