//! From the client: messages are cut by their length, looked at, and sent on, changed or refused.

use std::sync::Arc;

use bytes::Bytes;

use super::errors::{self, REFUSED_SQL, protocol};
use super::in_band::{Understood, from_item};
use super::plan::{Missing, Plan, Planned};
use super::prepared::{Prepared, Spelling};
use super::queue::{Batch, Completes, Ends, Expected, Run, Runs};
use super::settle::Settling;
use super::stream::kept;
use super::{Close, Effects, Env, Hold, InBandTable, SchemaState, Session};
use crate::analysis::facts::Kind;
use crate::analysis::mention::Hits;
use crate::analysis::sensitive::Watch;
use crate::model::Report;
use crate::rewrite::InBandAnswer;
use crate::wire::frontend::{self, Frontend};
use crate::wire::{WireError, frontend::tag, write};

/// A message that waits for a hold to end.
pub(super) enum Pending {
    /// Look at it again from the start.
    Frame(Vec<u8>),
    /// A simple query whose release is being recorded or whose in-band calls are under way.
    Query { plan: Arc<Plan>, answers: Vec<InBandAnswer>, text: Bytes, number: u64 },
    /// An Execute whose release is being recorded.
    Execute { frame: Vec<u8>, run: Box<Run> },
    /// A Bind whose in-band calls are under way.
    Bind { frame: Vec<u8> },
}

impl Session {
    pub(super) fn client_frame(&mut self, frame: &[u8], env: Env<'_>, out: &mut Effects) {
        // After an error the server ignores everything up to Sync, and so do we.
        if self.queue.batch == Batch::Skipping && !matches!(frame[0], tag::SYNC | tag::TERMINATE) {
            return;
        }
        if let Err(report) = self.keeps_watch(env) {
            return self.break_off(&report, out);
        }
        if self.schema == SchemaState::Stale {
            self.hold = Some(Hold::Refresh);
            self.after = Some(Pending::Frame(frame.to_vec()));
            return;
        }
        let message = match frontend::read(frame[0], &frame[5..]) {
            Ok(message) => message,
            Err(WireError::NotUtf8) if !self.is_copying_in() => {
                return self.foreign(frame, env, out);
            }
            Err(error) => return self.malformed(frame[0], error, env, out),
        };
        if self.is_copying_in() {
            return self.during_copy_in(frame, &message, out);
        }
        if self.is_uncertain(&message) {
            return self.wait_until_settled(kept(frame), out);
        }
        match message {
            Frontend::Query(text) => self.query(frame, text, env, out),
            Frontend::Parse(message) => self.parse(frame, &message, Spelling::Utf8, env, out),
            Frontend::Bind(message) => self.bind(frame, &message, env, out),
            Frontend::Describe(target) => self.describe(frame, target, out),
            Frontend::Execute(message) => self.execute(frame, &message, env, out),
            Frontend::Close(target) => self.close(frame, target, out),
            Frontend::Sync => {
                out.to_server.extend_from_slice(frame);
                self.queue.push(Expected::Sync);
                self.tables.batch_ends();
            }
            Frontend::Flush | Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail => {
                out.to_server.extend_from_slice(frame);
            }
            Frontend::Terminate => {
                out.to_server.extend_from_slice(frame);
                self.leave(out);
            }
            Frontend::FunctionCall if env.world.sensitive.watch == Watch::Nothing => {
                let run = self.clear_run(Bytes::from_static(b"FUNCTION CALL"), env);
                out.to_server.extend_from_slice(frame);
                self.queue.push(Expected::Query { runs: Runs::One(Arc::new(run)), at: 0 });
            }
            Frontend::FunctionCall => {
                self.refuse_query(Bytes::new(), errors::fast_path().into(), env, out);
            }
            Frontend::Password(_) => {
                self.break_off(&protocol("a password after the login"), out);
            }
        }
    }

    /// What was prepared, opened and made while there was nothing to hide is unknown: a session
    /// that did so ends when there is something.
    pub(super) fn keeps_watch(&mut self, env: Env<'_>) -> Result<(), Report> {
        match (env.world.sensitive.watch, self.watched) {
            (Watch::Something, Some(Watch::Nothing)) => Err(errors::unwatched()),
            (watch, _) => {
                self.watched = Some(watch);
                Ok(())
            }
        }
    }

    /// Tells the client why and ends the session.
    pub(super) fn break_off(&mut self, report: &Report, out: &mut Effects) {
        self.last_words(report, out);
        if self.is_between_asks() {
            write::terminate(&mut out.to_server);
        }
        out.close = Some(Close::Done);
    }

    pub(super) fn query(&mut self, frame: &[u8], text: &str, env: Env<'_>, out: &mut Effects) {
        self.tables.batch_ends();
        let hits = env.world.sensitive.mention.scan(text.as_bytes());
        let planned = match self.plan_scanned(text, hits, env) {
            Ok(planned) => planned,
            Err(missing) => return self.wait_for(missing, kept(frame), out),
        };
        out.tally.plans(&planned);
        self.note_settings(hits);
        let copy = Bytes::copy_from_slice(text.as_bytes());
        match planned {
            Planned::Clear => {
                let run = self.clear_run(copy, env);
                out.to_server.extend_from_slice(frame);
                self.queue.push(Expected::Query { runs: Runs::One(Arc::new(run)), at: 0 });
                if self.asks_to_copy_in(text, hits, env) {
                    self.copy_in_asked();
                }
            }
            Planned::Refused(report) => self.refuse_query(copy, report, env, out),
            Planned::Known(plan) => self.in_band_first(plan, copy, env, out),
        }
    }

    /// Finds out what is missing; what is `kept` waits for it.
    pub(super) fn wait_for(&mut self, missing: Missing, kept: Option<Pending>, out: &mut Effects) {
        match missing {
            Missing::SearchPath => self.ask_path(kept, out),
            Missing::Schema => {
                self.path.set_refreshed();
                self.hold = Some(Hold::Refresh);
                self.after = kept;
            }
            Missing::Answers => {
                self.wait_until_settled(kept, out);
            }
            Missing::Preparing(again) => self.prepare_again(again, kept, out),
        }
    }

    /// Settings that a statement with these mentions may change are asked for again afterwards.
    pub(super) fn note_settings(&mut self, hits: Hits) {
        if hits.intersects(Hits::PATH | Hits::DYNAMIC | Hits::ROLLBACK) {
            self.path.sent(hits);
        }
    }

    fn in_band_first(&mut self, plan: Arc<Plan>, text: Bytes, env: Env<'_>, out: &mut Effects) {
        let mut calls = Vec::new();
        for reference in Self::in_band(&plan) {
            match Understood::read(reference, None) {
                Ok(Understood::Call(call)) => calls.push(call),
                Ok(Understood::Explain(_)) => {}
                Err(report) => return self.refuse_query(text, report, env, out),
            }
        }
        if calls.is_empty() {
            let answers = self.answers(&plan, None, &mut std::iter::empty(), env);
            return self.release_first(plan, answers, text, env, out);
        }
        self.hold = Some(Hold::InBand(calls));
        self.after = Some(Pending::Query { plan, answers: Vec::new(), text, number: 0 });
    }

    /// FROM items for the references of a plan, out of what the shell answered.
    pub(super) fn answers(
        &self,
        plan: &Plan,
        values: super::in_band::Parameters<'_>,
        tables: &mut dyn Iterator<Item = InBandTable>,
        env: Env<'_>,
    ) -> Vec<InBandAnswer> {
        let mut answers = Vec::new();
        for reference in Self::in_band(plan) {
            let Ok(understood) = Understood::read(reference, values) else { continue };
            let columns = understood.columns();
            let rows = match understood {
                Understood::Explain(text) => self.explain(&text, env),
                Understood::Call(_) => tables.next().map(|table| table.rows).unwrap_or_default(),
            };
            answers.push(from_item(reference, columns, &rows));
        }
        answers
    }

    fn release_first(
        &mut self,
        plan: Arc<Plan>,
        answers: Vec<InBandAnswer>,
        text: Bytes,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let release = plan.release();
        let number = self.next_statement();
        if release.is_empty() {
            return self.send_query(number, &plan, &answers, &text, env, out);
        }
        if let Err(report) = self.within_limit(&release, env) {
            return self.refuse_query(text, report, env, out);
        }
        self.hold = Some(self.spend_or_record(number, &text, &release, plan.claims(), env));
        self.after = Some(Pending::Query { plan, answers, text, number });
    }

    fn send_query(
        &mut self,
        number: u64,
        plan: &Plan,
        answers: &[InBandAnswer],
        text: &Bytes,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let sql = match self.rewritten(plan, answers, env) {
            Ok(sql) => sql,
            Err(report) => return self.refuse_query(text.clone(), report, env, out),
        };
        if self.tables.is_full() {
            return self.refuse_query(text.clone(), errors::too_many_names().into(), env, out);
        }
        if let Err(error) = write::query(&mut out.to_server, &sql) {
            return self.break_off(&protocol(error), out);
        }
        plan.defines(&mut self.uncommitted, env.world);
        let mut runs = self.runs(number, text, plan, env);
        let original = plan.original();
        for (run, statement) in runs.iter_mut().zip(plan.statements()) {
            let kind = &statement.analysis.kind;
            run.completes = self.completes(kind, &sql, original.clone(), run);
            self.scrub.sent(run.scrub);
        }
        let runs = Runs::Several(runs.into_iter().map(Arc::new).collect());
        self.queue.push(Expected::Query { runs, at: 0 });
        if plan.analysed.may_copy_in {
            self.copy_in_asked();
        }
    }

    /// Sends what the server will refuse, and keeps our own words for its answer.
    pub(super) fn refuse_query(
        &mut self,
        text: Bytes,
        report: Box<Report>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let run = Arc::new(self.refused_run(text, &report, env));
        // The text is ours and short.
        let _ = write::query(&mut out.to_server, REFUSED_SQL);
        self.queue.push(Expected::Refused { run, report, ends: Ends::Ready });
    }

    /// Notes what a statement makes, to be confirmed when the server has done it.
    pub(super) fn completes(
        &mut self,
        kind: &Kind,
        sent: &Arc<str>,
        original: Option<Bytes>,
        run: &Run,
    ) -> Completes {
        match kind {
            Kind::Prepare(name) => {
                let id = self.tables.next_id();
                let text = original.unwrap_or_default();
                let weight = self.tables.weigh(text.len() + sent.len());
                let prepared = Prepared::by_sql(id, sent, text, Self::made(run), weight);
                self.tables.prepare(name, Arc::new(prepared));
                Completes::Prepared { name: name.clone(), id }
            }
            Kind::Deallocate(name) => {
                Completes::Deallocated { name: name.clone(), up_to: self.tables.next_id() }
            }
            Kind::Declare(name) => {
                let id = self.tables.declare(name, Self::made(run));
                Completes::Declared { name: name.clone(), id }
            }
            Kind::Close(name) => {
                Completes::Closed { name: name.clone(), up_to: self.tables.next_id() }
            }
            Kind::Store | Kind::Define => Completes::Defined,
            Kind::Query
            | Kind::CopyOut
            | Kind::CopyIn
            | Kind::Execute(_)
            | Kind::Fetch(_)
            | Kind::Explain => Completes::Nothing,
            Kind::Utility => Completes::AsTagged { up_to: self.tables.next_id() },
        }
    }

    /// Ends the hold and gives what waited. A message whose batch has failed meanwhile is dropped,
    /// as the server drops it; a frame that was not looked at yet is skipped where others are.
    pub(super) fn end_hold(&mut self) -> Option<Pending> {
        self.hold = None;
        self.settling = Settling::No;
        let skipping = self.queue.batch == Batch::Skipping;
        if skipping {
            // What the client wanted stopped has failed.
            self.cancelled = None;
        }
        self.after.take().filter(|pending| !skipping || matches!(pending, Pending::Frame(_)))
    }

    /// The hold is over: what waited goes on.
    pub(super) fn go_on(&mut self, env: Env<'_>, out: &mut Effects) {
        let pending = self.end_hold().and_then(|pending| self.unless_cancelled(pending, env, out));
        match pending {
            None => {}
            Some(Pending::Frame(frame)) => self.client_frame(&frame, env, out),
            Some(Pending::Query { plan, answers, text, number }) => {
                // The grants may have changed while the record was written.
                let release = plan.release();
                if release.holds(self.standpoint(env)) {
                    self.send_query(number, &plan, &answers, &text, env, out);
                } else {
                    let report = super::plan::ended(env.world, &release.columns);
                    self.refuse_query(text, report.into(), env, out);
                }
            }
            Some(Pending::Execute { frame, run }) => {
                if run.release.holds(self.standpoint(env)) {
                    self.execute_released(&frame, *run, env, out);
                } else {
                    let report = super::plan::ended(env.world, &run.release.columns);
                    self.refuse_in_batch(run.text.clone(), report.into(), env, out);
                }
            }
            Some(Pending::Bind { frame }) => self.client_frame(&frame, env, out),
        }
    }

    pub(super) fn refuse_pending(
        &mut self,
        pending: Pending,
        report: Report,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        match pending {
            Pending::Query { text, .. } => self.refuse_query(text, report.into(), env, out),
            Pending::Execute { run, .. } => {
                self.refuse_in_batch(run.text.clone(), report.into(), env, out);
            }
            Pending::Frame(_) | Pending::Bind { .. } => {
                self.refuse_in_batch(Bytes::new(), report.into(), env, out);
            }
        }
    }

    /// The shell's answers to the calls of a hold.
    pub fn answered(
        &mut self,
        answers: Vec<Result<InBandTable, Report>>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let pending = self.end_hold().and_then(|pending| self.unless_cancelled(pending, env, out));
        let Some(pending) = pending else { return };
        let tables: Result<Vec<InBandTable>, Report> = answers.into_iter().collect();
        match (tables, pending) {
            (Err(report), pending) => self.refuse_pending(pending, report, env, out),
            (Ok(tables), Pending::Query { plan, text, .. }) => {
                let answers = self.answers(&plan, None, &mut tables.into_iter(), env);
                self.release_first(plan, answers, text, env, out);
            }
            (Ok(tables), Pending::Bind { frame }) => self.bind_answered(&frame, tables, env, out),
            (Ok(_), pending @ (Pending::Frame(_) | Pending::Execute { .. })) => {
                self.after = Some(pending);
                self.go_on(env, out);
            }
        }
    }

    /// Whether messages have been sent that no Sync has closed yet.
    pub(super) fn is_in_batch(&self) -> bool {
        self.queue.batch != Batch::None
    }
}
