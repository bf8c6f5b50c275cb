//! What a statement leaves behind.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::Names;
use crate::audit::normalize::{Normalized, Strings, normalize};
use crate::audit::subject::Shown;
use crate::model::{Client, SqlState};

/// A client's SQL on its way to the normalizer: never printed, written without its literals.
#[derive(Clone)]
pub struct StatementText {
    sql: Bytes,
    strings: Strings,
}

impl StatementText {
    /// `strings` is how the server read string constants when the statement arrived.
    pub fn new(sql: Bytes, strings: Strings) -> Self {
        Self { sql, strings }
    }

    pub(super) fn len(&self) -> usize {
        self.sql.len()
    }

    pub(super) fn normalized(&self) -> Normalized {
        normalize(&self.sql, self.strings)
    }

    /// For the normalizer alone.
    pub(in crate::audit) fn parts(&self) -> (&[u8], Strings) {
        (&self.sql, self.strings)
    }
}

impl fmt::Debug for StatementText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatementText(…)")
    }
}

/// One statement after its end.
#[derive(Clone, Debug)]
pub struct Statement {
    pub session: u64,
    /// The statement's number within its session.
    pub statement: u64,
    pub client: Arc<Client>,
    pub text: StatementText,
    pub relations: Names,
    /// Every PII column touched, `schema.table.column`.
    pub pii_columns: Names,
    pub raw_columns: Names,
    /// Columns compared with values of the client, as they are stored.
    pub looked_up_columns: Names,
    pub masked_columns: Names,
    pub gates: Gates,
    pub decision: Decision,
    pub grants: Vec<u64>,
    /// Rows sent to the client, or affected.
    pub rows: u64,
    /// Bytes of row data sent to the client.
    pub bytes: u64,
    pub duration_us: u64,
    pub sqlstate: Option<SqlState>,
    /// Whose rows were shown raw; None where none were.
    pub subjects: Option<Box<Shown>>,
}

/// The write-ahead record of a raw release: durable before the first raw byte leaves (law 8).
#[derive(Clone, Debug)]
pub struct Release {
    pub session: u64,
    pub statement: u64,
    pub client: Arc<Client>,
    pub text: StatementText,
    pub columns: Names,
    /// Columns compared with values of the client, as they are stored.
    pub lookups: Names,
    pub grants: Vec<u64>,
}

/// What each gate said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Gates {
    pub mention: Mention,
    pub analysis: Analysis,
    pub provenance: Provenance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mention {
    Clear,
    Hit,
    /// There is no fast path in this state of the session.
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Analysis {
    NotRun,
    Clear,
    Show,
    Compute,
    Refuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    NotRun,
    Passed,
    /// PII would have gone out raw without a grant; nothing was released.
    Violated,
    /// The result named a relation that the snapshot did not know.
    Unknown,
}

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Clear,
    /// Masked on the wire.
    Shown,
    /// Masked below the query.
    Computed,
    Raw,
    Refused,
    /// Ended in the middle of its result: the grant was over.
    Cut,
    /// Answered by the proxy itself.
    Local,
    /// Would have been masked or refused, but only observation is configured.
    Observed,
}

impl Decision {
    /// The decision of that word, as records have it.
    pub fn named(word: &str) -> Option<Self> {
        serde_json::from_value(word.into()).ok()
    }
}
