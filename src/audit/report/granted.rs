//! Grants that a report tells of.

use std::borrow::Cow;

use super::{Asked, Row, Said, Sums};

/// A grant, what the log says of it, and what was done under it.
#[derive(Clone, Debug)]
pub struct Granted<'a> {
    pub id: u64,
    /// Nothing, if it is older than the log.
    pub said: Cow<'a, Said>,
    pub row: Cow<'a, Row>,
}

/// How a grant came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantedAs {
    /// On request, or by a DBA.
    Ordinary,
    /// In an emergency, before anybody was asked.
    BreakGlass,
    /// By the configuration, without an end.
    Standing,
}

impl GrantedAs {
    pub fn of(said: &Said) -> Self {
        match (said.break_glass, said.is_standing()) {
            (true, _) => Self::BreakGlass,
            (false, true) => Self::Standing,
            (false, false) => Self::Ordinary,
        }
    }
}

impl Sums {
    /// Grants that were used in the period, the most used first, and then those that were there
    /// and were not.
    pub fn granted(&self, asked: &Asked) -> Vec<Granted<'_>> {
        let used = self.grants.ranked().rows.into_iter().filter_map(|(key, row)| {
            let id: u64 = key.parse().ok()?;
            let said = self.book.get(id).map_or_else(|| Cow::Owned(Said::default()), Cow::Borrowed);
            Some(Granted { id, said, row: Cow::Borrowed(row) })
        });
        let idle = self.book.grants.iter().filter(|(id, said)| {
            let was_there = said.granted.is_some() && said.is_within(asked.since, asked.until);
            was_there && self.grants.get(&id.to_string()).is_none()
        });
        let idle = idle.map(|(id, said)| Granted {
            id: *id,
            said: Cow::Borrowed(said),
            row: Cow::Owned(Row::default()),
        });
        used.chain(idle).collect()
    }
}
