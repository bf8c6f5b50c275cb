use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Grant, GrantId, Limits, Used};
use crate::model::Timestamp;

/// What a grant was used for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    pub rows: u64,
    pub uses: u64,
    /// Subjects that were not seen before, as keyed hashes: see [`Budget::take_subject`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<u64>,
}

impl Usage {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is left of a limited grant, counted exactly for all sessions of this proxy; what other
/// proxies have used is as old as the last event of the store.
///
/// Only statements that use a limited grant take its lock.
#[derive(Debug)]
pub struct Budget {
    grant: GrantId,
    limits: Limits,
    state: Mutex<State>,
    /// Some limit is reached: read without the lock.
    spent: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// In the store.
    stored: Counted,
    /// Rows that are not in the store yet.
    rows_pending: u64,
    subjects: HashSet<u64>,
    subjects_pending: Vec<u64>,
    used_at: Option<Timestamp>,
    /// Used since the store was last told.
    touched: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    rows: u64,
    uses: u64,
}

/// Where an event of the store comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// What it tells is pending here and is now stored.
    Here,
    Elsewhere,
}

/// A limit of the grant is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    pub grant: GrantId,
    pub limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Rows(u64),
    Uses(u64),
    Subjects(u64),
}

impl Budget {
    /// The budget of a grant that has not been used; None where nothing has to be counted.
    pub fn of(grant: &Grant) -> Option<Arc<Self>> {
        let limits = grant.limits;
        let spent = [limits.max_rows, limits.max_uses, limits.max_subjects].contains(&Some(0));
        (!limits.is_none()).then(|| {
            let (state, spent) = (Mutex::default(), AtomicBool::new(spent));
            Arc::new(Self { grant: grant.id, limits, state, spent })
        })
    }

    pub fn grant(&self) -> GrantId {
        self.grant
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether nothing more can be had of it.
    pub fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Acquire)
    }

    /// Whether there is a use left. Uses are taken by an event of the store, so that they count
    /// exactly among several proxies, and once for good.
    ///
    /// # Errors
    /// [`Spent`]: there is none.
    pub fn has_use(&self) -> Result<(), Spent> {
        let used = self.lock().stored.uses;
        self.room(used, 1, self.limits.max_uses, Limit::Uses)
    }

    /// A statement runs under it now.
    pub fn touch(&self, now: Timestamp) {
        let mut state = self.lock();
        state.used_at = state.used_at.max(Some(now));
        state.touched = true;
    }

    /// So many rows with raw values more.
    ///
    /// # Errors
    /// [`Spent`]: nothing was taken.
    pub fn take_rows(&self, rows: u64) -> Result<(), Spent> {
        let mut state = self.lock();
        let used = state.stored.rows + state.rows_pending;
        self.room(used, rows, self.limits.max_rows, Limit::Rows)?;
        state.rows_pending += rows;
        self.note(&state);
        Ok(())
    }

    /// A subject, by a hash of its relation and key; one that was seen before costs nothing.
    ///
    /// # Errors
    /// [`Spent`]: nothing was taken.
    pub fn take_subject(&self, hash: u64) -> Result<(), Spent> {
        let mut state = self.lock();
        if state.subjects.contains(&hash) {
            return Ok(());
        }
        let used = state.subjects.len() as u64;
        self.room(used, 1, self.limits.max_subjects, Limit::Subjects)?;
        state.subjects.insert(hash);
        state.subjects_pending.push(hash);
        Ok(())
    }

    fn room(
        &self,
        used: u64,
        more: u64,
        max: Option<u64>,
        limit: fn(u64) -> Limit,
    ) -> Result<(), Spent> {
        match max {
            Some(max) if used.saturating_add(more) > max => {
                Err(Spent { grant: self.grant, limit: limit(max) })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Notes whether the next statement would be one too many. Subjects do not count here: those
    /// that were seen may be seen again.
    fn note(&self, state: &State) {
        let reached = |max: Option<u64>, used: u64| max.is_some_and(|max| used >= max);
        let rows = reached(self.limits.max_rows, state.stored.rows + state.rows_pending);
        let uses = reached(self.limits.max_uses, state.stored.uses);
        self.spent.store(rows || uses, Ordering::Release);
    }

    /// What the store has not been told yet, if anything; it stays pending until
    /// [`Self::stored`].
    pub fn pending(&self) -> Option<Usage> {
        let state = self.lock();
        let usage =
            Usage { rows: state.rows_pending, uses: 0, subjects: state.subjects_pending.clone() };
        (state.touched || !usage.is_none()).then_some(usage)
    }

    /// The store has this.
    pub fn stored(&self, usage: &Usage, origin: Origin, at: Timestamp) {
        let mut state = self.lock();
        state.stored.rows += usage.rows;
        state.stored.uses += usage.uses;
        state.used_at = state.used_at.max(Some(at));
        state.subjects.extend(&usage.subjects);
        if origin == Origin::Here {
            state.rows_pending = state.rows_pending.saturating_sub(usage.rows);
            state.subjects_pending.retain(|subject| !usage.subjects.contains(subject));
            state.touched = false;
        }
        self.note(&state);
    }

    /// All that was used, stored or not.
    pub fn used(&self) -> Used {
        let state = self.lock();
        Used {
            rows: state.stored.rows + state.rows_pending,
            uses: state.stored.uses,
            subjects: state.subjects.len() as u64,
        }
    }

    /// When it was last used.
    pub fn used_at(&self) -> Option<Timestamp> {
        self.lock().used_at
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::fixture::{at, granted};

    fn budget(limits: Limits) -> Arc<Budget> {
        Budget::of(&Grant { limits, ..granted("customers.email", 30) }).unwrap()
    }

    #[test]
    fn sixteen_threads_take_exactly_what_there_is() {
        let budget = budget(Limits { max_rows: Some(1000), ..Limits::default() });
        let taken: usize = std::thread::scope(|scope| {
            let take = || (0..1000).filter(|_| budget.take_rows(1).is_ok()).count();
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 1000);
        assert!(budget.is_spent());
        assert_eq!(
            budget.take_rows(1),
            Err(Spent { grant: budget.grant(), limit: Limit::Rows(1000) })
        );
    }

    #[test]
    fn what_moves_to_the_store_is_not_counted_twice() {
        let budget = budget(Limits { max_rows: Some(10), ..Limits::default() });
        budget.take_rows(6).unwrap();
        let told = budget.pending().unwrap();
        budget.take_rows(1).unwrap();
        budget.stored(&told, Origin::Here, at(1));
        assert_eq!(budget.pending().unwrap().rows, 1, "taken meanwhile");
        assert_eq!(budget.used().rows, 7);
        budget.stored(&Usage { rows: 2, ..Usage::default() }, Origin::Elsewhere, at(2));
        assert_eq!(budget.used().rows, 9);
        assert!(budget.take_rows(2).is_err() && !budget.is_spent());
        budget.take_rows(1).unwrap();
        assert!(budget.is_spent());
    }

    #[test]
    fn uses_are_those_of_the_store() {
        let budget = budget(Limits { max_uses: Some(1), ..Limits::default() });
        budget.touch(at(5));
        assert!(budget.has_use().is_ok() && budget.pending().is_some());
        budget.stored(&Usage { uses: 1, ..Usage::default() }, Origin::Here, at(5));
        assert!(budget.has_use().is_err() && budget.is_spent() && budget.pending().is_none());
        assert_eq!(budget.used_at(), Some(at(5)));
    }

    #[test]
    fn a_subject_counts_once() {
        let budget = budget(Limits { max_subjects: Some(2), ..Limits::default() });
        for subject in [1, 2, 1, 2] {
            budget.take_subject(subject).unwrap();
        }
        assert!(budget.take_subject(3).is_err());
        assert!(!budget.is_spent(), "those that were seen may be seen again");
        let told = budget.pending().unwrap();
        assert_eq!(told.subjects, [1, 2]);
        budget.stored(&told, Origin::Here, at(1));
        assert!(budget.pending().is_none() && budget.take_subject(1).is_ok());
    }

    #[test]
    fn nothing_is_counted_where_nothing_is_limited() {
        assert!(Budget::of(&granted("customers.email", 30)).is_none());
        assert!(budget(Limits { max_uses: Some(0), ..Limits::default() }).is_spent());
    }
}
