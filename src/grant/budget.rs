use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Grant, GrantId, Limits, Used};
use crate::model::Timestamp;

/// What a grant was used for, or set apart for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Set apart for the process that says so; negative: given back.
    pub rows: i64,
    pub uses: u64,
    /// Subjects that were not seen before, as hashes of relation and key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<u64>,
}

/// Something of a limited grant that has to be in the store before it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// One statement; it begins the time of a grant that waits for its first use.
    Use(GrantId),
    /// So many rows at least; more are set apart, so that not every row needs a write.
    Rows {
        grant: GrantId,
        rows: u64,
    },
    Subject {
        grant: GrantId,
        subject: u64,
    },
}

/// What is left of a limited grant. Whatever is shown was counted in the store before: nothing is
/// had twice, by whichever proxy and whatever is killed.
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
    /// As the store counts them, those that are only set apart included.
    rows: u64,
    uses: u64,
    subjects: HashSet<u64>,
    /// Rows of this process that nobody has seen yet.
    left: u64,
    /// Whether any were taken since it was last looked at.
    busy: bool,
    used_at: Option<Timestamp>,
    /// Used since the store was last told.
    touched: bool,
}

/// Where an event of the store comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// What it sets apart is for this process.
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

/// The most rows that are set apart at once.
const BLOCK_ROWS_MAX: u64 = 1_000;

/// A block is at most this part of all rows, so that several proxies can share them.
const BLOCK_PART: u64 = 8;

impl Budget {
    /// The budget of a grant that has not been used; None where nothing has to be counted.
    pub fn of(grant: &Grant) -> Option<Arc<Self>> {
        let limits = grant.limits;
        let spent = [limits.max_rows, limits.max_uses].contains(&Some(0));
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

    /// Whether no further statement can have anything of it.
    pub fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Acquire)
    }

    /// Notes that a statement runs under it now.
    pub fn touch(&self, now: Timestamp) {
        let mut state = self.lock();
        state.used_at = state.used_at.max(Some(now));
        state.touched = true;
    }

    /// So many rows with raw values, of those that are set apart.
    ///
    /// # Errors
    /// What has to be claimed first; nothing was taken.
    pub fn take_rows(&self, rows: u64) -> Result<(), Claim> {
        if self.limits.max_rows.is_none() {
            return Ok(());
        }
        let mut state = self.lock();
        state.busy = true;
        if state.left < rows {
            return Err(Claim::Rows { grant: self.grant, rows });
        }
        state.left -= rows;
        self.note(&state);
        Ok(())
    }

    /// Takes back what [`Self::take_rows`] took and nobody has seen.
    pub fn put_back(&self, rows: u64) {
        if self.limits.max_rows.is_some() {
            let mut state = self.lock();
            state.left += rows;
            self.note(&state);
        }
    }

    /// A subject, by a hash of its relation and key; one that was seen before costs nothing.
    ///
    /// # Errors
    /// What has to be claimed first.
    pub fn take_subject(&self, subject: u64) -> Result<(), Claim> {
        let known = self.limits.max_subjects.is_none() || self.lock().subjects.contains(&subject);
        if known { Ok(()) } else { Err(Claim::Subject { grant: self.grant, subject }) }
    }

    /// What an event has to say so that the claim is met; None: it is met already.
    ///
    /// # Errors
    /// [`Spent`]: there is not enough left.
    pub fn meet(&self, claim: Claim) -> Result<Option<Usage>, Spent> {
        let state = self.lock();
        let spent = |limit| Err(Spent { grant: self.grant, limit });
        match claim {
            Claim::Use(_) => match self.limits.max_uses {
                None => Ok(None),
                Some(max) if state.uses >= max => spent(Limit::Uses(max)),
                Some(_) => Ok(Some(Usage { uses: 1, ..Usage::default() })),
            },
            Claim::Rows { rows, .. } => {
                let max = self.limits.max_rows.unwrap_or(u64::MAX);
                let free = max.saturating_sub(state.rows);
                if state.left >= rows {
                    return Ok(None);
                }
                let missing = rows - state.left;
                if free < missing {
                    return spent(Limit::Rows(max));
                }
                let block = (max / BLOCK_PART).clamp(1, BLOCK_ROWS_MAX).max(missing).min(free);
                Ok(Some(Usage { rows: i64::try_from(block).unwrap_or(0), ..Usage::default() }))
            }
            Claim::Subject { subject, .. } => {
                let max = self.limits.max_subjects.unwrap_or(u64::MAX);
                if state.subjects.contains(&subject) {
                    return Ok(None);
                }
                if state.subjects.len() as u64 >= max {
                    return spent(Limit::Subjects(max));
                }
                Ok(Some(Usage { subjects: vec![subject], ..Usage::default() }))
            }
        }
    }

    /// What the store is told now and then: rows that nobody wants any more are given back, and
    /// that it was used.
    pub fn untold(&self) -> Option<Usage> {
        let mut state = self.lock();
        let busy = std::mem::take(&mut state.busy);
        let idle = if busy { 0 } else { state.left };
        let rows = i64::try_from(idle).unwrap_or(0);
        let tells_use = self.limits.unused.is_some() && state.touched;
        if rows == 0 && !tells_use {
            return None;
        }
        // They are gone before the store hears of it: nobody can take them meanwhile.
        state.left -= idle;
        self.note(&state);
        Some(Usage { rows: -rows, ..Usage::default() })
    }

    /// The store has this.
    pub fn stored(&self, usage: &Usage, origin: Origin, at: Timestamp) {
        let mut state = self.lock();
        state.rows = state.rows.saturating_add_signed(usage.rows);
        state.uses += usage.uses;
        state.used_at = state.used_at.max(Some(at));
        state.subjects.extend(&usage.subjects);
        if origin == Origin::Here {
            state.left += u64::try_from(usage.rows).unwrap_or(0);
            state.touched = false;
        }
        self.note(&state);
    }

    /// Notes whether the next statement would be one too many. Subjects do not count here: those
    /// that were seen may be seen again.
    fn note(&self, state: &State) {
        let rows = self.limits.max_rows.is_some_and(|max| state.rows >= max && state.left == 0);
        let uses = self.limits.max_uses.is_some_and(|max| state.uses >= max);
        self.spent.store(rows || uses, Ordering::Release);
    }

    /// All that was used as far as this process knows.
    pub fn used(&self) -> Used {
        let state = self.lock();
        Used {
            rows: state.rows.saturating_sub(state.left),
            uses: state.uses,
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

impl Claim {
    pub fn grant(self) -> GrantId {
        match self {
            Self::Use(grant) | Self::Rows { grant, .. } | Self::Subject { grant, .. } => grant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::fixture::{at, granted};

    fn budget(limits: Limits) -> Arc<Budget> {
        Budget::of(&Grant { limits, ..granted("customers.email", 30) }).unwrap()
    }

    fn rows(max: u64) -> Arc<Budget> {
        budget(Limits { max_rows: Some(max), ..Limits::default() })
    }

    /// Meets the claim as the store does.
    fn claim(budget: &Budget, claim: Claim) -> Result<(), Spent> {
        if let Some(usage) = budget.meet(claim)? {
            budget.stored(&usage, Origin::Here, at(0));
        }
        Ok(())
    }

    fn take(budget: &Budget, count: u64) -> Result<(), Spent> {
        loop {
            match budget.take_rows(count) {
                Ok(()) => return Ok(()),
                Err(wanted) => claim(budget, wanted)?,
            }
        }
    }

    #[test]
    fn sixteen_threads_take_exactly_what_there_is() {
        let (budget, store) = (rows(1003), Mutex::new(()));
        let one = || {
            // The store does one thing after the other.
            let _order = store.lock().unwrap();
            take(&budget, 1).is_ok()
        };
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..16).map(|_| scope.spawn(|| (0..1000).filter(|_| one()).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 1003);
        assert!(budget.is_spent() && budget.used().rows == 1003);
    }

    #[test]
    fn two_processes_share_what_there_is_and_give_back_what_they_do_not_need() {
        let (here, there) = (rows(20), rows(20));
        let mut taken = 0;
        let both = |one: &Budget, other: &Budget| {
            let wanted = Claim::Rows { grant: one.grant(), rows: 1 };
            let Some(usage) = one.meet(wanted)? else { return Ok(()) };
            one.stored(&usage, Origin::Here, at(0));
            other.stored(&usage, Origin::Elsewhere, at(0));
            Ok::<(), Spent>(())
        };
        both(&here, &there).unwrap();
        while both(&there, &here).is_ok() {
            taken += u64::from(there.take_rows(1).is_ok());
        }
        assert_eq!((taken, here.used().rows), (18, 18), "two are set apart here");
        assert!(there.is_spent() && !here.is_spent());
        assert_eq!(here.untold(), Some(Usage { rows: -2, ..Usage::default() }));
        let back = Usage { rows: -2, ..Usage::default() };
        here.stored(&back, Origin::Here, at(1));
        there.stored(&back, Origin::Elsewhere, at(1));
        assert!(here.take_rows(1).is_err() && both(&there, &here).is_ok());
        assert!(there.take_rows(2).is_ok(), "given back and taken there");
    }

    #[test]
    fn what_is_in_use_is_not_given_back() {
        let budget = rows(100);
        take(&budget, 1).unwrap();
        assert_eq!(budget.untold(), None, "it was taken from just now");
        assert_eq!(budget.untold(), Some(Usage { rows: -11, ..Usage::default() }));
        budget.put_back(1);
        assert!(budget.take_rows(1).is_ok());
    }

    #[test]
    fn a_process_that_was_killed_has_used_what_was_set_apart_for_it() {
        let (before, after) = (rows(20), rows(20));
        let wanted = Claim::Rows { grant: before.grant(), rows: 1 };
        let usage = before.meet(wanted).unwrap().unwrap();
        after.stored(&usage, Origin::Elsewhere, at(0));
        let mut taken = 0;
        while take(&after, 1).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, 18);
    }

    #[test]
    fn uses_and_subjects_are_those_of_the_store() {
        let budget = budget(Limits {
            max_uses: Some(1),
            max_subjects: Some(2),
            unused: Some(std::time::Duration::from_secs(60)),
            ..Limits::default()
        });
        budget.touch(at(5));
        assert_eq!(budget.untold(), Some(Usage::default()), "that it was used");
        claim(&budget, Claim::Use(1)).unwrap();
        assert!(claim(&budget, Claim::Use(1)).is_err() && budget.is_spent());
        assert_eq!(budget.used_at(), Some(at(5)));
        for subject in [1, 2, 1] {
            if let Err(wanted) = budget.take_subject(subject) {
                claim(&budget, wanted).unwrap();
            }
            budget.take_subject(subject).unwrap();
        }
        let third = budget.take_subject(3).unwrap_err();
        let limit = Limit::Subjects(2);
        assert_eq!(claim(&budget, third), Err(Spent { grant: budget.grant(), limit }));
        assert!(budget.take_subject(1).is_ok(), "those that were seen may be seen again");
    }

    #[test]
    fn nothing_is_counted_where_nothing_is_limited() {
        assert!(Budget::of(&granted("customers.email", 30)).is_none());
        assert!(budget(Limits { max_uses: Some(0), ..Limits::default() }).is_spent());
    }
}
