//! A login in which the client proves who it is: the proxy opens the connection and carries one
//! SCRAM exchange, message by message, without knowing the password.
//!
//! One state per message, each consumed by the next, so there is one round and no way to
//! [`Proven`] but through the server's AuthenticationOk behind its SASLFinal. Dropping any of them
//! closes the connection.

use std::fmt;
use std::sync::Arc;

use postgres_protocol::authentication::sasl::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use tokio::time::timeout;

use super::login::Line;
use super::{
    Binding, ConnectError, Connected, Target, Wanted, Way, connect_wanting, first_host, late, open,
    startup_parameters,
};
use crate::upstream::own::APPLICATION_NAME;
use crate::wire::backend::{Authentication, Mechanisms, authentication, tag};
use crate::wire::write;

/// What the server reports to be the session's user.
const SESSION_USER: &str = "session_authorization";

/// A server that asks the target's user for SCRAM-SHA-256.
pub struct Offered {
    login: Login,
    channel: Channel,
}

/// A server that has taken the client's first message.
#[derive(Debug)]
pub struct Challenged(Login);

/// A server that was convinced, and has said so.
#[derive(Debug)]
pub struct Proven(Login);

/// Whether the server would bind the login to its own TLS channel, which ends at the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Bindable,
    Unbound,
}

struct Login {
    line: Line,
    way: Way,
    target: Arc<Target>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("way", &self.way).finish_non_exhaustive()
    }
}

impl fmt::Debug for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offered").field("login", &self.login).finish_non_exhaustive()
    }
}

/// Opens a connection for the target's user, up to the server's offer of SCRAM-SHA-256. Hosts are
/// chosen as for other logins; as nobody has logged in yet who could ask what a host is, `own`
/// (the proxy's account) does where that matters.
///
/// # Errors
/// `Unproven` and `NotScram` for a server that asks for something else; `Server` for what the
/// database itself says.
pub async fn offer(
    target: &Arc<Target>,
    own: &Target,
    parameters: &[(String, String)],
) -> Result<Offered, ConnectError> {
    if target.binding == Binding::Require {
        return Err(ConnectError::BindingMissing);
    }
    let attempt = |way| ask(way, target, parameters);
    if target.servers.is_cluster() && target.servers.wanted != Wanted::Any {
        let way = scout(own).await?;
        let limit = target.servers.connect_timeout;
        return timeout(limit, attempt(way)).await.unwrap_or_else(|_| Err(late()));
    }
    first_host(&target.servers, &attempt).await
}

/// The way to a host that is what sessions want.
async fn scout(own: &Target) -> Result<Way, ConnectError> {
    let parameters = startup_parameters(own, &[], &[("application_name", APPLICATION_NAME)]);
    match connect_wanting(own.servers.wanted, own, &parameters).await {
        Ok(connected) => {
            let way = connected.way.clone();
            connected.leave().await;
            Ok(way)
        }
        Err(error) if error.is_the_hosts() => Err(error),
        Err(error) => {
            // What the database says to the proxy's account is not said to the client.
            tracing::warn!(%error, "the proxy's account cannot ask which host is wanted");
            Err(ConnectError::Unsuitable)
        }
    }
}

async fn ask(
    way: Way,
    target: &Arc<Target>,
    parameters: &[(String, String)],
) -> Result<Offered, ConnectError> {
    let stream = open(&way, &target.tls, target.servers.silence).await?;
    let mut line = Line::begin(stream, parameters).await?;
    let asked = line.authentication().await?;
    let channel = match authentication(&asked)? {
        Authentication::Sasl(mechanisms) => channel(mechanisms)?,
        Authentication::Ok => return Err(ConnectError::Unproven),
        Authentication::CleartextPassword => {
            return Err(ConnectError::NotScram("a password in clear text"));
        }
        Authentication::Md5Password { .. } => return Err(ConnectError::NotScram("an MD5 hash")),
        Authentication::Other(code) => return Err(ConnectError::NotScram(name(code))),
        Authentication::SaslContinue(_) | Authentication::SaslFinal(_) => {
            return Err(ConnectError::Unexpected(tag::AUTHENTICATION));
        }
    };
    let login = Login { line, way, target: Arc::clone(target) };
    Ok(Offered { login, channel })
}

fn channel(mechanisms: Mechanisms<'_>) -> Result<Channel, ConnectError> {
    let offered = |name| mechanisms.iter().any(|mechanism| mechanism == name);
    match (offered(SCRAM_SHA_256), offered(SCRAM_SHA_256_PLUS)) {
        (true, true) => Ok(Channel::Bindable),
        (true, false) => Ok(Channel::Unbound),
        (false, _) => Err(ConnectError::NotScram("SASL without SCRAM-SHA-256")),
    }
}

/// What the codes of Authentication messages mean that nothing else is read from.
fn name(code: u32) -> &'static str {
    match code {
        2 => "Kerberos V5",
        7 | 8 => "GSSAPI",
        9 => "SSPI",
        _ => "an authentication that is not known",
    }
}

impl Offered {
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// Sends the client's first message; gives the server's challenge.
    ///
    /// # Errors
    /// `Unexpected` for anything but SASLContinue.
    pub async fn first(self, message: &[u8]) -> Result<(Vec<u8>, Challenged), ConnectError> {
        let Self { mut login, channel: _ } = self;
        let mut out = Vec::new();
        write::sasl_initial_response(&mut out, SCRAM_SHA_256, Some(message))?;
        login.line.send(&out).await?;
        let answer = login.line.authentication().await?;
        match authentication(&answer)? {
            Authentication::SaslContinue(challenge) => Ok((challenge.to_vec(), Challenged(login))),
            Authentication::Ok
            | Authentication::CleartextPassword
            | Authentication::Md5Password { .. }
            | Authentication::Sasl(_)
            | Authentication::SaslFinal(_)
            | Authentication::Other(_) => Err(ConnectError::Unexpected(tag::AUTHENTICATION)),
        }
    }
}

impl Challenged {
    /// Sends the client's proof; gives the server's own, by which the client knows the server.
    ///
    /// # Errors
    /// `Server` for a proof that is none, `Unexpected` for anything but SASLFinal and then Ok.
    pub async fn proof(self, message: &[u8]) -> Result<(Vec<u8>, Proven), ConnectError> {
        let Self(mut login) = self;
        let mut out = Vec::new();
        write::sasl_response(&mut out, message)?;
        login.line.send(&out).await?;
        let answer = login.line.authentication().await?;
        let Authentication::SaslFinal(signature) = authentication(&answer)? else {
            return Err(ConnectError::Unexpected(tag::AUTHENTICATION));
        };
        let ok = login.line.authentication().await?;
        if authentication(&ok)? != Authentication::Ok {
            return Err(ConnectError::Unexpected(tag::AUTHENTICATION));
        }
        Ok((signature.to_vec(), Proven(login)))
    }
}

impl Proven {
    /// Waits for the first ReadyForQuery.
    ///
    /// # Errors
    /// `Server` for a role that may not log in, a database that does not exist …; `OtherUser` if
    /// the server does not say that the session is the user's, as PostgreSQL does: names longer
    /// than its own are cut off, and `db_user_namespace` changes them. `Unsuitable` if the server
    /// has ceased to be what is wanted.
    pub async fn ready(self) -> Result<Connected, ConnectError> {
        let Self(Login { line, way, target }) = self;
        let connected = line.finish(way, &target).await?;
        let mut users = connected.parameters.iter().filter(|(name, _)| name == SESSION_USER);
        let last = users.next_back();
        if last.is_none_or(|(_, user)| *user != target.user) {
            connected.leave().await;
            return Err(ConnectError::OtherUser);
        }
        if !connected.is(target.servers.wanted) {
            connected.leave().await;
            return Err(ConnectError::Unsuitable);
        }
        Ok(connected)
    }
}
