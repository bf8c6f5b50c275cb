//! What goes wrong on the way to the database.

use std::fmt;
use std::io;

use crate::model::{Report, SqlState};
use crate::net::FrameError;
use crate::wire::WireError;
use crate::wire::backend::ErrorFields;

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
    /// No host is what `target_session_attrs` asks for.
    #[error("no server is what target_session_attrs asks for")]
    Unsuitable,
    #[error("protocol violation: {0}")]
    Wire(#[from] WireError),
    #[error("protocol violation: unexpected message of type 0x{0:02x}")]
    Unexpected(u8),
    #[error("the database asks for a password and none is configured")]
    PasswordMissing,
    #[error(
        "the database asks for the password in clear text over a connection that is neither \
             encrypted nor local"
    )]
    ClearPassword,
    #[error("the database asks for an authentication that is not supported (code {0})")]
    Authentication(u32),
    #[error("the database offers no SASL mechanism that is supported")]
    Mechanisms,
    #[error("channel_binding=require, and the database binds no login to its channel")]
    BindingMissing,
    /// In a login whose proof is the client's: nothing was proven.
    #[error("the database lets the user in without asking for proof")]
    Unproven,
    /// In a login whose proof is the client's: what cannot be passed on.
    #[error("the database asks for {0}, and only SCRAM-SHA-256 can be passed through")]
    NotScram(&'static str),
    /// In a login whose proof is the client's: a name that was cut off, say.
    #[error("the database's session is not of the user who has logged in")]
    OtherUser,
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
            Self::Unproven => Report::fatal(
                SqlState::INVALID_AUTHORIZATION,
                "the database asks for no password, so nothing proves who you are",
            )
            .hint("pg_hba.conf of the database has to ask the proxy's address for scram-sha-256."),
            Self::NotScram(asked) => Report::fatal(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("the database asks for {asked}, which the proxy cannot pass on"),
            )
            .hint(
                "Only SCRAM-SHA-256 can be passed through: pg_hba.conf of the database has to ask \
                 for scram-sha-256, and the role needs a password that was set with \
                 password_encryption = 'scram-sha-256'.",
            ),
            Self::OtherUser => Report::fatal(
                SqlState::INVALID_AUTHORIZATION,
                "the database's session is not of the user who has logged in",
            ),
            Self::Unreachable(_)
            | Self::Io(_)
            | Self::Closed
            | Self::TlsRefused
            | Self::Tls(_)
            | Self::ServerName
            | Self::Wire(_)
            | Self::Unexpected(_)
            | Self::Unsuitable
            | Self::PasswordMissing
            | Self::ClearPassword
            | Self::BindingMissing
            | Self::Authentication(_)
            | Self::Mechanisms
            | Self::Scram(_) => {
                Report::fatal(SqlState::CONNECTION_FAILURE, "cannot connect to the database")
            }
        }
    }
}

impl ConnectError {
    /// Whether another host may do better: nobody answered, or not as the database would.
    pub(super) fn is_the_hosts(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Io(_)
            | Self::Closed
            | Self::TlsRefused
            | Self::Tls(_)
            | Self::ServerName
            | Self::Unsuitable => true,
            // Starting up, shutting down, or a standby that takes no queries.
            Self::Server(error) => error.state() == SqlState::CANNOT_CONNECT_NOW,
            Self::Wire(_)
            | Self::Unexpected(_)
            | Self::PasswordMissing
            | Self::ClearPassword
            | Self::Authentication(_)
            | Self::Mechanisms
            | Self::BindingMissing
            | Self::Unproven
            | Self::NotScram(_)
            | Self::OtherUser
            | Self::Scram(_) => false,
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
    pub(super) fn read(payload: &[u8]) -> Result<Self, WireError> {
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
