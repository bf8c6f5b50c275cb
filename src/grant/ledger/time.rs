//! What time brings: beginnings, ends, lapses, disuse, and forgetting.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::{Entry, Ledger};
use crate::grant::{GrantEvent, GrantId, GrantState};
use crate::model::Timestamp;

/// Who ends grants that nobody uses.
const DISUSE: &str = "disuse";

impl Ledger {
    /// The next moment after `now` at which a grant begins or ends by time, or somebody's grants
    /// count again.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let after = Bound::Excluded((now, GrantId::MAX));
        let next = |times: &BTreeSet<(Timestamp, GrantId)>| {
            times.range((after, Bound::Unbounded)).next().map(|(at, _)| *at)
        };
        let suspension = self.restrictions.next_end(now);
        next(&self.begins).into_iter().chain(next(&self.ends)).chain(suspension).min()
    }

    /// The events that are due and not written yet, at most `limit`: what has expired or lapsed,
    /// what is used up, what nobody has used for too long.
    pub fn due(&self, now: Timestamp, limit: usize) -> Vec<GrantEvent> {
        let over = self.ends.iter().take_while(|(end, _)| *end <= now);
        let expired = over.map(|(_, grant)| GrantEvent::Expired { grant: *grant });
        let late = self.lapses.iter().take_while(|(end, _)| *end <= now);
        let lapsed = late.map(|(_, request)| GrantEvent::Lapsed { request: *request });
        let limited = self.limited.iter().filter_map(|id| self.grants.get(id));
        let used = limited.filter_map(|entry| entry.used_up(now));
        expired.chain(lapsed).chain(used).take(limit).collect()
    }

    /// Whether somebody has to look at counts now and then.
    pub fn has_limits(&self) -> bool {
        !self.limited.is_empty()
    }

    /// Forgets what ended before `horizon`; the events stay in the store.
    pub fn forget(&mut self, horizon: Timestamp, now: Timestamp) {
        let history = &self.history;
        self.grants.retain(|id, entry| {
            entry.ended.as_ref().is_none_or(|end| end.at >= horizon) || history.is_unreviewed(*id)
        });
        self.requests.retain(|_, request| request.decided_at.is_none_or(|at| at >= horizon));
        self.history.forget(now);
        self.restrictions.forget(now);
    }
}

impl Entry {
    /// What a grant with limits has come to.
    fn used_up(&self, now: Timestamp) -> Option<GrantEvent> {
        let (grant, budget) = (&self.live.grant, self.live.budget.as_ref()?);
        if grant.expires_at.is_some_and(|end| end <= now) {
            return None;
        }
        if budget.is_spent() && self.exhausted.is_none() {
            return Some(GrantEvent::Exhausted { grant: grant.id });
        }
        let since = budget.used_at().map_or(grant.not_before, |at| at.max(grant.not_before));
        let end = since.checked_add(budget.limits().unused?).ok()?;
        let active = self.view(now).state == GrantState::Active;
        (active && end <= now)
            .then(|| GrantEvent::Revoked { grant: grant.id, by: DISUSE.to_owned() })
    }
}
