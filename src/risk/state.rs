//! All that is remembered, in bounds.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::person::{COLUMNS_MAX, Person, Quiet};
use super::window::Window;
use crate::model::Timestamp;

/// So many users are remembered; those who were seen last stay.
const USERS_MAX: usize = 10_000;

/// So many groups, the first ones.
const GROUPS_MAX: usize = 1_000;

/// So many grants that have not ended; the oldest are forgotten.
const GRANTS_MAX: usize = 20_000;

/// So many names and addresses of failed logins; those that failed last stay.
const STRANGERS_MAX: usize = 10_000;

/// What the rules remember; can be kept and taken up again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    people: BTreeMap<String, Person>,
    groups: BTreeMap<String, BTreeSet<String>>,
    grants: BTreeMap<u64, Known>,
    /// Failed logins by claimed name or by address.
    strangers: BTreeMap<String, Stranger>,
}

/// A grant that has not ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) subject: String,
    pub(super) granted_at: Timestamp,
    pub(super) granted_seq: u64,
    pub(super) approvers: Vec<String>,
    pub(super) used: bool,
}

/// Whoever fails to log in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stranger {
    pub(super) last: Timestamp,
    pub(super) window: Window,
    pub(super) quiet: Option<Quiet>,
}

impl State {
    pub(super) fn person(&mut self, name: &str, at: Timestamp) -> &mut Person {
        if !self.people.contains_key(name) {
            make_room(&mut self.people, USERS_MAX, |person| person.last);
            self.people.insert(name.to_owned(), Person::new(at));
        }
        // It is there: it was, or was inserted.
        self.people.entry(name.to_owned()).or_insert_with(|| Person::new(at))
    }

    pub(super) fn stranger(&mut self, key: String, at: Timestamp) -> &mut Stranger {
        if !self.strangers.contains_key(&key) {
            make_room(&mut self.strangers, STRANGERS_MAX, |stranger| stranger.last);
        }
        let new = || Stranger { last: at, window: Window::default(), quiet: None };
        let stranger = self.strangers.entry(key).or_insert_with(new);
        stranger.last = stranger.last.max(at);
        stranger
    }

    /// Whether somebody in one of the groups has seen the column's raw values before.
    pub(super) fn colleague_knows(&self, groups: &[String], column: &str) -> bool {
        groups
            .iter()
            .any(|group| self.groups.get(group).is_some_and(|columns| columns.contains(column)))
    }

    pub(super) fn group_touches(&mut self, groups: &[String], columns: &[String]) {
        for group in groups {
            if !self.groups.contains_key(group) && self.groups.len() >= GROUPS_MAX {
                continue;
            }
            let known = self.groups.entry(group.clone()).or_default();
            for column in columns {
                if known.len() < COLUMNS_MAX && !known.contains(column) {
                    known.insert(column.clone());
                }
            }
        }
    }

    pub(super) fn granted(&mut self, id: u64, known: Known) {
        if self.grants.len() >= GRANTS_MAX {
            self.grants.pop_first();
        }
        self.grants.insert(id, known);
    }

    pub(super) fn grant(&mut self, id: u64) -> Option<&mut Known> {
        self.grants.get_mut(&id)
    }

    pub(super) fn ended(&mut self, id: u64) -> Option<Known> {
        self.grants.remove(&id)
    }
}

/// Forgets an eighth of them when there are as many as there may be: those seen longest ago.
fn make_room<T>(all: &mut BTreeMap<String, T>, max: usize, last: impl Fn(&T) -> Timestamp) {
    if all.len() < max {
        return;
    }
    let mut times: Vec<Timestamp> = all.values().map(&last).collect();
    times.sort_unstable();
    let horizon = times[times.len() / 8];
    all.retain(|_, one| last(one) > horizon);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_seen_last_stays() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut state = State::default();
        for (number, second) in (0..3 * USERS_MAX).zip(0..) {
            state.person(&format!("user{number}"), at(second));
            assert!(state.people.len() <= USERS_MAX);
            state.stranger(format!("name:{number}"), at(second));
            assert!(state.strangers.len() <= STRANGERS_MAX);
        }
        assert!(state.people.contains_key(&format!("user{}", 3 * USERS_MAX - 1)));
        assert!(!state.people.contains_key("user0"));
    }
}
