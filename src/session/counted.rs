//! Limited grants: their use is on record before anything is shown, their rows and subjects are
//! counted as they go out.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::frontend::Pending;
use super::queue::Run;
use super::{Effects, Env, Hold, ServerHold, Session};
use crate::audit;
use crate::decision::{Release, Subjects};
use crate::grant::{Claim, Meter};
use crate::model::{ColumnId, Oid, Report, SqlState};
use crate::wire::backend::DataRow;

/// Where in a result the fields stand by which subjects are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    relation: Oid,
    key: usize,
    shown: Vec<usize>,
}

/// Whether a row may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Yes,
    /// Once it has been counted.
    Waits,
    /// The result was cut.
    Cut,
}

impl Session {
    /// What has to happen before a release: a use on record first where one is limited, then the
    /// record of the release.
    pub(super) fn spend_or_record(
        &self,
        number: u64,
        text: &Bytes,
        release: &Release,
        claims: Vec<Claim>,
        env: Env<'_>,
    ) -> Hold {
        if claims.is_empty() {
            return self.record_first(number, text, release, env);
        }
        Hold::Spend(claims)
    }

    fn record_first(&self, number: u64, text: &Bytes, release: &Release, env: Env<'_>) -> Hold {
        for meter in &release.meters {
            meter.0.touch(env.now);
        }
        Hold::Release(Box::new(self.release_event(number, text.clone(), release, env.world)))
    }

    /// What was claimed is on record, or why it is not: then nothing is shown. A result may wait for
    /// its rows to be counted while the client's next message waits for a use of its own.
    pub fn spent(
        &mut self,
        claims: &[Claim],
        result: Result<(), Report>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let is = |hold: &Hold| matches!(hold, Hold::Spend(wanted) if **wanted == *claims);
        if self.server_hold.as_ref().is_some_and(|waits| is(waits.hold())) {
            self.server_hold = None;
            if let Err(report) = result {
                self.cut(&report, audit::Decision::Cut, env, out);
            }
            return;
        }
        if !self.hold.as_ref().is_some_and(is) {
            return;
        }
        let pending = self.end_hold().and_then(|pending| self.unless_cancelled(pending, env, out));
        let Some(pending) = pending else { return };
        if let Err(report) = result {
            return self.refuse_pending(pending, report, env, out);
        }
        let hold = match &pending {
            Pending::Query { plan, text, number, .. } => {
                Some(self.record_first(*number, text, &plan.release(), env))
            }
            Pending::Execute { run, .. } => {
                Some(self.record_first(run.number, &run.text, &run.release, env))
            }
            Pending::Frame(_) | Pending::Bind { .. } => None,
        };
        self.after = Some(pending);
        match hold {
            Some(hold) => self.hold = Some(hold),
            None => self.go_on(env, out),
        }
    }

    /// Takes one more row of the result off the budgets that it rests on; `row` is None where
    /// too little of it is there to be looked into.
    pub(super) fn count_row(
        &mut self,
        row: Option<&[u8]>,
        env: Env<'_>,
        out: &mut Effects,
    ) -> Counted {
        let limited = |run: &&Arc<Run>| !run.release.meters.is_empty();
        let Some(run) = self.queue.front_run().filter(limited).cloned() else {
            return Counted::Yes;
        };
        match take(&run.release, self.queue.counted.as_ref(), row) {
            Ok(Taken::Row) => Counted::Yes,
            Ok(Taken::Nothing(claims)) => {
                self.server_hold = Some(ServerHold::Counting(Hold::Spend(claims)));
                Counted::Waits
            }
            Err(report) => {
                self.cut(&report, audit::Decision::Cut, env, out);
                Counted::Cut
            }
        }
    }
}

/// Where the fields stand, if subjects have to be counted; `name` names a column.
///
/// # Errors
/// The result does not show whose values it shows.
pub(super) fn fields(
    columns: impl Iterator<Item = ColumnId> + Clone,
    release: &Release,
    name: impl Fn(ColumnId) -> String,
) -> Result<Option<Fields>, Box<Report>> {
    let Some(Subjects { key, columns: shown }) = &release.subjects else { return Ok(None) };
    let Some(at) = columns.clone().position(|column| column == *key) else {
        let message = "permission denied: the grant counts whose values are shown, and the \
                       result does not say whose they are";
        let report = Report::error(SqlState::INSUFFICIENT_PRIVILEGE, message)
            .hint(format!("Select {}, too.", name(*key)));
        return Err(report.into());
    };
    let of_subject = |(index, column): (usize, ColumnId)| shown.contains(&column).then_some(index);
    let shown = columns.enumerate().filter_map(of_subject).collect();
    Ok(Some(Fields { relation: key.relation, key: at, shown }))
}

/// What came of taking a row.
enum Taken {
    Row,
    /// This has to be claimed first.
    Nothing(Vec<Claim>),
}

fn take(release: &Release, fields: Option<&Fields>, row: Option<&[u8]>) -> Result<Taken, Report> {
    let subject = match fields {
        Some(fields) => subject(fields, row)?,
        None => None,
    };
    let mut wanted = Vec::new();
    let mut taken = Vec::new();
    for Meter(budget) in &release.meters {
        wanted.extend(subject.and_then(|subject| budget.take_subject(subject).err()));
        match budget.take_rows(release.weight) {
            Ok(()) => taken.push(budget),
            Err(claim) => wanted.push(claim),
        }
    }
    if wanted.is_empty() {
        return Ok(Taken::Row);
    }
    taken.into_iter().for_each(|budget| budget.put_back(release.weight));
    Ok(Taken::Nothing(wanted))
}

/// A number for whose values the row shows; None if it shows none.
fn subject(fields: &Fields, row: Option<&[u8]>) -> Result<Option<u64>, Report> {
    let unreadable = || {
        Report::error(
            SqlState::INSUFFICIENT_PRIVILEGE,
            "permission denied: the grant counts whose values are shown, and a row does not say",
        )
    };
    let row = row.and_then(|row| DataRow::read(row).ok()).ok_or_else(unreadable)?;
    let values: Vec<Option<&[u8]>> = row.fields().filter_map(Result::ok).collect();
    match values.get(fields.key).copied().flatten() {
        Some(key) => {
            let mut digest = Sha256::new();
            digest.update(fields.relation.to_be_bytes());
            digest.update(key);
            let mut first = [0; 8];
            first.copy_from_slice(&digest.finalize()[..8]);
            Ok(Some(u64::from_be_bytes(first)))
        }
        None => {
            let shows = |index: &usize| values.get(*index).copied().flatten().is_some();
            if fields.shown.iter().any(shows) { Err(unreadable()) } else { Ok(None) }
        }
    }
}
