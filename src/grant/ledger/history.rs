//! What is remembered of what is long over: how much was granted at once, and which emergencies
//! nobody has looked at.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use crate::grant::{Grant, GrantId, Request};
use crate::model::Timestamp;

/// What `auto_per_week` looks back on.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Grants without an approval, by policy and user: when.
    at_once: HashMap<(String, String), VecDeque<Timestamp>>,
    /// Break-glass grants that wait for their review: whose, and until when.
    unreviewed: BTreeMap<GrantId, (String, Timestamp)>,
}

impl History {
    pub(super) fn granted(&mut self, grant: &Grant, at: Timestamp) {
        if let (Some(policy), true) = (&grant.policy, grant.approvers.is_empty()) {
            self.note(policy, &grant.requester, at);
        }
        if let Some(review) = &grant.review {
            self.unreviewed.insert(grant.id, (grant.requester.clone(), review.due));
        }
    }

    pub(super) fn extended(&mut self, request: &Request, at: Timestamp) {
        if request.approved_by.is_empty() {
            self.note(&request.policy, &request.requester, at);
        }
    }

    fn note(&mut self, policy: &str, user: &str, at: Timestamp) {
        self.at_once.entry((policy.to_owned(), user.to_owned())).or_default().push_back(at);
    }

    pub(super) fn reviewed(&mut self, grant: GrantId) -> bool {
        self.unreviewed.remove(&grant).is_some()
    }

    /// How many grants the user got without an approval in the last seven days.
    pub(super) fn at_once(&self, policy: &str, user: &str, now: Timestamp) -> u32 {
        let since = now.checked_sub(WEEK).unwrap_or(Timestamp::MIN);
        let times = self.at_once.get(&(policy.to_owned(), user.to_owned()));
        let count = times.map_or(0, |times| times.iter().filter(|at| **at > since).count());
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// A break-glass grant of the user whose review is overdue.
    pub(super) fn overdue(&self, user: &str, now: Timestamp) -> Option<GrantId> {
        let late = |(id, (whose, due)): (&GrantId, &(String, Timestamp))| {
            (whose == user && now >= *due).then_some(*id)
        };
        self.unreviewed.iter().find_map(late)
    }

    /// How many break-glass grants wait for their review.
    pub(super) fn unreviewed_count(&self) -> usize {
        self.unreviewed.len()
    }

    pub(super) fn is_unreviewed(&self, grant: GrantId) -> bool {
        self.unreviewed.contains_key(&grant)
    }

    /// Drops what nobody asks about any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let since = now.checked_sub(WEEK).unwrap_or(Timestamp::MIN);
        self.at_once.retain(|_, times| {
            while times.front().is_some_and(|at| *at <= since) {
                times.pop_front();
            }
            !times.is_empty()
        });
    }
}
