//! What a statement leaves behind.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::fields::{client_fields, fingerprint, names, no_names, sqlstate, text_fields};
use crate::audit::normalize::{Normalized, Normalizer, Strings, normalize};
use crate::model::{Client, SqlState};

/// Names shared with the plan they come from: `schema.table` or `schema.table.column`.
pub type Names = Arc<[String]>;

/// A client's SQL on its way to the normalizer: never printed, serialized without its literals.
#[derive(Clone)]
pub struct StatementText(Form);

#[derive(Clone)]
enum Form {
    Raw(Bytes, Strings),
    Settled(Arc<Normalized>),
}

impl StatementText {
    /// `strings` is how the server read string constants when the statement arrived.
    pub fn new(sql: Bytes, strings: Strings) -> Self {
        Self(Form::Raw(sql, strings))
    }

    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Form::Raw(sql, _) => sql.len(),
            Form::Settled(_) => 0,
        }
    }

    pub(super) fn settle(&mut self, normalizer: &mut Normalizer) {
        if let Form::Raw(sql, strings) = &self.0 {
            self.0 = Form::Settled(normalizer.normalize(sql, *strings));
        }
    }

    pub(super) fn normalized(&self) -> Arc<Normalized> {
        match &self.0 {
            Form::Raw(sql, strings) => Arc::new(normalize(sql, *strings)),
            Form::Settled(normalized) => Arc::clone(normalized),
        }
    }
}

impl fmt::Debug for StatementText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatementText(…)")
    }
}

/// One statement after its end.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Statement {
    pub session: u64,
    /// The statement's number within its session.
    pub statement: u64,
    #[serde(flatten, serialize_with = "client_fields")]
    pub client: Arc<Client>,
    #[serde(flatten, serialize_with = "text_fields")]
    pub text: StatementText,
    #[serde(serialize_with = "names", skip_serializing_if = "no_names")]
    pub relations: Names,
    /// Every PII column touched, `schema.table.column`.
    #[serde(serialize_with = "names", skip_serializing_if = "no_names")]
    pub pii_columns: Names,
    #[serde(serialize_with = "names", skip_serializing_if = "no_names")]
    pub raw_columns: Names,
    /// Columns compared with values of the client, as they are stored.
    #[serde(serialize_with = "names", skip_serializing_if = "no_names")]
    pub looked_up_columns: Names,
    #[serde(serialize_with = "names", skip_serializing_if = "no_names")]
    pub masked_columns: Names,
    pub gates: Gates,
    pub decision: Decision,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<u64>,
    /// Rows sent to the client, or affected.
    pub rows: u64,
    /// Bytes of row data sent to the client.
    pub bytes: u64,
    pub duration_us: u64,
    #[serde(serialize_with = "sqlstate", skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<SqlState>,
}

/// The write-ahead record of a raw release: durable before the first raw byte leaves (law 8).
#[derive(Clone, Debug, serde::Serialize)]
pub struct Release {
    pub session: u64,
    pub statement: u64,
    #[serde(flatten, serialize_with = "client_fields")]
    pub client: Arc<Client>,
    #[serde(rename = "fingerprint", serialize_with = "fingerprint")]
    pub text: StatementText,
    #[serde(serialize_with = "names")]
    pub columns: Names,
    /// Columns compared with values of the client, as they are stored.
    #[serde(serialize_with = "names", skip_serializing_if = "no_names")]
    pub lookups: Names,
    pub grants: Vec<u64>,
}

/// What each gate said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Gates {
    pub mention: Mention,
    pub analysis: Analysis,
    pub provenance: Provenance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mention {
    Clear,
    Hit,
    /// There is no fast path in this state of the session.
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Analysis {
    NotRun,
    Clear,
    Show,
    Compute,
    Refuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
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
