//! What the report reads of a line, borrowed from it: there is one for every statement.

use std::borrow::Cow;

use serde::Deserialize;

use super::tally::Deed;
use crate::audit::Decision;
use crate::model::Timestamp;

/// A statement, a release, a login.
#[derive(Debug, Deserialize)]
pub(super) struct Act<'a> {
    pub(super) time: Timestamp,
    pub(super) session: Option<u64>,
    #[serde(borrow)]
    user: Option<Name<'a>>,
    #[serde(borrow)]
    database: Option<Name<'a>>,
    #[serde(default, borrow)]
    pii_columns: Vec<Name<'a>>,
    #[serde(default, borrow)]
    raw_columns: Vec<Name<'a>>,
    #[serde(default, borrow)]
    looked_up_columns: Vec<Name<'a>>,
    #[serde(default, borrow)]
    masked_columns: Vec<Name<'a>>,
    pub(super) decision: Option<Decision>,
    #[serde(default)]
    pub(super) grants: Vec<u64>,
    #[serde(default)]
    pub(super) rows: u64,
}

/// Only in a struct does serde borrow what is in a list.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Act<'a> {
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    pub(super) fn user(&self) -> &str {
        self.user.as_ref().map_or("", |Name(name)| name)
    }

    pub(super) fn database(&self) -> &str {
        self.database.as_ref().map_or("", |Name(name)| name)
    }

    /// Every column that is touched, once, and how.
    pub(super) fn deeds(&self) -> impl Iterator<Item = (&str, Deed)> {
        let lists =
            [&self.pii_columns, &self.raw_columns, &self.looked_up_columns, &self.masked_columns];
        let all = lists.into_iter().enumerate();
        let all = all.flat_map(|(at, names)| names.iter().map(move |name| (at, name)));
        let first = move |(at, name): &(usize, &Name<'_>)| {
            !lists[..*at].iter().any(|earlier| earlier.contains(name))
        };
        all.filter(first).map(|(_, name)| {
            let deed = Deed {
                raw: self.raw_columns.contains(name),
                looked_up: self.looked_up_columns.contains(name),
                masked: self.masked_columns.contains(name),
            };
            (&*name.0, deed)
        })
    }
}

pub(super) fn time(line: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct When {
        time: Timestamp,
    }
    serde_json::from_slice(line).ok().map(|When { time }| time)
}
