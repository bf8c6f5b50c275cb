//! The records, one variant of [`Event`] per kind of line.
//!
//! Lists that are empty and fields that are absent are left out of the line.

mod fields;
mod names;
mod plain;
mod signal;
mod statement;

use std::net::IpAddr;
use std::sync::Arc;

use super::Scope;
use crate::model::receipt::Attestation;
use crate::model::{Client, Timestamp};
pub(super) use fields::{client_fields, cut_name};
use fields::{maybe_name, moment, name, predicate, reason};
pub use names::Names;
pub use plain::plain_name;
pub use signal::Signal;
pub use statement::{
    Analysis, Decision, Gates, Mention, Provenance, Release, Statement, StatementText,
};

/// One line of the log.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// Not boxed: there is one for every statement, and another thread would have to free it.
    #[serde(skip_serializing)]
    Statement(Statement),
    #[serde(skip_serializing)]
    Release(Box<Release>),
    Login(Login),
    LoginFailed(LoginFailed),
    Logout(Logout),
    Explored(Explored),
    Grant(Box<Grant>),
    Signal(Box<Signal>),
    Configuration(Configuration),
    Catalog(CatalogChange),
    Repaired(Repaired),
    Retired(Retired),
    Lost(Lost),
    Started(Started),
    Stopped(Stopped),
}

impl Event {
    /// Which raw release this record allows once it is durable.
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Self::Release(release) => {
                Some(Scope { session: release.session, statement: release.statement })
            }
            Self::Statement(_)
            | Self::Login(_)
            | Self::LoginFailed(_)
            | Self::Logout(_)
            | Self::Explored(_)
            | Self::Grant(_)
            | Self::Signal(_)
            | Self::Configuration(_)
            | Self::Catalog(_)
            | Self::Repaired(_)
            | Self::Retired(_)
            | Self::Lost(_)
            | Self::Started(_)
            | Self::Stopped(_) => None,
        }
    }

    /// Whether rules over the log look for it: it says something of personal data, of who comes in,
    /// of grants or of signals. Most records are of statements that touch nothing of that.
    pub fn is_notable(&self) -> bool {
        match self {
            Self::Statement(statement) => {
                let honey =
                    statement.subjects.as_ref().is_some_and(|shown| !shown.honey.is_empty());
                !statement.pii_columns.is_empty()
                    || statement.decision == Decision::Refused
                    || honey
            }
            Self::Release(_)
            | Self::Login(_)
            | Self::LoginFailed(_)
            | Self::Grant(_)
            | Self::Signal(_) => true,
            Self::Logout(_)
            | Self::Explored(_)
            | Self::Configuration(_)
            | Self::Catalog(_)
            | Self::Repaired(_)
            | Self::Retired(_)
            | Self::Lost(_)
            | Self::Started(_)
            | Self::Stopped(_) => false,
        }
    }

    /// Bytes of client text that the event holds on to.
    pub fn text_bytes(&self) -> usize {
        self.text().map_or(0, StatementText::len)
    }

    fn text(&self) -> Option<&StatementText> {
        match self {
            Self::Statement(statement) => Some(&statement.text),
            Self::Release(release) => Some(&release.text),
            Self::Grant(grant) => grant.rows.as_ref(),
            Self::Login(_)
            | Self::LoginFailed(_)
            | Self::Logout(_)
            | Self::Explored(_)
            | Self::Signal(_)
            | Self::Configuration(_)
            | Self::Catalog(_)
            | Self::Repaired(_)
            | Self::Retired(_)
            | Self::Lost(_)
            | Self::Started(_)
            | Self::Stopped(_) => None,
        }
    }
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Login {
    pub session: u64,
    #[serde(flatten, serialize_with = "client_fields")]
    pub client: Arc<Client>,
    /// `scram`, `cert`, `trust` …
    pub method: &'static str,
    /// The TLS version, absent in plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct LoginFailed {
    pub session: u64,
    /// As claimed, if it is the name of somebody; see [`plain_name`].
    #[serde(serialize_with = "name")]
    pub user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    #[serde(serialize_with = "name")]
    pub database: String,
    pub method: &'static str,
    /// One of the words of `auth`, never what the client sent.
    pub reason: &'static str,
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Logout {
    pub session: u64,
    #[serde(flatten, serialize_with = "client_fields")]
    pub client: Arc<Client>,
    pub statements: u64,
    pub duration_us: u64,
    pub reason: &'static str,
    /// Who ended it, if all sessions of the user over HTTP were.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_name")]
    pub by: Option<String>,
}

/// Somebody has looked at the log itself, on a page of the console or over the API, or at what
/// somebody else would be shown.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Explored {
    #[serde(flatten, serialize_with = "client_fields")]
    pub client: Arc<Client>,
    /// Which fields of the form were asked for, and not what stood in them; `report`; `explain`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<&'static str>,
    /// Whose statement was explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
}

/// A step in the life of a request or a grant.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Grant {
    pub step: GrantStep,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<u64>,
    /// `alice` or `group:support`.
    #[serde(serialize_with = "name")]
    pub subject: String,
    #[serde(serialize_with = "name")]
    pub database: String,
    pub resources: Vec<String>,
    pub actions: Vec<String>,
    /// The row predicate; its constants are removed.
    #[serde(serialize_with = "predicate", skip_serializing_if = "Option::is_none")]
    pub rows: Option<StatementText>,
    #[serde(serialize_with = "moment", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    #[serde(serialize_with = "moment", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The requester's own words.
    #[serde(serialize_with = "reason", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who took this step; absent when it happened by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// From where and when it counts, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<String>,
    /// How far it reaches, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    pub urgency: Urgency,
    /// Of an approval and of a grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Box<Attestation>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    Ordinary,
    /// An emergency: nobody was asked before.
    BreakGlass,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantStep {
    Requested,
    Approved,
    Denied,
    Cancelled,
    /// Nobody decided in time.
    Lapsed,
    Granted,
    /// It lasts longer.
    Extended,
    /// Its time began with its first use.
    Started,
    /// Break-glass access was looked at.
    Reviewed,
    Revoked,
    Expired,
    Exhausted,
    /// A code of an approver's second factor was right.
    FactorUsed,
    /// A code was wrong, and the approval refused.
    FactorFailed,
    /// Something was taken from the subject for a time.
    Restricted,
    /// It was given back.
    Lifted,
}

impl GrantStep {
    /// The word of the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Lapsed => "lapsed",
            Self::Granted => "granted",
            Self::Extended => "extended",
            Self::Started => "started",
            Self::Reviewed => "reviewed",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
            Self::FactorUsed => "factor_used",
            Self::FactorFailed => "factor_failed",
            Self::Restricted => "restricted",
            Self::Lifted => "lifted",
        }
    }
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Configuration {
    pub step: ConfigurationStep,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// SHA-256 of the configuration file.
    pub digest: String,
    /// Keys that changed; never their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigurationStep {
    Loaded,
    Reloaded,
    /// The new one was invalid; the old one stays.
    Refused,
}

/// What is PII, or the schema under it, changed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CatalogChange {
    pub step: CatalogStep,
    pub database: String,
    pub epoch: u64,
    pub pii_columns: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogStep {
    Loaded,
    Refreshed,
    Refused,
}

/// The last record was cut short by a crash; it was removed before anything else was written.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Repaired {
    pub file: String,
    pub bytes: u64,
}

/// Files at the beginning of the log are removed, as their time is over. Stands in the log before
/// they go.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Retired {
    /// The last of them.
    pub file: String,
    /// Its last record.
    pub through: u64,
}

/// Records that could not be kept while the log could not be written.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Lost {
    pub records: u64,
    #[serde(serialize_with = "moment")]
    pub since: Option<Timestamp>,
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Started {
    pub version: &'static str,
    /// `enforce` or `observe`.
    pub mode: &'static str,
    /// [`super::schema::VERSION`]: what the records from here on follow.
    pub schema: u64,
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Stopped {
    pub reason: &'static str,
}
