use std::fmt;

/// A five-character error code of PostgreSQL's Appendix A.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    pub const ADMIN_SHUTDOWN: Self = Self(*b"57P01");
    pub const CANNOT_CONNECT_NOW: Self = Self(*b"57P03");
    pub const CHARACTER_NOT_IN_REPERTOIRE: Self = Self(*b"22021");
    pub const CONFIGURATION_LIMIT_EXCEEDED: Self = Self(*b"53400");
    pub const CONNECTION_FAILURE: Self = Self(*b"08006");
    pub const FEATURE_NOT_SUPPORTED: Self = Self(*b"0A000");
    pub const IDLE_IN_TRANSACTION_TIMEOUT: Self = Self(*b"25P03");
    pub const IDLE_SESSION_TIMEOUT: Self = Self(*b"57P05");
    pub const INSUFFICIENT_PRIVILEGE: Self = Self(*b"42501");
    pub const INTERNAL_ERROR: Self = Self(*b"XX000");
    pub const INVALID_AUTHORIZATION: Self = Self(*b"28000");
    pub const INVALID_CATALOG_NAME: Self = Self(*b"3D000");
    pub const INVALID_PARAMETER_VALUE: Self = Self(*b"22023");
    pub const INVALID_PASSWORD: Self = Self(*b"28P01");
    pub const IO_ERROR: Self = Self(*b"58030");
    pub const OBJECT_IN_USE: Self = Self(*b"55006");
    pub const PROGRAM_LIMIT_EXCEEDED: Self = Self(*b"54000");
    pub const PROTOCOL_VIOLATION: Self = Self(*b"08P01");
    pub const QUERY_CANCELED: Self = Self(*b"57014");
    pub const STATEMENT_TOO_COMPLEX: Self = Self(*b"54001");
    pub const SYNTAX_ERROR: Self = Self(*b"42601");
    pub const TOO_MANY_CONNECTIONS: Self = Self(*b"53300");
    pub const UNDEFINED_OBJECT: Self = Self(*b"42704");
    pub const UNDEFINED_TABLE: Self = Self(*b"42P01");

    /// The code in `text`, if it has the shape of one: five of `0-9A-Z`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let code: [u8; 5] = text.try_into().ok()?;
        code.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()).then_some(Self(code))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How bad it is, in the words of ErrorResponse and NoticeResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Fatal,
    Notice,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Notice => "NOTICE",
        }
    }
}

/// What a client may be told: never a data value, always a SQLSTATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub severity: Severity,
    pub state: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// The character of the statement's text that it is about, from 1.
    pub position: Option<usize>,
}

impl Report {
    pub fn error(state: SqlState, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { severity: Severity::Error, state, message, detail: None, hint: None, position: None }
    }

    pub fn fatal(state: SqlState, message: impl Into<String>) -> Self {
        Self { severity: Severity::Fatal, ..Self::error(state, message) }
    }

    pub fn notice(message: impl Into<String>) -> Self {
        Self { severity: Severity::Notice, ..Self::error(SqlState(*b"00000"), message) }
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
