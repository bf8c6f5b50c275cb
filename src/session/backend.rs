//! From the server: whole runs of messages pass untouched; the rest is looked at one by one.

use std::sync::{Arc, PoisonError};

use bytes::{Buf, BytesMut};

use super::errors::{self, protocol};
use super::gate::{Closed, Gate, mask_row};
use super::queue::{Batch, Completes, Ends, Expected, Origin, Run};
use super::tables::Shape;
use super::{Cancel, Effects, Env, Hold, Relay, SchemaState, Session};
use crate::analysis::sensitive::Notifies;
use crate::audit;
use crate::decision::{Notice, hidden_notice};
use crate::mask::Format;
use crate::model::{ColumnId, Report, SqlState};
use crate::wire::backend::{self, DataRow, RowDescription, tag};
use crate::wire::{FrameHeader, TxStatus, write};

/// Whether a message of the server goes on to the client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Yes,
    No,
    /// The message stays where it is until the hold is over.
    Wait,
}

impl Session {
    /// Takes messages off the front of `input`; a row that nothing is hidden in may pass in parts.
    pub fn server_bytes(&mut self, input: &mut BytesMut, env: Env<'_>, out: &mut Effects) {
        self.recheck(env, out);
        // Bytes at the front that pass as they are, gathered so that runs are copied at once.
        let mut run_len = 0;
        loop {
            if self.passing_len > 0 {
                let len = self.passing_len.min(input.len() - run_len);
                self.passing_len -= len;
                run_len += len;
            }
            let rest = &input[run_len..];
            let header = match FrameHeader::peek(rest, usize::MAX >> 1) {
                Ok(Some(header)) => header,
                Ok(None) => break,
                Err(error) => return self.break_off(&protocol(error), out),
            };
            if self.may_pass_in_parts(header.tag) {
                self.queue.progress.rows += u64::from(header.tag == tag::DATA_ROW);
                self.queue.progress.bytes += header.len as u64;
                self.passing_len = header.len;
                continue;
            }
            if rest.len() < header.len {
                break;
            }
            out.to_client.extend_from_slice(&input[..run_len]);
            input.advance(run_len);
            run_len = 0;
            let frame = input.split_to(header.len);
            match self.server_frame(&frame, env, out) {
                Pass::Yes => out.to_client.extend_from_slice(&frame),
                Pass::No => {}
                Pass::Wait => {
                    let rest = std::mem::take(input);
                    *input = frame;
                    input.unsplit(rest);
                    return;
                }
            }
        }
        out.to_client.extend_from_slice(&input[..run_len]);
        input.advance(run_len);
    }

    /// Rows of a result in which nothing is hidden or granted, and COPY data of clear statements.
    fn may_pass_in_parts(&self, kind: u8) -> bool {
        if self.relay == Relay::Cut || self.queue.front_release().is_some() {
            return false;
        }
        match kind {
            tag::DATA_ROW => matches!(&self.queue.gate, Gate::Open { raw } if raw.is_empty()),
            tag::COPY_DATA => true,
            _ => false,
        }
    }

    /// A release is asked again: a grant may have ended while its rows stream.
    fn recheck(&mut self, env: Env<'_>, out: &mut Effects) {
        let Some(release) = self.queue.front_release() else { return };
        let changed = self.queue.progress.checked != env.grants.epoch;
        let over = release.until.is_some_and(|until| until <= env.now);
        if (changed || over) && self.relay == Relay::Open && self.is_under_way() {
            if release.holds(self.standpoint(env)) {
                self.queue.progress.checked = env.grants.epoch;
            } else {
                let report = super::plan::ended(env.world, &release.columns);
                self.cut(&report, audit::Decision::Cut, env, out);
            }
        }
    }

    /// Whether the front has been sent to the server and answers may be under way.
    fn is_under_way(&self) -> bool {
        matches!(self.queue.front(), Some(Expected::Query { .. } | Expected::Execute { .. }))
    }

    /// Grants, snapshot or time have changed.
    pub fn tick(&mut self, env: Env<'_>, out: &mut Effects) {
        self.recheck(env, out);
    }

    /// Ends the result that streams now: nothing more of this batch reaches the client.
    fn cut(&mut self, report: &Report, decision: audit::Decision, env: Env<'_>, out: &mut Effects) {
        write::error(&mut out.to_client, report);
        out.cancel = Some(Cancel::Statement);
        self.relay = Relay::Cut;
        if decision == audit::Decision::Refused {
            out.tally.violations += 1;
        }
        if let Some(run) = self.queue.front_run().cloned() {
            let mut ended = clone_for_record(&run);
            ended.decision = decision;
            if decision == audit::Decision::Refused {
                ended.gates.provenance = audit::Provenance::Violated;
            }
            let state = Some(SqlState::INSUFFICIENT_PRIVILEGE);
            self.record(&ended, self.queue.progress, state, env, out);
        }
        if self.queue.batch == Batch::Open {
            self.queue.batch = Batch::Skipping;
        }
    }

    fn server_frame(&mut self, frame: &[u8], env: Env<'_>, out: &mut Effects) -> Pass {
        let payload = &frame[5..];
        match frame[0] {
            tag::PARAMETER_STATUS => {
                if let Ok((name, value)) = backend::parameter_status(payload) {
                    let (name, value) = (name.to_owned(), value.to_owned());
                    self.parameter(&name, &value);
                }
                Pass::Yes
            }
            tag::NOTIFICATION_RESPONSE => self.notification(payload, env, out),
            tag::NOTICE_RESPONSE => self.server_notice(out),
            tag::READY_FOR_QUERY => self.ready(payload, env, out),
            _ if self.relay == Relay::Cut => Pass::No,
            tag::ERROR_RESPONSE => self.server_error(payload, env, out),
            tag::DATA_ROW => self.row(payload, env, out),
            tag::ROW_DESCRIPTION => self.row_description(payload, env, out),
            tag::NO_DATA => self.no_data(env),
            tag::COMMAND_COMPLETE | tag::EMPTY_QUERY_RESPONSE | tag::PORTAL_SUSPENDED => {
                self.completed(frame[0], payload, env, out)
            }
            tag::PARSE_COMPLETE | tag::BIND_COMPLETE | tag::CLOSE_COMPLETE => self.step_done(),
            tag::PARAMETER_DESCRIPTION => match self.queue.front() {
                Some(Expected::DescribeStatement { origin: Origin::Client, .. }) => Pass::Yes,
                _ => Pass::No,
            },
            tag::COPY_IN_RESPONSE | tag::COPY_OUT_RESPONSE | tag::COPY_BOTH_RESPONSE => Pass::Yes,
            tag::COPY_DATA => {
                self.queue.progress.bytes += frame.len() as u64;
                Pass::Yes
            }
            tag::COPY_DONE => Pass::Yes,
            _ => {
                self.break_off(&protocol("an unknown message from the server"), out);
                Pass::No
            }
        }
    }

    fn notification(&self, payload: &[u8], env: Env<'_>, out: &mut Effects) -> Pass {
        if env.world.sensitive.notifies == Notifies::No {
            return Pass::Yes;
        }
        if let Ok((pid, channel, _)) = backend::notification(payload) {
            let _ = write::notification(&mut out.to_client, pid, channel, b"");
        }
        Pass::No
    }

    fn server_notice(&self, out: &mut Effects) -> Pass {
        let scrub = self.queue.front_run().map_or(crate::decision::Scrub::No, |run| run.scrub);
        if self.relay == Relay::Cut || matches!(self.queue.front(), Some(Expected::Refused { .. }))
        {
            return Pass::No;
        }
        if self.scrub.applies(scrub) {
            errors::scrubbed_notice(&mut out.to_client);
            return Pass::No;
        }
        Pass::Yes
    }

    /// Replies that are one message.
    fn step_done(&mut self) -> Pass {
        match self.queue.pop() {
            Some(Expected::Parse { name, id, origin }) => {
                self.tables.prepared(&name, id);
                visible(origin)
            }
            Some(Expected::Bind { origin, .. }) => visible(origin),
            Some(Expected::Close { statement, portal, up_to, origin }) => {
                if let Some(name) = statement {
                    self.tables.dropped(Some(&name), up_to);
                }
                if let Some(name) = portal {
                    self.tables.close_portal(&name);
                }
                visible(origin)
            }
            _ => Pass::No,
        }
    }

    fn no_data(&mut self, env: Env<'_>) -> Pass {
        match self.queue.pop() {
            Some(
                Expected::DescribeStatement { origin, prepared }
                | Expected::DescribePortal { origin, prepared },
            ) => {
                if let Some(prepared) = prepared {
                    let epoch = env.world.epoch;
                    prepared.learn(Shape { epoch, columns: Arc::from([]) });
                }
                visible(origin)
            }
            _ => Pass::No,
        }
    }

    fn row_description(&mut self, payload: &[u8], env: Env<'_>, out: &mut Effects) -> Pass {
        let Ok(description) = RowDescription::read(payload) else {
            self.break_off(&protocol("a malformed RowDescription"), out);
            return Pass::No;
        };
        let columns: Arc<[ColumnId]> = description
            .fields()
            .map(|field| ColumnId { relation: field.relation, number: field.column })
            .collect();
        match self.queue.front() {
            Some(Expected::Query { .. }) => {
                let formats: Vec<i16> = description.fields().map(|field| field.format).collect();
                self.open_gate(&columns, &formats, env, out)
            }
            Some(Expected::DescribeStatement { .. } | Expected::DescribePortal { .. }) => {
                let Some(
                    Expected::DescribeStatement { prepared, origin }
                    | Expected::DescribePortal { prepared, origin },
                ) = self.queue.pop()
                else {
                    return Pass::No;
                };
                let shape = Shape { epoch: env.world.epoch, columns };
                match prepared {
                    Some(prepared) => prepared.learn(shape),
                    None => self.cursor_shape = Some(shape),
                }
                visible(origin)
            }
            Some(Expected::Path { .. } | Expected::PathInBatch { .. }) => Pass::No,
            _ => {
                self.break_off(&protocol("a RowDescription that nobody asked for"), out);
                Pass::No
            }
        }
    }

    fn open_gate(
        &mut self,
        columns: &[ColumnId],
        formats: &[i16],
        env: Env<'_>,
        out: &mut Effects,
    ) -> Pass {
        let Some(run) = self.queue.front_run().cloned() else { return Pass::No };
        let format = |index: usize| match formats {
            [] => Format::Text,
            [one] => format_of(*one),
            many => format_of(many.get(index).copied().unwrap_or(0)),
        };
        match Gate::open(columns, format, &run, self.standpoint(env), &self.vetted) {
            Ok(gate) => {
                self.queue.gate = gate;
                self.queue.progress.checked = env.grants.epoch;
                Pass::Yes
            }
            Err(Closed::Unknown(relation)) => {
                self.server_hold = Some((Hold::Refresh, relation));
                Pass::Wait
            }
            Err(Closed::Violation(_)) => {
                self.cut(&errors::violation(), audit::Decision::Refused, env, out);
                Pass::No
            }
        }
    }

    fn row(&mut self, payload: &[u8], env: Env<'_>, out: &mut Effects) -> Pass {
        if matches!(self.queue.gate, Gate::Shut) {
            let pass = self.first_row(payload, env, out);
            if pass != Pass::Yes {
                return pass;
            }
        }
        self.queue.progress.rows += 1;
        let before = out.to_client.len();
        match &self.queue.gate {
            Gate::Shut => Pass::No,
            Gate::Open { .. } => {
                self.queue.progress.bytes += payload.len() as u64 + 5;
                Pass::Yes
            }
            Gate::Masking { fields, .. } => {
                let masked = mask_row(payload, fields, self.standpoint(env), &mut out.to_client);
                self.queue.progress.bytes += (out.to_client.len() - before) as u64;
                if masked.is_err() {
                    self.cut(&errors::unmaskable(), audit::Decision::Refused, env, out);
                }
                Pass::No
            }
        }
    }

    /// The first row of an Execute opens the gate by what Describe told of the statement.
    fn first_row(&mut self, payload: &[u8], env: Env<'_>, out: &mut Effects) -> Pass {
        let front = match self.queue.front_mut() {
            Some(Expected::Path { schemas } | Expected::PathInBatch { schemas }) => {
                let row = DataRow::read(payload).ok();
                let first = row.and_then(|row| row.fields().next()).and_then(Result::ok).flatten();
                *schemas = first.map(<[u8]>::to_vec);
                return Pass::No;
            }
            Some(Expected::Execute { prepared, formats, .. }) => {
                (prepared.clone(), formats.clone())
            }
            _ => {
                self.break_off(&protocol("a row that nobody asked for"), out);
                return Pass::No;
            }
        };
        let (prepared, formats) = front;
        let shape = match &prepared {
            Some(prepared) => prepared.shape.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            None => self.cursor_shape.clone(),
        };
        match shape {
            Some(shape) => self.open_gate(&shape.columns, &formats, env, out),
            None => {
                self.cut(&errors::violation(), audit::Decision::Refused, env, out);
                Pass::No
            }
        }
    }

    fn completed(&mut self, kind: u8, payload: &[u8], env: Env<'_>, out: &mut Effects) -> Pass {
        let command = match kind {
            tag::COMMAND_COMPLETE => backend::command_tag(payload).unwrap_or(""),
            _ => "",
        };
        self.path.completed(command);
        let run = match self.queue.front() {
            Some(Expected::Query { runs, at }) => runs.get(*at).cloned(),
            Some(Expected::Execute { run, .. }) => Some(run.clone()),
            Some(Expected::Path { .. }) => return Pass::No,
            Some(Expected::PathInBatch { .. }) => {
                self.path_answered(env, out);
                return Pass::No;
            }
            _ => return Pass::No,
        };
        let rows = command.rsplit(' ').next().and_then(|count| count.parse().ok());
        if self.queue.progress.rows == 0 && kind == tag::COMMAND_COMPLETE {
            self.queue.progress.rows = rows.unwrap_or(0);
        }
        if is_definition(command) {
            self.defined = SchemaState::Stale;
        }
        if let Some(run) = run {
            self.complete(&run);
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
    fn complete(&mut self, run: &Run) {
        match &run.completes {
            Completes::Nothing => {}
            Completes::Defined => self.defined = SchemaState::Stale,
            Completes::Prepared { name, id } => self.tables.prepared(name, *id),
            Completes::Deallocated { name, up_to } => {
                self.tables.dropped(name.as_deref(), *up_to);
            }
            Completes::Declared { .. } => {}
            Completes::Closed(name) => self.tables.closed(name.as_deref()),
        }
    }

    fn masked_notice(&self, run: &Run, env: Env<'_>, out: &mut Effects) {
        let shown = matches!(run.decision, audit::Decision::Shown | audit::Decision::Computed);
        if env.world.rules.notice == Notice::PerStatement && shown && !run.masked.is_empty() {
            write::notice(&mut out.to_client, &hidden_notice(env.world, &run.masked));
        }
    }

    fn server_error(&mut self, payload: &[u8], env: Env<'_>, out: &mut Effects) -> Pass {
        let state = errors::state_of(payload);
        self.path.failed();
        let failed = self.queue.front_run().cloned();
        let (report, ready_follows) = match self.queue.front() {
            Some(Expected::Refused { report, ends, .. }) => {
                (Some(report.clone()), *ends == Ends::Ready)
            }
            Some(Expected::Query { .. } | Expected::Path { .. }) => (None, true),
            _ => (None, false),
        };
        let is_ours = matches!(
            self.queue.front(),
            Some(Expected::Path { .. } | Expected::PathInBatch { .. })
        );
        if let Some(run) = &failed {
            let state = report.as_ref().map_or(state, |report| report.state);
            self.record(run, self.queue.progress, Some(state), env, out);
        }
        let scrub = failed.as_ref().map_or(crate::decision::Scrub::No, |run| run.scrub);
        let pass = if is_ours {
            Pass::No
        } else if let Some(report) = report {
            write::error(&mut out.to_client, &report);
            Pass::No
        } else if self.scrub.applies(scrub) {
            errors::scrubbed_error(payload, &mut out.to_client);
            Pass::No
        } else {
            Pass::Yes
        };
        self.undo_failed(ready_follows, env, out);
        pass
    }

    /// What the error makes void was never made.
    fn undo_failed(&mut self, ready_follows: bool, env: Env<'_>, out: &mut Effects) {
        if ready_follows {
            if let Some(Expected::Query { runs, at }) = self.queue.front() {
                let void: Vec<Arc<Run>> = runs.iter().skip(*at).cloned().collect();
                void.iter().for_each(|run| self.undo(run));
            }
            return;
        }
        let open = !self.queue.has_sync();
        let mut asked = false;
        for expected in self.queue.skip_to_sync() {
            match expected {
                Expected::Parse { name, id, .. } => self.tables.not_prepared(&name, id),
                Expected::Execute { run, .. } => self.undo(&run),
                Expected::PathInBatch { .. } => asked = true,
                Expected::Query { .. }
                | Expected::Bind { .. }
                | Expected::Close { .. }
                | Expected::DescribeStatement { .. }
                | Expected::DescribePortal { .. }
                | Expected::Sync
                | Expected::Path { .. }
                | Expected::Refused { .. } => {}
            }
        }
        if open {
            self.queue.batch = Batch::Skipping;
        }
        if asked {
            self.path.learn(None);
            self.go_on(env, out);
        }
    }

    fn undo(&mut self, run: &Run) {
        match &run.completes {
            Completes::Prepared { name, id } => self.tables.not_prepared(name, *id),
            Completes::Declared { name, id } => self.tables.not_declared(name, *id),
            Completes::Nothing
            | Completes::Defined
            | Completes::Deallocated { .. }
            | Completes::Closed(_) => {}
        }
    }

    fn ready(&mut self, payload: &[u8], env: Env<'_>, out: &mut Effects) -> Pass {
        let Ok(status) = backend::ready_status(payload) else {
            self.break_off(&protocol("a malformed ReadyForQuery"), out);
            return Pass::No;
        };
        self.transaction = status;
        if self.relay == Relay::Cut {
            self.relay = Relay::Open;
            // A simple query ends with its own ReadyForQuery, a batch with that of its Sync.
            let simple = matches!(
                self.queue.front(),
                Some(Expected::Query { .. } | Expected::Refused { ends: Ends::Ready, .. })
            );
            if !simple {
                self.queue.skip_to_sync();
            }
        }
        if status == TxStatus::Idle {
            self.scrub.transaction_ended();
            self.tables.transaction_ended();
            if self.defined == SchemaState::Stale {
                self.defined = SchemaState::Fresh;
                self.schema = SchemaState::Stale;
            }
        }
        match self.queue.front() {
            Some(Expected::Path { .. }) => {
                self.path_answered(env, out);
                Pass::No
            }
            _ => {
                self.queue.pop();
                Pass::Yes
            }
        }
    }

    /// The server has said what the `search_path` is: the message that waited goes on.
    fn path_answered(&mut self, env: Env<'_>, out: &mut Effects) {
        if let Some(Expected::Path { schemas } | Expected::PathInBatch { schemas }) =
            self.queue.pop()
        {
            self.path.learn(schemas.as_deref());
            self.go_on(env, out);
        }
    }
}

fn visible(origin: Origin) -> Pass {
    match origin {
        Origin::Client => Pass::Yes,
        Origin::Proxy => Pass::No,
    }
}

fn format_of(code: i16) -> Format {
    if code == 0 { Format::Text } else { Format::Binary }
}

/// Commands after which names may mean something else.
fn is_definition(command: &str) -> bool {
    let words = ["CREATE", "ALTER", "DROP", "DO", "CALL", "IMPORT", "SELECT INTO", "REFRESH"];
    words.iter().any(|word| command.starts_with(word))
}

fn clone_for_record(run: &Run) -> Run {
    Run {
        number: run.number,
        text: run.text.clone(),
        decision: run.decision,
        gates: run.gates,
        release: run.release.clone(),
        masked: run.masked.clone(),
        touched: run.touched.clone(),
        relations: run.relations.clone(),
        scrub: run.scrub,
        show: run.show,
        completes: Completes::Nothing,
        started: run.started,
    }
}
