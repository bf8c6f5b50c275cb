//! One statement that showed values of the table.

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use crate::audit::Record;
use crate::model::Timestamp;

/// Who saw what of the row, or may have, by which grants.
#[derive(Clone, Debug, Serialize)]
pub struct Sight {
    /// The record's number.
    pub seq: u64,
    pub time: Timestamp,
    pub session: u64,
    pub statement: u64,
    pub user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    pub application: String,
    pub database: String,
    /// Columns of the table that were shown raw.
    pub columns: Vec<String>,
    /// Columns of it that were compared with values of the user.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub looked_up: Vec<String>,
    pub rows: u64,
    pub grants: Vec<u64>,
    /// Key columns by which the row was told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
}

/// Why nobody knows whether the row was among those shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Doubt {
    /// Of so many rows it could not be told whose values they show.
    Unknown { rows: u64 },
    /// So many rows were beyond the limit of what a record names.
    Beyond { rows: u64 },
    /// Rows were told by other keys than those asked for.
    OtherKeys { by: Vec<String> },
    /// The record of the statement's end is missing: the process was killed.
    NoEnd,
    /// The record is of a version that did not say whose rows they were.
    NotRecorded,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { rows } => write!(f, "{rows} rows do not tell whose values they show"),
            Self::Beyond { rows } => write!(f, "{rows} rows are only counted"),
            Self::OtherKeys { by } => write!(f, "rows are told by {} alone", by.join(", ")),
            Self::NoEnd => f.write_str("there is no record of its end"),
            Self::NotRecorded => f.write_str("its record does not tell whose rows it showed"),
        }
    }
}

/// Why somebody was allowed to.
#[derive(Clone, Debug, Serialize)]
pub struct GrantSaid {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked for it, or made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    pub approvers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

impl Sight {
    /// None if the record shows nothing of the table.
    pub(super) fn of(record: &Record, table: &str) -> Option<Self> {
        let of_table = |names: &[String]| -> Vec<String> {
            let column =
                |name: &String| name.strip_prefix(table)?.strip_prefix('.').map(str::to_owned);
            names.iter().filter_map(column).collect()
        };
        let columns = of_table(&record.raw_columns);
        let looked_up = of_table(&record.looked_up_columns);
        if columns.is_empty() && looked_up.is_empty() {
            return None;
        }
        Some(Self {
            seq: record.seq,
            time: record.time,
            session: record.session?,
            statement: record.statement?,
            user: record.user.clone().unwrap_or_default(),
            address: record.address,
            application: record.application.clone().unwrap_or_default(),
            database: record.database.clone().unwrap_or_default(),
            columns,
            looked_up,
            rows: record.rows(),
            grants: record.grants.clone(),
            by: Vec::new(),
            doubt: None,
        })
    }
}
