//! Taking from users what they have, and giving it back.

use std::collections::BTreeMap;

use super::{Ledger, invalid, needs_control, refused};
use crate::grant::ask::text;
use crate::grant::policy::Allowed;
use crate::grant::{Change, GrantEvent, Policies, Restrict, Restricted, Restriction, Signalled};
use crate::model::{Report, SqlState, Timestamp, User};

/// Who restricts users when a rule over the audit log says so.
pub const RISK: &str = "risk";

/// So many users may be restricted at a time.
const RESTRICTED_MAX: usize = 100_000;

/// By user and kind, so that one of each kind is in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Restrictions(BTreeMap<(String, Restriction), Restricted>);

impl Restrictions {
    /// One of the same kind in force never becomes shorter by another.
    fn add(&mut self, restricted: Restricted) -> Change {
        let key = (restricted.user.clone(), restricted.restriction);
        let before = self.0.get(&key).filter(|before| before.holds(restricted.since));
        let until = match before {
            Some(before) => later(before.until, restricted.until),
            None => restricted.until,
        };
        let since = before.map_or(restricted.since, |before| before.since);
        let user = restricted.user.clone();
        let change = match restricted.restriction {
            Restriction::Suspended => Change::Suspends { user, until },
            Restriction::SecondApproval => Change::None,
        };
        self.0.insert(key, Restricted { since, until, ..restricted });
        change
    }

    fn remove(&mut self, user: &str) -> Change {
        self.0.remove(&(user.to_owned(), Restriction::SecondApproval));
        match self.0.remove(&(user.to_owned(), Restriction::Suspended)) {
            Some(_) => Change::Resumes { user: user.to_owned() },
            None => Change::None,
        }
    }

    fn find(&self, user: &str, kind: Restriction, now: Timestamp) -> Option<&Restricted> {
        self.0.get(&(user.to_owned(), kind)).filter(|restricted| restricted.holds(now))
    }

    /// The next end after `now` of a suspension.
    pub(super) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.0.values().filter_map(|restricted| restricted.until).filter(|end| *end > now).min()
    }

    pub(super) fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, restricted| restricted.holds(now));
    }
}

/// The later of two ends; none at all is the latest.
fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.zip(other).map(|(one, other)| one.max(other))
}

impl Ledger {
    /// Takes from a user what a DBA says.
    ///
    /// # Errors
    /// Needs the role `control` and a reason.
    pub fn restrict(
        &self,
        by: &User,
        order: &Restrict,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        needs_control(by)?;
        if order.user.is_empty() {
            return Err(invalid("a restriction is of somebody"));
        }
        self.restricted(&by.name, order, now).map(|event| vec![event])
    }

    /// The same because a rule over the audit log says so; nothing if it is so already for as
    /// long.
    ///
    /// # Errors
    /// Too many are restricted.
    pub fn restrict_for_signal(
        &self,
        order: &Restrict,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        let event = self.restricted(RISK, order, now)?;
        let GrantEvent::Restricted { until, .. } = &event else { return Ok(vec![event]) };
        let before = self.restrictions.find(&order.user, order.restriction, now);
        let is_longer = before.is_none_or(|before| later(before.until, *until) != before.until);
        Ok(is_longer.then_some(event).into_iter().collect())
    }

    fn restricted(&self, by: &str, order: &Restrict, now: Timestamp) -> Result<GrantEvent, Report> {
        if self.restrictions.0.len() >= RESTRICTED_MAX {
            return Err(super::limit(format!("{RESTRICTED_MAX} restrictions are in force")));
        }
        let reason = text("reason", &order.reason)?;
        if reason.is_empty() {
            return Err(invalid("a restriction has a reason"));
        }
        let until = order.duration.map(|span| now.checked_add(span)).transpose();
        let until = until.map_err(|_| invalid("it would end after the end of time"))?;
        let (user, restriction) = (order.user.clone(), order.restriction);
        Ok(GrantEvent::Restricted { user, restriction, until, by: by.to_owned(), reason })
    }

    /// Gives a user back what was taken.
    ///
    /// # Errors
    /// Needs the role `control`; one's own is for somebody else to lift, and there has to be one.
    pub fn lift(&self, by: &User, user: &str, now: Timestamp) -> Result<Vec<GrantEvent>, Report> {
        needs_control(by)?;
        if *by.name == *user {
            return Err(refused("nobody lifts their own restrictions")
                .hint("Somebody else with the role \"control\" must."));
        }
        if !self.restrictions(now).iter().any(|restricted| restricted.user == user) {
            let message = format!("{user} is not restricted");
            return Err(Report::error(SqlState::UNDEFINED_OBJECT, message)
                .hint("SHOW RESTRICTIONS lists who is."));
        }
        Ok(vec![GrantEvent::Lifted { user: user.to_owned(), by: by.name.to_string() }])
    }

    /// Puts a signal among the events, so that whoever follows them is told.
    pub fn signal(&self, signal: Signalled) -> Vec<GrantEvent> {
        vec![GrantEvent::Signalled { signal: Box::new(signal) }]
    }

    /// Who is restricted, by name.
    pub fn restrictions(&self, now: Timestamp) -> Vec<Restricted> {
        self.restrictions.0.values().filter(|restricted| restricted.holds(now)).cloned().collect()
    }

    /// Whose grants count for nothing, and until when.
    pub fn suspended(&self) -> impl Iterator<Item = (&str, Option<Timestamp>)> {
        let all = self.restrictions.0.values();
        let suspended = all.filter(|one| one.restriction == Restriction::Suspended);
        suspended.map(|one| (one.user.as_str(), one.until))
    }

    pub(super) fn take_restriction(&mut self, restricted: Restricted) -> Change {
        self.restrictions.add(restricted)
    }

    pub(super) fn take_lift(&mut self, user: &str) -> Change {
        self.restrictions.remove(user)
    }

    /// What was in force in `before` and is not here, in a store that was set back.
    pub(super) fn restrict_again(&self, before: &Self) -> Vec<GrantEvent> {
        let lost = before.restrictions.0.iter().filter(|(key, was)| {
            let is = self.restrictions.0.get(key);
            is.is_none_or(|is| later(is.until, was.until) != is.until)
        });
        let again = |(_, was): (_, &Restricted)| GrantEvent::Restricted {
            user: was.user.clone(),
            restriction: was.restriction,
            until: was.until,
            by: was.by.clone(),
            reason: was.reason.clone(),
        };
        lost.map(again).collect()
    }

    /// One approval more, for whom that is in force, and for who is suspended: nothing that they ask
    /// for meanwhile lies ready when that is lifted without anybody having looked. Where the policy names no approvers, those of
    /// all policies may.
    pub(super) fn one_more(
        &self,
        policies: &Policies,
        allowed: &mut Allowed,
        user: &User,
        now: Timestamp,
    ) -> Result<(), Report> {
        let found = [Restriction::SecondApproval, Restriction::Suspended]
            .into_iter()
            .find_map(|kind| self.restrictions.find(&user.name, kind, now));
        let Some(restricted) = found else { return Ok(()) };
        allowed.approvals = allowed.approvals.saturating_add(1);
        if allowed.approvers.is_empty() {
            let mut approvers: Vec<_> =
                policies.0.iter().flat_map(|policy| policy.approvers.iter().cloned()).collect();
            approvers.sort();
            approvers.dedup();
            allowed.approvers = approvers;
        }
        if allowed.approvers.is_empty() {
            let message = format!("nothing is granted to {} at once", user.name);
            return Err(refused(message)
                .detail(format!("One approval more is needed: {}.", restricted.reason))
                .hint("No policy names an approver; ask an administrator for a grant."));
        }
        Ok(())
    }
}
