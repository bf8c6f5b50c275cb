//! What other proxies wrote, and what became of what was written here.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Writer, after, unwritable};
use crate::grant::{GrantEvent, RecordedEvent};
use crate::model::{Report, SqlState, Timestamp};
use crate::store::approvals::StoreError;
use crate::store::approvals::journal::{History, Journal, News, Outcome};
use crate::store::approvals::shared::empty_ledger;

/// Clocks of proxies may be apart from the database's by so much. Decisions go by the earlier of
/// both, so no grant ends later for it; what a proxy whose clock is behind shows, it shows so much
/// longer at most.
const SKEW_MAX: Duration = Duration::from_secs(5);

/// How often a change begins anew when the store was set back in between.
const BEGINNINGS_MAX: usize = 5;

/// How often it is asked what became of an append.
const QUESTIONS_MAX: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Within,
    Out,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Right,
    /// Too far from the database's.
    Wrong,
}

/// Everything in the store is known, and nobody else writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    /// Just before it was read.
    pub(super) at: Timestamp,
    /// When what is decided now is decided: never later than here or at the database.
    pub(super) decided_at: Timestamp,
}

impl Writer {
    /// # Errors
    /// Nothing was changed.
    pub(super) fn begin(&mut self) -> Result<Begun, Report> {
        self.begin_now().map_err(|error| {
            self.out_of_reach(&error);
            unwritable()
        })
    }

    pub(super) fn begin_now(&mut self) -> Result<Begun, StoreError> {
        for _ in 0..BEGINNINGS_MAX {
            let at = (self.shared.clock)();
            let journal = self.journal.as_mut().ok_or(StoreError::Stopped)?;
            let news = journal.begin()?;
            if news.history == History::Another {
                journal.release();
                self.start_over()?;
                continue;
            }
            self.absorb(&news.events)?;
            self.heard(at, &news);
            let now = (self.shared.clock)();
            let decided_at = news.time.map_or(now, |time| time.min(now));
            if self.over.is_empty() {
                return Ok(Begun { at, decided_at });
            }
            self.end_again(decided_at)?;
        }
        Err(StoreError::Unsettled)
    }

    /// Takes in what others wrote.
    pub(super) fn catch_up(&mut self) -> Result<(), StoreError> {
        let done = self.read_on();
        if let Err(error) = &done {
            self.out_of_reach(error);
        }
        self.settle();
        done
    }

    fn read_on(&mut self) -> Result<(), StoreError> {
        let at = (self.shared.clock)();
        self.next_poll = after(at, self.poll);
        let journal = self.journal.as_mut().ok_or(StoreError::Stopped)?;
        let news = journal.read()?;
        if news.history == History::Another {
            self.start_over()?;
            self.begin_now()?;
            if let Some(journal) = &mut self.journal {
                journal.release();
            }
            return Ok(());
        }
        self.absorb(&news.events)?;
        self.heard(at, &news);
        Ok(())
    }

    /// The store was read.
    fn heard(&mut self, at: Timestamp, news: &News) {
        if !self.journal.as_ref().is_some_and(Journal::is_shared) {
            return;
        }
        self.shared.synced(at);
        self.next_poll = after(at, self.poll);
        self.within_reach();
        let clock = self.check_clock(at, news);
        match (&clock, self.clock) {
            (Err(error), Clock::Right) => {
                tracing::error!(%error, "no grant counts until the clocks agree");
            }
            (Ok(()), Clock::Wrong) => tracing::info!("the clocks agree again"),
            (Err(_), Clock::Wrong) | (Ok(()), Clock::Right) => {}
        }
        self.clock = if clock.is_ok() { Clock::Right } else { Clock::Wrong };
        let replaced = news.events.iter().any(is_about_standing);
        if replaced && !self.shared.ledger().reconcile(&self.standing).is_empty() {
            tracing::warn!(
                "another proxy's configuration has changed the standing grants: they are not \
                 those of this configuration any more"
            );
        }
    }

    pub(super) fn within_reach(&mut self) {
        if self.reach == Reach::Out {
            tracing::info!("the approval store is within reach again");
            self.reach = Reach::Within;
        }
    }

    /// `before` is when the reading began.
    pub(super) fn check_clock(&self, before: Timestamp, news: &News) -> Result<(), StoreError> {
        let skew = skew(before, (self.shared.clock)(), news.time);
        if skew > SKEW_MAX {
            return Err(StoreError::Skew { skew, max: SKEW_MAX });
        }
        Ok(())
    }

    pub(super) fn tell_of_replaced(&self, events: &[RecordedEvent]) {
        let removed =
            |event: &RecordedEvent| matches!(event.event, GrantEvent::StandingRemoved { .. });
        let shared = self.journal.as_ref().is_some_and(Journal::is_shared);
        let count = events.iter().filter(|event| removed(event)).count();
        if shared && count > 0 {
            tracing::warn!(
                count,
                "standing grants end that this configuration does not have; if another proxy's \
                 has them, the two should be one"
            );
        }
    }

    /// Once for each time that it goes out of reach.
    pub(super) fn out_of_reach(&mut self, error: &StoreError) {
        if self.reach == Reach::Within {
            tracing::error!(%error, "the approval store cannot be read or written");
        } else {
            tracing::debug!(%error, "the approval store is still out of reach");
        }
        self.reach = Reach::Out;
        // Tried again at the next poll, not at the next proof.
        self.next_health = self.next_health.min(after((self.shared.clock)(), self.poll));
    }

    /// Finds out what became of an append that failed.
    pub(super) fn find_out(&mut self) -> Result<Vec<RecordedEvent>, Report> {
        if !self.journal.as_ref().is_some_and(Journal::is_shared) {
            // The next change begins with this.
            return Err(unwritable());
        }
        for _ in 0..QUESTIONS_MAX {
            let at = (self.shared.clock)();
            let journal = self.journal.as_mut().ok_or_else(unwritable)?;
            let Ok(news) = journal.begin() else { continue };
            journal.release();
            if news.history == History::Another {
                drop(self.start_over());
                return Err(unknown());
            }
            self.absorb(&news.events).map_err(|_| unwritable())?;
            self.heard(at, &news);
            return match news.outcome {
                Some(Outcome::Stored(recorded)) => Ok(recorded),
                Some(Outcome::Lost) => Err(unwritable()),
                None => Err(unknown()),
            };
        }
        Err(unknown())
    }

    /// The store was set back: what it holds now is all there is. What was over stays over, and
    /// what it does not have ends.
    fn start_over(&mut self) -> Result<(), StoreError> {
        let at = (self.shared.clock)();
        let journal = self.journal.as_mut().ok_or(StoreError::Stopped)?;
        tracing::error!(
            last = self.shared.ledger().sequence(),
            "the approval store was set back: events that this proxy knows are not in it; grants \
             that it does not have end, those that were over stay over"
        );
        let (news, fork) = journal.read_again()?;
        // What was delivered of the other history is no position in this one.
        let delivered = journal.delivered()?.min(fork);
        if let Err(error) = journal.set_delivered(delivered) {
            tracing::warn!(%error, "the next start will deliver events again");
        }
        let mut ledger = empty_ledger();
        for event in &news.events {
            if let Err(error) = ledger.apply(event) {
                tracing::error!(%error, "an event does not fit: the store stops");
                self.journal = None;
                return Err(error.into());
            }
        }
        let before = std::mem::replace(&mut *self.shared.ledger_mut(), ledger);
        self.over.push(before);
        self.begins.clear();
        self.publish_without_owed(at)?;
        self.undelivered.retain(|event| event.sequence <= fork);
        self.undelivered.extend(news.events.iter().filter(|event| event.sequence > fork).cloned());
        self.heard(at, &news);
        Ok(())
    }

    /// What the store holds, without what is about to be revoked again.
    fn publish_without_owed(&mut self, at: Timestamp) -> Result<(), StoreError> {
        let mut shown = self.shared.ledger().clone();
        for (event, sequence) in self.owed().into_iter().zip(shown.sequence() + 1..) {
            shown.apply(&RecordedEvent { sequence, at, event })?;
        }
        self.shared.publish_whole(&shown);
        Ok(())
    }

    /// The revocations that the store has lost, each once.
    fn owed(&self) -> Vec<GrantEvent> {
        let ledger = self.shared.ledger();
        let all = self.over.iter().flat_map(|before| ledger.revoke_again(before));
        let mut seen = BTreeSet::new();
        all.filter(|event| event.grant().is_none_or(|grant| seen.insert(grant))).collect()
    }

    /// Writes them; everything is known, and nobody else writes.
    fn end_again(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let again = self.owed();
        let journal = self.journal.as_mut().ok_or(StoreError::Stopped)?;
        if again.is_empty() {
            journal.release();
        } else {
            let recorded = journal.append(again, now)?;
            self.absorb(&recorded)?;
        }
        self.over.clear();
        Ok(())
    }
}

/// How far the database's time is from here, if its answer was on the way between `before` and
/// `after`.
fn skew(before: Timestamp, after: Timestamp, time: Option<Timestamp>) -> Duration {
    let Some(time) = time else { return Duration::ZERO };
    let apart = match () {
        () if time < before => before.duration_since(time),
        () if time > after => time.duration_since(after),
        () => return Duration::ZERO,
    };
    apart.unsigned_abs()
}

fn is_about_standing(recorded: &RecordedEvent) -> bool {
    matches!(recorded.event, GrantEvent::StandingAdded { .. } | GrantEvent::StandingRemoved { .. })
}

fn unknown() -> Report {
    Report::error(
        SqlState::CONNECTION_FAILURE,
        "the connection to the approval store was lost, and whether the change was made is not \
         known yet",
    )
    .hint("Look at SHOW GRANTS and SHOW REQUESTS before trying again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_on_its_way_is_no_skew() {
        let at = |secs| Timestamp::from_second(secs).unwrap();
        let secs = Duration::from_secs;
        assert_eq!(skew(at(10), at(20), Some(at(15))), secs(0));
        assert_eq!(skew(at(10), at(20), Some(at(7))), secs(3));
        assert_eq!(skew(at(10), at(20), Some(at(26))), secs(6));
        assert_eq!(skew(at(10), at(20), None), secs(0));
    }
}
