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
    /// So many statements; they begin the time of a grant that waits for its first use.
    Use {
        grant: GrantId,
        statements: u64,
    },
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
    rows_wanted: Lately,
    used_at: Option<Timestamp>,
    /// Whether it was used since the store was last told.
    used: Lately,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lately {
    #[default]
    No,
    Yes,
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
        state.used = Lately::Yes;
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
        state.rows_wanted = Lately::Yes;
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
            Claim::Use { statements, .. } => match self.limits.max_uses {
                None => Ok(None),
                Some(max) if state.uses.saturating_add(statements) > max => spent(Limit::Uses(max)),
                Some(_) => Ok(Some(Usage { uses: statements, ..Usage::default() })),
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
        let idle = match std::mem::take(&mut state.rows_wanted) {
            Lately::Yes => 0,
            Lately::No => state.left,
        };
        let rows = i64::try_from(idle).unwrap_or(0);
        let tells_use = self.limits.unused.is_some() && state.used == Lately::Yes;
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
            state.used = Lately::No;
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
            Self::Use { grant, .. } | Self::Rows { grant, .. } | Self::Subject { grant, .. } => {
                grant
            }
        }
    }
}

#[cfg(test)]
mod tests;
