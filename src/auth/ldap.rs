//! Passwords that a directory checks (LDAP, RFC 4511), and the groups that it knows of.
//!
//! Either the entry's name is known and the password is tried on it, or a search finds the entry
//! first. Directories compare names loosely: `ALICE` and `alice ` find alice's entry, who would
//! be three persons here, one of whom approves what another asks for. So the entry has to say the
//! name letter by letter, once.
//!
//! Nothing is cached: somebody who was removed is gone at the next login. Referrals are not
//! followed.

mod conversation;
mod names;

use std::sync::Arc;

use rustls::ClientConfig;

use crate::config::LdapConfig;
use crate::model::{Report, Secret, SqlState};

/// The servers of one directory, and how to ask them.
#[derive(Clone, Debug)]
pub struct Directory {
    config: LdapConfig,
    tls: Arc<ClientConfig>,
}

/// Why a directory does not vouch for somebody. Only [`LdapError::NotAMember`] is told to them as
/// it is: the others would tell which names exist.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum LdapError {
    /// A directory takes a bind without a password for one as nobody (RFC 4513, 5.1.2), and says
    /// that all is well.
    #[error("an empty password")]
    EmptyPassword,
    #[error("no entry of that name")]
    NoEntry,
    #[error("more than one entry of that name")]
    SeveralEntries,
    #[error("the entry does not say the name as it was given, and only that")]
    OtherName,
    /// Wrong, expired, or of a person who is locked out.
    #[error("the directory does not take the password (result {0})")]
    Password(u32),
    #[error("not in the group that is required")]
    NotAMember,
    /// No server has judged.
    #[error("no server of the directory could be asked")]
    Unavailable,
}

impl LdapError {
    /// What the client is told.
    pub fn report(self, user: &str) -> Report {
        match self {
            Self::EmptyPassword
            | Self::NoEntry
            | Self::SeveralEntries
            | Self::OtherName
            | Self::Password(_) => Report::fatal(
                SqlState::INVALID_PASSWORD,
                format!("password authentication failed for user \"{user}\""),
            ),
            Self::NotAMember => Report::fatal(
                SqlState::INVALID_AUTHORIZATION,
                format!("user \"{user}\" is not in the group whose members may log in"),
            ),
            Self::Unavailable => Report::fatal(
                SqlState::CONNECTION_FAILURE,
                "the directory that checks passwords is out of reach",
            )
            .hint("Try again in a moment; the log of the proxy says why."),
        }
    }
}

/// Why one server has not judged; the next is asked. Goes to the log.
#[derive(Debug, thiserror::Error)]
enum ServerError {
    #[error("no connection within the connect_timeout")]
    ConnectTimeout,
    #[error("no answer within the timeout")]
    Timeout,
    #[error(transparent)]
    Ldap(#[from] ldap3::LdapError),
    #[error("{0} failed with result {1}")]
    Result(&'static str, u32),
}

/// Why a conversation with a server ends.
enum Stop {
    /// The directory has judged.
    No(LdapError),
    Server(ServerError),
}

impl From<ldap3::LdapError> for Stop {
    fn from(error: ldap3::LdapError) -> Self {
        Self::Server(error.into())
    }
}

impl Directory {
    /// `tls` says whose certificates are trusted.
    pub fn new(config: LdapConfig, tls: Arc<ClientConfig>) -> Self {
        Self { config, tls }
    }

    /// The groups of `user`, if the password is theirs. Asks the servers in order until one has
    /// judged. Cancel safe: connections are dropped with the future.
    ///
    /// # Errors
    /// [`LdapError`].
    pub(super) async fn check(
        &self,
        user: &str,
        password: &Secret,
    ) -> Result<Vec<String>, LdapError> {
        if password.expose().is_empty() {
            return Err(LdapError::EmptyPassword);
        }
        for server in &self.config.servers {
            match self.ask(server, user, password).await {
                Ok(groups) => return self.admitted(groups),
                Err(Stop::No(error)) => {
                    tracing::info!(server, %error, "the directory turns a login down");
                    return Err(error);
                }
                Err(Stop::Server(error)) => {
                    tracing::warn!(server, %error, "a server of the directory was of no help");
                }
            }
        }
        Err(LdapError::Unavailable)
    }

    fn admitted(&self, groups: Vec<String>) -> Result<Vec<String>, LdapError> {
        match &self.config.require_group {
            Some(required) if !groups.contains(required) => Err(LdapError::NotAMember),
            Some(_) | None => Ok(groups),
        }
    }
}
