//! What a report is made of.

use crate::audit::report::{Asked, Sums};
use crate::model::Timestamp;

pub(super) struct Told<'a> {
    pub(super) sums: &'a Sums,
    pub(super) asked: &'a Asked,
    /// What the chain says of the log, in words.
    pub(super) chain: &'a str,
    /// Whether it holds.
    pub(super) whole: bool,
    pub(super) now: Timestamp,
}

impl Told<'_> {
    /// `2026-01-01T00:00:00Z to now`, or what the records say where nothing was asked.
    pub(super) fn period(&self) -> String {
        let begin = self.asked.since.or(self.sums.all.first).map(time);
        let end = self.asked.until.or(self.sums.all.last).map(time);
        match (begin, end) {
            (Some(begin), Some(end)) => format!("{begin} to {end}"),
            (Some(begin), None) => format!("from {begin} on"),
            (None, Some(end)) => format!("until {end}"),
            (None, None) => "all of the log".to_owned(),
        }
    }
}

pub(super) fn time(time: Timestamp) -> String {
    format!("{time:.0}")
}
