//! For how long a client may keep its database waiting: saying nothing, or taking nothing.

use std::time::Duration;

use super::ends::End;
use crate::model::Timestamp;
use crate::session::Rest;

/// The limits; None: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    /// Between transactions, without a statement.
    pub idle: Option<Duration>,
    /// In a transaction, without a statement.
    pub idle_in_transaction: Option<Duration>,
    /// While the client takes nothing of what waits for it.
    pub client_stall: Option<Duration>,
}

/// Since when the client lets others wait.
#[derive(Debug)]
pub(super) struct Waiting {
    patience: Patience,
    rest: Option<(Rest, Timestamp)>,
    stalled: Option<Timestamp>,
}

impl Waiting {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, rest: None, stalled: None }
    }

    /// What the session waits in now. As in PostgreSQL, half a message does not end a rest.
    pub(super) fn note_rest(&mut self, rest: Option<Rest>, now: Timestamp) {
        let since = |rest| match self.rest {
            Some((before, since)) if before == rest => (rest, since),
            Some(_) | None => (rest, now),
        };
        self.rest = rest.map(since);
    }

    /// How much waits for the client now.
    pub(super) fn note_backlog(&mut self, len: usize, now: Timestamp) {
        self.stalled = (len > 0).then(|| self.stalled.unwrap_or(now));
    }

    /// The client has taken something.
    pub(super) fn taken(&mut self) {
        self.stalled = None;
    }

    /// The moment at which it has been too long, and what becomes of the session then.
    pub(super) fn limit(&self) -> Option<(Timestamp, End)> {
        let rest = self.rest.and_then(|(rest, since)| {
            let (limit, end) = match rest {
                Rest::Idle => (self.patience.idle, End::Idle),
                Rest::InTransaction | Rest::InFailedTransaction => {
                    (self.patience.idle_in_transaction, End::IdleInTransaction)
                }
            };
            Some((after(since, limit?), end))
        });
        let stalled = self
            .stalled
            .zip(self.patience.client_stall)
            .map(|(since, limit)| (after(since, limit), End::Stalled));
        rest.into_iter().chain(stalled).min_by_key(|(at, _)| *at)
    }
}

/// The moment, or the end of time.
fn after(since: Timestamp, limit: Duration) -> Timestamp {
    since.checked_add(limit).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn second(second: i64) -> Timestamp {
        Timestamp::constant(second, 0)
    }

    fn waiting() -> Waiting {
        Waiting::new(Patience {
            idle: Some(Duration::from_secs(10)),
            idle_in_transaction: Some(Duration::from_secs(5)),
            client_stall: Some(Duration::from_secs(7)),
        })
    }

    #[test]
    fn a_rest_counts_from_its_begin() {
        let mut waiting = waiting();
        assert_eq!(waiting.limit(), None, "nothing has been seen yet");
        waiting.note_rest(Some(Rest::Idle), second(0));
        waiting.note_rest(Some(Rest::Idle), second(4));
        assert_eq!(waiting.limit(), Some((second(10), End::Idle)));
        waiting.note_rest(None, second(5));
        assert_eq!(waiting.limit(), None, "a statement is no rest");
        waiting.note_rest(Some(Rest::InTransaction), second(6));
        assert_eq!(waiting.limit(), Some((second(11), End::IdleInTransaction)));
        waiting.note_rest(Some(Rest::InFailedTransaction), second(7));
        assert_eq!(waiting.limit(), Some((second(12), End::IdleInTransaction)));
    }

    #[test]
    fn a_client_that_takes_anything_is_not_stalled() {
        let mut waiting = waiting();
        waiting.note_backlog(9, second(0));
        waiting.note_backlog(9, second(3));
        assert_eq!(waiting.limit(), Some((second(7), End::Stalled)));
        waiting.taken();
        waiting.note_backlog(8, second(4));
        assert_eq!(waiting.limit(), Some((second(11), End::Stalled)));
        waiting.note_backlog(0, second(5));
        assert_eq!(waiting.limit(), None);
    }

    #[test]
    fn without_limits_there_is_no_end() {
        let mut waiting = Waiting::new(Patience::default());
        waiting.note_rest(Some(Rest::InTransaction), second(0));
        waiting.note_backlog(9, second(0));
        assert_eq!(waiting.limit(), None);
    }
}
