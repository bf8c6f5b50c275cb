//! Rows by key, of which there is a bounded number.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::tally::{Item, Row};

/// Keys of a table that are told by themselves.
pub(super) const KEYS_MAX: usize = 10_000;
/// Sessions that the rows of a table remember together: some 16 MB.
const SESSIONS_MAX: usize = 1_000_000;

/// Rows by key. Beyond a number of keys those that matter least are summed up: each time there are
/// twice as many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    rows: HashMap<Box<str>, Row, foldhash::fast::FixedState>,
    keys_max: usize,
    /// Room for more sessions.
    room: usize,
    others: Row,
    /// Times that a row was summed up; one may come again.
    summed: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self::new(KEYS_MAX)
    }
}

impl Table {
    pub(super) fn new(keys_max: usize) -> Self {
        Self {
            rows: HashMap::default(),
            keys_max,
            room: SESSIONS_MAX,
            others: Row::default(),
            summed: 0,
        }
    }

    pub(super) fn take(&mut self, key: &str, item: Item) {
        match self.rows.get_mut(key) {
            Some(row) => row.take(item, &mut self.room),
            None => {
                self.rows.entry(key.into()).or_default().take(item, &mut self.room);
                self.shrink(2 * self.keys_max);
            }
        }
    }

    pub(super) fn merge(&mut self, later: Self, runs: u64) {
        for (key, row) in later.rows {
            self.rows.entry(key).or_default().merge(row, runs, &mut self.room);
            self.shrink(2 * self.keys_max);
        }
        self.others.merge(later.others, runs, &mut self.room);
        self.summed += later.summed;
    }

    /// Sums up the least if there are more than `keys` rows.
    fn shrink(&mut self, keys: usize) {
        if self.rows.len() <= keys {
            return;
        }
        let mut rows: Vec<_> = std::mem::take(&mut self.rows).into_iter().collect();
        rows.sort_by(|(a, one), (b, other)| order((a, one), (b, other)));
        for (_, row) in rows.split_off(self.keys_max) {
            self.summed += 1;
            self.room += row.sessions.count();
            // Which sessions of theirs are the same is not remembered.
            let Row { tally, sessions: _, first, last } = row;
            let row = Row { tally, sessions: Default::default(), first, last };
            self.others.merge(row, 0, &mut self.room);
        }
        self.rows = rows.into_iter().collect();
    }

    /// What matters most first, and then the rest of them, if there are more than can be told.
    pub fn ranked(&self) -> Ranked<'_> {
        let mut rows: Vec<(&str, &Row)> =
            self.rows.iter().map(|(key, row)| (&**key, row)).collect();
        rows.sort_by(|one, other| order(*one, *other));
        Ranked { rows, others: (self.summed > 0).then_some(&self.others) }
    }

    pub fn get(&self, key: &str) -> Option<&Row> {
        self.rows.get(key)
    }
}

/// What matters most comes first.
fn order((key, row): (&str, &Row), (other_key, other): (&str, &Row)) -> Ordering {
    other.tally.weight().cmp(&row.tally.weight()).then_with(|| key.cmp(other_key))
}

/// A table in its order.
#[derive(Clone, Debug)]
pub struct Ranked<'a> {
    pub rows: Vec<(&'a str, &'a Row)>,
    /// All others together, of which there are too many.
    pub others: Option<&'a Row>,
}
