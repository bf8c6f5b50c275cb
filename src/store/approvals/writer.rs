mod reading;
mod start;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::sleep;

use self::reading::{Begun, Clock, Reach};
use super::EventSink;
use super::journal::Journal;
use super::shared::{SLEEP_MAX, Shared, between};
use crate::grant::seal::Sealer;
use crate::grant::{
    Change, GrantEvent, Ledger, LedgerError, Origin, Policies, RecordedEvent, Standing,
};
use crate::model::{Report, SqlState, Timestamp};

/// A clock that has gone back further than this since the store was last written ends grants.
const CLOCK_BACK_MAX: Duration = Duration::from_secs(5);

/// So many expiries are written at once.
const EXPIRIES_MAX: usize = 1_000;

/// How often it is looked what was used of limited grants, while there are any.
const COUNTS_EVERY: Duration = Duration::from_millis(200);

/// What ended is remembered so long; the events stay.
const MEMORY: Duration = Duration::from_secs(86_400);

/// How often what ended longer ago is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// Decides on a change with the state that everything before it gave.
pub(super) type Work =
    Box<dyn FnOnce(&Ledger, &Policies, Timestamp) -> Result<Vec<GrantEvent>, Report> + Send>;

pub(super) type Answer = oneshot::Sender<Result<Vec<RecordedEvent>, Report>>;

pub(super) enum Command {
    Change {
        work: Work,
        answer: Answer,
    },
    /// Asks for events that the sink took, behind `sequence`.
    Read {
        sequence: u64,
        count: usize,
        answer: PageAnswer,
    },
    Replace {
        policies: Policies,
        standing: Vec<Standing>,
        answer: Answer,
    },
}

pub(super) type PageAnswer = oneshot::Sender<Result<Vec<(RecordedEvent, Origin)>, Report>>;

/// Whether the clock has gone back since the store was last written.
pub(super) fn is_set_back(seen_at: Option<Timestamp>, now: Timestamp) -> bool {
    seen_at.is_some_and(|seen| now.checked_add(CLOCK_BACK_MAX).unwrap_or(Timestamp::MAX) < seen)
}

/// Owns the journal; runs on a thread of its own, since reading and writing block.
pub(super) struct Writer {
    shared: Arc<Shared>,
    runtime: Arc<Runtime>,
    /// None after an event did not fit: nothing is written any more, and soon nothing counts.
    journal: Option<Journal>,
    sealer: Sealer,
    /// Told when another proxy has written something.
    news: Arc<Notify>,
    sink: EventSink,
    /// Events that the sink has not taken yet.
    undelivered: Vec<RecordedEvent>,
    /// Grants that the sink has to hear of before they begin.
    begins: Vec<Change>,
    /// As the configuration has them.
    standing: Vec<Standing>,
    max_staleness: Duration,
    poll: Duration,
    reach: Reach,
    clock: Clock,
    /// What was known before the store was set back, until what was over then is over again.
    over: Vec<Ledger>,
    next_health: Timestamp,
    next_poll: Timestamp,
    next_forget: Timestamp,
}

/// Why [`Writer::run`] wakes.
enum Wake {
    Command(Command),
    News,
    Time,
    End,
}

impl Writer {
    /// Serves until every handle is gone.
    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            match self.wake(&mut inbox) {
                Wake::Command(Command::Change { work, answer }) => {
                    let done = self.change(work);
                    // The caller may have gone; the change stands.
                    let _ = answer.send(done);
                }
                Wake::Command(Command::Read { sequence, count, answer }) => {
                    let _ = answer.send(self.page(sequence, count));
                }
                Wake::Command(Command::Replace { policies, standing, answer }) => {
                    let _ = answer.send(self.replace(policies, standing));
                }
                // A failure is logged; the next reading comes soon.
                Wake::News => drop(self.catch_up()),
                Wake::Time => {}
                Wake::End => return,
            }
            self.tick();
        }
    }

    fn wake(&mut self, inbox: &mut mpsc::Receiver<Command>) -> Wake {
        let pause = self.pause();
        self.runtime.block_on(async {
            tokio::select! {
                command = inbox.recv() => command.map_or(Wake::End, Wake::Command),
                () = self.news.notified() => Wake::News,
                () = sleep(pause) => Wake::Time,
            }
        })
    }

    fn pause(&self) -> Duration {
        let now = (self.shared.clock)();
        let next = self.shared.ledger().next_change(now);
        let due = self.next_health.min(self.next_poll);
        let longest = if self.shared.ledger().has_limits() { COUNTS_EVERY } else { SLEEP_MAX };
        between(now, next.map_or(due, |at| at.min(due))).min(longest)
    }

    /// What time brings: expiries, others' events, the proof that the store can be written,
    /// forgetting.
    fn tick(&mut self) {
        let now = (self.shared.clock)();
        let due = !self.shared.ledger().due(now, 1).is_empty();
        let retry = now >= self.next_health;
        if due && (retry || self.is_sound()) {
            // A failure is logged; the expiry itself rests on the time, not on the event. Another
            // proxy may have written it.
            drop(self.change(Box::new(|ledger, _, now| Ok(ledger.due(now, EXPIRIES_MAX)))));
        }
        if retry {
            self.health();
        } else if now >= self.next_poll {
            drop(self.catch_up());
        }
        let untold = self.shared.ledger().untold();
        if !untold.is_empty() {
            // What is lost of it counts as used.
            drop(self.change(Box::new(move |_, _, _| Ok(untold))));
        }
        if now >= self.next_forget {
            self.next_forget = after(now, FORGET_EVERY);
            let horizon = now.checked_sub(MEMORY).unwrap_or(Timestamp::MIN);
            self.shared.ledger_mut().forget(horizon, now);
        }
    }

    fn is_sound(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| !journal.in_doubt())
            && self.reach == Reach::Within
    }

    /// Proves that the store can be read and written.
    fn health(&mut self) {
        let now = (self.shared.clock)();
        let soon = match self.reach {
            Reach::Within => self.max_staleness / 3,
            Reach::Out => self.poll.min(self.max_staleness / 3),
        };
        self.next_health = after(now, soon);
        let Ok(begun) = self.begin() else { return };
        let Some(journal) = &mut self.journal else { return };
        let touched = journal.touch(now);
        self.settle();
        match touched {
            Ok(()) => self.healthy(begun),
            Err(error) => self.out_of_reach(&error),
        }
    }

    /// Everything in the store was known and the store was written after `begun`. Grants go on to
    /// count only while the audit has heard of all of them and the clock is right.
    fn healthy(&mut self, begun: Begun) {
        self.within_reach();
        self.shared.synced(begun.at);
        if self.undelivered.is_empty() && self.clock == Clock::Right {
            self.shared.renew(begun.at, self.max_staleness);
        }
    }

    fn replace(
        &mut self,
        policies: Policies,
        standing: Vec<Standing>,
    ) -> Result<Vec<RecordedEvent>, Report> {
        let wanted = standing.clone();
        let done = self.change(Box::new(move |ledger, _, _| Ok(ledger.reconcile(&wanted))));
        if let Ok(events) = &done {
            self.standing = standing;
            self.shared.policies.store(Arc::new(policies));
            self.tell_of_replaced(events);
        }
        done
    }

    fn change(&mut self, work: Work) -> Result<Vec<RecordedEvent>, Report> {
        let begun = self.begin()?;
        let done = self.decide(work, &begun);
        self.settle();
        if matches!(&done, Ok(recorded) if !recorded.is_empty()) {
            self.healthy(begun);
        }
        done
    }

    fn decide(&mut self, work: Work, begun: &Begun) -> Result<Vec<RecordedEvent>, Report> {
        let decided = work(&self.shared.ledger(), &self.shared.policies.load(), begun.decided_at);
        let journal = self.journal.as_mut().ok_or_else(unwritable)?;
        let mut events = match decided {
            Ok(events) if !events.is_empty() => events,
            nothing => {
                journal.release();
                return nothing.map(|_| Vec::new());
            }
        };
        // What is acknowledged is signed, so it is signed before it is stored.
        let at = journal.dated(begun.decided_at);
        if let Err(error) = self.sealer.seal(&self.shared.ledger(), &mut events, at) {
            journal.release();
            return Err(Report::error(SqlState::INTERNAL_ERROR, error.to_string()));
        }
        match journal.append(events, at) {
            Ok(recorded) => {
                self.absorb(&recorded).map_err(|_| unwritable())?;
                Ok(recorded)
            }
            Err(error) => {
                self.out_of_reach(&error);
                self.find_out()
            }
        }
    }

    /// Makes stored events true: what ends is published before anybody else hears of it.
    fn absorb(&mut self, events: &[RecordedEvent]) -> Result<(), LedgerError> {
        let mut ends = Vec::new();
        for event in events {
            match self.shared.ledger_mut().apply(event) {
                Ok(change @ Change::Ends(_)) => ends.push(change),
                Ok(Change::Suspends { user, until }) => {
                    self.begins.retain(|begin| !resumes(begin, &user));
                    ends.push(Change::Suspends { user, until });
                }
                Ok(
                    change @ (Change::Begins(_) | Change::Becomes { .. } | Change::Resumes { .. }),
                ) => {
                    self.begins.push(change);
                }
                Ok(Change::None) => {}
                Err(error) => {
                    tracing::error!(%error, "an event does not fit: the store stops");
                    self.journal = None;
                    return Err(error);
                }
            }
        }
        if !ends.is_empty() {
            self.begins.retain(|begin| !ends.iter().any(|end| is_about(end, begin)));
            self.shared.publish(&ends);
        }
        self.undelivered.extend_from_slice(events);
        Ok(())
    }

    /// What begins counts after the sink has heard of it.
    fn settle(&mut self) {
        self.deliver();
        if !self.begins.is_empty() {
            self.shared.publish(&std::mem::take(&mut self.begins));
        }
        let waiting = self.undelivered.first().map(|event| event.sequence - 1);
        let taken = waiting.unwrap_or_else(|| self.shared.ledger().sequence());
        self.shared.recorded.send_if_modified(|last| std::mem::replace(last, taken) != taken);
    }

    /// Events that the sink took.
    fn page(
        &mut self,
        sequence: u64,
        count: usize,
    ) -> Result<Vec<(RecordedEvent, Origin)>, Report> {
        let last = *self.shared.recorded.borrow();
        let journal = self.journal.as_mut().ok_or_else(unwritable)?;
        let mut page = journal.page_after(sequence, count).map_err(|error| {
            tracing::error!(%error, "the approval store cannot be read");
            Report::error(SqlState::IO_ERROR, "the approval store cannot be read")
        })?;
        page.retain(|(event, _)| event.sequence <= last);
        Ok(page)
    }

    /// Hands the sink what it has not taken yet, in order, as far as it goes.
    fn deliver(&mut self) {
        let mut taken: usize = 0;
        for event in &self.undelivered {
            if let Err(error) = (self.sink)(event) {
                tracing::error!(%error, sequence = event.sequence, "a grant event is not audited");
                break;
            }
            taken += 1;
        }
        let last = taken.checked_sub(1).and_then(|last| self.undelivered.get(last));
        let Some(last) = last.map(|event| event.sequence) else { return };
        self.undelivered.drain(..taken);
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.set_delivered(last)
        {
            tracing::warn!(%error, "the next start will deliver events again");
        }
    }
}

/// Whether it gives this user's grants back.
fn resumes(change: &Change, whose: &str) -> bool {
    matches!(change, Change::Resumes { user } if user == whose)
}

/// Whether both are about one grant.
fn is_about(one: &Change, other: &Change) -> bool {
    let grant = |change: &Change| match change {
        Change::None | Change::Suspends { .. } | Change::Resumes { .. } => None,
        Change::Begins(live) | Change::Becomes { old: _, new: live } => Some(live.grant.id),
        Change::Ends(grant) => Some(grant.id),
    };
    grant(one).is_some() && grant(one) == grant(other)
}

fn after(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

fn unwritable() -> Report {
    Report::error(
        SqlState::IO_ERROR,
        "the approval store cannot be written, so the change was not made",
    )
}
