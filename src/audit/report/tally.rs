//! What is counted, of whomever.

use std::collections::HashSet;

use serde::Serialize;
use utoipa::ToSchema;

use crate::audit::Decision;
use crate::model::Timestamp;

/// Counts of records; of statements unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportTally)]
pub struct Tally {
    pub statements: u64,
    /// Showed PII raw, or began to.
    pub raw: u64,
    /// Rows of those, sent or affected.
    pub rows_raw: u64,
    /// Compared PII as it is stored with values of the client.
    pub looked_up: u64,
    pub masked: u64,
    pub refused: u64,
    /// Ended in the middle: the grant was over.
    pub cut: u64,
    /// Would have been masked or refused, but only observation was configured.
    pub observed: u64,
    pub logins: u64,
    pub logins_failed: u64,
    /// Requests for access.
    pub requests: u64,
    pub approved: u64,
    pub denied: u64,
    /// Looks at break-glass access afterwards.
    pub reviewed: u64,
    pub signals: u64,
}

/// What a statement did, to one column or to any.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "any of them goes with any other")]
pub(super) struct Deed {
    pub(super) raw: bool,
    pub(super) looked_up: bool,
    pub(super) masked: bool,
}

impl Deed {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            raw: self.raw || other.raw,
            looked_up: self.looked_up || other.looked_up,
            masked: self.masked || other.masked,
        }
    }
}

impl Tally {
    /// Of one statement that touched what it is about.
    pub(super) fn of(decision: Option<Decision>, deed: Deed, rows: u64) -> Self {
        // Whatever a refused statement names was not shown, masked or otherwise.
        let ran = match decision {
            Some(Decision::Refused) => false,
            Some(
                Decision::Clear
                | Decision::Shown
                | Decision::Computed
                | Decision::Raw
                | Decision::Cut
                | Decision::Local
                | Decision::Observed,
            )
            | None => true,
        };
        let raw = ran && deed.raw;
        Self {
            statements: 1,
            raw: raw.into(),
            rows_raw: if raw { rows } else { 0 },
            looked_up: (ran && deed.looked_up).into(),
            masked: (ran && deed.masked && decision != Some(Decision::Observed)).into(),
            refused: (decision == Some(Decision::Refused)).into(),
            cut: (decision == Some(Decision::Cut)).into(),
            observed: (decision == Some(Decision::Observed)).into(),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        let Self {
            statements,
            raw,
            rows_raw,
            looked_up,
            masked,
            refused,
            cut,
            observed,
            logins,
            logins_failed,
            requests,
            approved,
            denied,
            reviewed,
            signals,
        } = other;
        for (sum, more) in [
            (&mut self.statements, statements),
            (&mut self.raw, raw),
            (&mut self.rows_raw, rows_raw),
            (&mut self.looked_up, looked_up),
            (&mut self.masked, masked),
            (&mut self.refused, refused),
            (&mut self.cut, cut),
            (&mut self.observed, observed),
            (&mut self.logins, logins),
            (&mut self.logins_failed, logins_failed),
            (&mut self.requests, requests),
            (&mut self.approved, approved),
            (&mut self.denied, denied),
            (&mut self.reviewed, reviewed),
            (&mut self.signals, signals),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    /// What matters most, first: rows of a table are in this order.
    pub fn weight(&self) -> [u64; 6] {
        let Self { raw, looked_up, masked, refused, observed, statements, .. } = *self;
        let others = self.logins + self.logins_failed + self.approved + self.denied + self.signals;
        [raw + looked_up, observed, masked + refused, statements, others, self.rows_raw]
    }
}

/// Bits of a session's number; those above are of the run of the proxy, which counts sessions from
/// 1 again.
const RUN_SHIFT: u32 = 40;

/// A session as a log tells it: its number, and how many starts of the proxy came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session(u64);

impl Session {
    pub(super) fn new(run: u64, number: u64) -> Self {
        Self((run << RUN_SHIFT) | (number & ((1 << RUN_SHIFT) - 1)))
    }
}

/// Different sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    known: HashSet<u64, foldhash::fast::FixedState>,
    /// Whether there were others for which there was no room.
    pub more: bool,
}

impl Sessions {
    /// How many are known: at least so many, if there were `more`.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// Whether it is a new one. `room` is that for all of a table.
    fn take(&mut self, Session(session): Session, room: &mut usize) {
        if *room > 0 {
            *room -= usize::from(self.known.insert(session));
        } else {
            self.more |= !self.known.contains(&session);
        }
    }
}

/// What is counted of one person, column, grant or day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub tally: Tally,
    pub sessions: Sessions,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

/// One record, for the rows it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) tally: Tally,
    pub(super) time: Timestamp,
    pub(super) session: Option<Session>,
}

impl Row {
    pub(super) fn take(&mut self, item: Item, room: &mut usize) {
        self.tally.add(item.tally);
        self.span(Some(item.time), Some(item.time));
        if let Some(session) = item.session {
            self.sessions.take(session, room);
        }
    }

    /// Takes in what came later; `runs` are the starts of the proxy before that.
    pub(super) fn merge(&mut self, later: Self, runs: u64, room: &mut usize) {
        let Self { tally, sessions, first, last } = later;
        self.tally.add(tally);
        self.span(first, last);
        self.sessions.more |= sessions.more;
        for session in sessions.known {
            self.sessions.take(Session(session + (runs << RUN_SHIFT)), room);
        }
    }

    fn span(&mut self, first: Option<Timestamp>, last: Option<Timestamp>) {
        self.first = self.first.into_iter().chain(first).min();
        self.last = self.last.into_iter().chain(last).max();
    }
}
