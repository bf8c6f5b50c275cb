//! How statements and transactions end: completion, errors, ReadyForQuery.

use std::collections::HashSet;
use std::sync::Arc;

use super::backend::Pass;
use super::errors::{self, protocol};
use super::overdue::Overdue;
use super::queue::{Batch, Completes, Ends, Expected, Origin, Place, Run};
use super::{Effects, Env, Hold, Relay, SchemaState, Session};
use crate::analysis::sensitive::Watch;
use crate::audit;
use crate::decision::{Notice, hidden_notice, may_not_change};
use crate::wire::backend::{self, tag};
use crate::wire::{TxStatus, write};

impl Session {
    pub(super) fn completed(
        &mut self,
        kind: u8,
        payload: &[u8],
        env: Env<'_>,
        out: &mut Effects,
    ) -> Pass {
        let command = match kind {
            tag::COMMAND_COMPLETE => backend::command_tag(payload).unwrap_or(""),
            _ => "",
        };
        let (verb, count) = split_count(command);
        let only_reads = verb == "SELECT";
        if !only_reads {
            self.path.completed(command);
        }
        let run = match self.queue.front() {
            Some(Expected::Query { runs, at }) => runs.get(*at).cloned(),
            Some(Expected::Execute { run, .. }) => Some(run.clone()),
            Some(Expected::Path { .. } | Expected::Own { .. }) => {
                self.own_done(env, out);
                return Pass::No;
            }
            _ => return self.out_of_step(out),
        };
        if self.queue.progress.rows == 0 && kind == tag::COMMAND_COMPLETE {
            self.queue.progress.rows = count;
        }
        if !only_reads && is_definition(command) {
            self.defined = SchemaState::Stale;
        }
        self.end_sample(out);
        if let Some(run) = run {
            self.complete(&run.completes, command);
            self.masked_notice(&run, env, out);
            self.record(&run, self.queue.progress, None, env, out);
        }
        match self.queue.front_mut() {
            Some(Expected::Query { runs, at }) => {
                if *at + 1 < runs.len() {
                    *at += 1;
                }
                self.queue.fresh();
            }
            _ => {
                self.queue.pop();
            }
        }
        Pass::Yes
    }

    /// What the server has now done becomes part of the session's tables.
    pub(super) fn complete(&mut self, completes: &Completes, command: &str) {
        match completes {
            Completes::AsTagged { up_to } if command == "DISCARD ALL" => {
                self.tables.dropped(None, *up_to);
                self.tables.closed(None, *up_to);
            }
            Completes::Nothing | Completes::AsTagged { .. } => {}
            Completes::Defined => self.defined = SchemaState::Stale,
            Completes::Prepared { name, id } => self.tables.prepared(name, *id),
            Completes::Deallocated { name, up_to } => {
                self.tables.dropped(name.as_deref(), *up_to);
            }
            Completes::Declared { name, id } => self.tables.declared(name, *id),
            Completes::Closed { name, up_to } => self.tables.closed(name.as_deref(), *up_to),
        }
    }

    pub(super) fn masked_notice(&self, run: &Run, env: Env<'_>, out: &mut Effects) {
        let shown = matches!(run.decision, audit::Decision::Shown | audit::Decision::Computed);
        if env.world.rules.notice == Notice::PerStatement && shown && !run.masked.is_empty() {
            let written = || {
                let mut message = Vec::new();
                write::notice(&mut message, &hidden_notice(env.world, &run.masked));
                message
            };
            match &run.notice {
                Some(notice) => out.to_client.extend_from_slice(notice.get_or_init(written)),
                None => out.to_client.extend(written()),
            }
        }
    }

    pub(super) fn server_error(&mut self, payload: &[u8], env: Env<'_>, out: &mut Effects) -> Pass {
        let mut state = errors::state_of(payload);
        self.path.failed();
        let failed = self.queue.front_run().cloned();
        let changes = failed.as_ref().filter(|run| errors::changes_what_it_may_not(payload, run));
        let changes = changes.map(|run| may_not_change(env.world, &run.guarded));
        if let Some(report) = &changes {
            state = report.state;
        }
        let (report, ends) = match self.queue.front() {
            Some(Expected::Refused { report, ends, .. }) => (Some(report.clone()), *ends),
            Some(Expected::Query { .. }) => (None, Ends::Ready),
            _ => (None, Ends::Error),
        };
        let report = report.or_else(|| self.overdue(state, env));
        let is_ours = self.queue.front_is_ours();
        self.note_cancelled(state, payload);
        if let Some(run) = &failed {
            let state = report.as_ref().map_or(state, |report| report.state);
            self.record(run, self.queue.progress, Some(state), env, out);
        }
        let scrub = self.queue.front_scrub();
        let pass = if is_ours {
            Pass::No
        } else if let Some(report) = report {
            write::error(&mut out.to_client, &report);
            Pass::No
        } else if let Some(report) = changes {
            write::error(&mut out.to_client, &report);
            Pass::No
        } else if self.scrub.applies(scrub) {
            errors::scrubbed_error(payload, &mut out.to_client);
            Pass::No
        } else {
            Pass::Yes
        };
        self.undo_failed(ends, env, out);
        pass
    }

    /// What the error makes void was never made.
    pub(super) fn undo_failed(&mut self, ends: Ends, env: Env<'_>, out: &mut Effects) {
        if ends == Ends::Ready {
            if let Some(Expected::Query { runs, at }) = self.queue.front() {
                let void: Vec<Arc<Run>> = runs.iter().skip(*at).cloned().collect();
                void.iter().for_each(|run| self.undo(&run.completes));
            }
            return;
        }
        let open = !self.queue.has_sync();
        let mut asked = false;
        for expected in self.queue.skip_to_sync() {
            match expected {
                Expected::Parse { name, id, origin: Origin::Client, .. } => {
                    self.tables.not_prepared(&name, id);
                }
                Expected::Parse { name, id, origin: Origin::Proxy, .. }
                | Expected::Own { name, id } => self.tables.not_prepared_again(&name, id),
                Expected::Bind { portal, id, .. } => self.tables.not_bound(&portal, id),
                Expected::Execute { run, .. } => self.undo(&run.completes),
                Expected::Path { .. } => asked = true,
                Expected::Query { .. }
                | Expected::Close { .. }
                | Expected::DescribeStatement { .. }
                | Expected::DescribePortal { .. }
                | Expected::Sync
                | Expected::OwnSync
                | Expected::Refused { .. } => {}
            }
        }
        if open {
            self.queue.batch = Batch::Skipping;
        }
        if asked {
            self.path.learn(None);
            // After a batch of our own, its Sync comes first.
            if open {
                self.go_on(env, out);
            }
        }
    }

    pub(super) fn undo(&mut self, completes: &Completes) {
        match completes {
            Completes::Prepared { name, id } => self.tables.not_prepared(name, *id),
            Completes::Declared { name, id } => self.tables.not_declared(name, *id),
            Completes::Nothing
            | Completes::AsTagged { .. }
            | Completes::Defined
            | Completes::Deallocated { .. }
            | Completes::Closed { .. } => {}
        }
    }

    pub(super) fn ready(&mut self, payload: &[u8], env: Env<'_>, out: &mut Effects) -> Pass {
        let Ok(status) = backend::ready_status(payload) else {
            self.break_off(&protocol("a malformed ReadyForQuery"), out);
            return Pass::No;
        };
        self.transaction = status;
        self.overdue = Overdue::No;
        if self.relay == Relay::Cut {
            self.relay = Relay::Open;
            // A simple query ends with its own ReadyForQuery, a batch with that of its Sync.
            if !self.queue.front_is_alone() {
                self.queue.skip_to_sync();
            }
        }
        if status == TxStatus::Idle {
            // Of a pipeline, the messages of later transactions have been looked at already.
            if !self.queue.scrubs_behind() {
                self.scrub.transaction_ended();
            }
            let bound: HashSet<u64, foldhash::fast::RandomState> = self.queue.bound().collect();
            self.tables.transaction_ended(|id| bound.contains(&id));
            if self.defined == SchemaState::Stale {
                self.defined = SchemaState::Fresh;
                if env.world.sensitive.watch == Watch::Something {
                    self.schema = SchemaState::Stale;
                }
            }
        }
        match self.queue.front().map(Expected::place) {
            Some(Place::Alone | Place::BatchEnd) => {}
            Some(Place::InBatch) | None => return self.out_of_step(out),
        }
        let answered = self.queue.pop();
        // Of a pipeline, later messages may have defined something already.
        if status == TxStatus::Idle && self.queue.is_empty() {
            self.uncommitted.ended();
        }
        if let Some(Expected::OwnSync) = answered {
            self.go_on(env, out);
            return Pass::No;
        }
        // At once and not before the client's next statement: others look at it meanwhile.
        if self.schema == SchemaState::Stale && self.hold.is_none() {
            self.hold = Some(Hold::Refresh);
        }
        Pass::Yes
    }

    /// A statement of ours is done: inside the client's batch, what waited for it goes on.
    fn own_done(&mut self, env: Env<'_>, out: &mut Effects) {
        let whole_batch = self.queue.front_is_ours();
        match self.queue.pop() {
            Some(Expected::Path { schemas }) => {
                self.path.learn(schemas.as_deref());
                if !whole_batch {
                    self.go_on(env, out);
                }
            }
            Some(Expected::Own { name, id }) => self.tables.prepared(&name, id),
            _ => {}
        }
    }
}

/// A command's tag without the number of rows at its end, and that number: `INSERT 0 3`.
fn split_count(command: &str) -> (&str, u64) {
    let digits = command.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (before, number) = command.split_at(command.len() - digits);
    match before.strip_suffix(' ') {
        Some(verb) => (verb, number.parse().unwrap_or(0)),
        None => (command, 0),
    }
}

/// Commands after which names may mean something else.
fn is_definition(command: &str) -> bool {
    let words = ["CREATE", "ALTER", "DROP", "DO", "CALL", "IMPORT", "SELECT INTO", "REFRESH"];
    words.iter().any(|word| command.starts_with(word))
}
