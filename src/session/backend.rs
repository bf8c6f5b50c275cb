//! From the server: whole runs of messages pass untouched; the rest is looked at one by one.

use bytes::{Buf, BytesMut};

use super::errors::{self, protocol};
use super::gate::Gate;
use super::outward::{Outward, Way};
use super::overdue::Overdue;
use super::queue::{Batch, Completes, Expected, Origin, Run};
use super::{Cancel, Effects, Env, Hold, Relay, Session};
use crate::analysis::sensitive::{Notifies, Watch};
use crate::audit;
use crate::model::{Report, SqlState};
use crate::wire::backend::{self, tag};
use crate::wire::{FrameHeader, write};

/// Whether a message of the server goes on to the client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Yes,
    No,
    /// The message stays where it is until the hold is over.
    Wait,
}

impl Session {
    /// Takes messages off the front of `input`; rows and COPY data may pass in pieces.
    pub fn server_bytes(&mut self, input: &mut BytesMut, env: Env<'_>, out: &mut Effects) {
        self.recheck(env, out);
        // Bytes at the front that pass as they are, gathered so that runs are copied at once.
        let mut run_len = 0;
        while out.close.is_none() {
            let len = self.outward.left().min(input.len() - run_len);
            if let Outward::Dropped(_) = self.outward {
                self.pass_run(input, &mut run_len, out);
                input.advance(len);
            } else {
                run_len += len;
            }
            self.outward = self.outward.moved(len);
            let rest = &input[run_len..];
            let header = match FrameHeader::peek(rest, usize::MAX >> 1) {
                Ok(Some(header)) if self.outward == Outward::Between => header,
                Ok(_) => break,
                Err(error) => {
                    self.pass_run(input, &mut run_len, out);
                    return self.break_off(&protocol(error), out);
                }
            };
            if self.passes(header.tag) {
                let alike = self.pass_alike(header, rest);
                run_len += alike;
                continue;
            }
            if header.tag == tag::DATA_ROW {
                self.pass_run(input, &mut run_len, out);
                let masked_len = self.mask_rows(input, env, out);
                if masked_len > 0 {
                    input.advance(masked_len);
                    continue;
                }
            }
            if self.server_message(header, input, &mut run_len, env, out) == Pass::Wait {
                break;
            }
        }
        self.pass_run(input, &mut run_len, out);
    }

    /// Looks at one message behind the run. [`Pass::Wait`]: it, or more of it, is still to come.
    fn server_message(
        &mut self,
        header: FrameHeader,
        input: &mut BytesMut,
        run_len: &mut usize,
        env: Env<'_>,
        out: &mut Effects,
    ) -> Pass {
        let before = out.to_client.len();
        if header.tag != tag::READY_FOR_QUERY {
            // What is at the front now may have been behind something else before.
            self.recheck(env, out);
        }
        let there = &input[*run_len..];
        let way = self.way_out(header, there, env, out);
        let pass = match way {
            Way::Whole if there.len() >= header.len => {
                let pass = self.server_frame(&there[..header.len], env, out);
                self.settle(env, out);
                pass
            }
            Way::Whole | Way::More | Way::Wait => Pass::Wait,
            Way::Pieces(outward) => {
                self.outward = outward;
                Pass::Yes
            }
            Way::Begun { .. } => Pass::Yes,
        };
        if out.to_client.len() > before && *run_len > 0 {
            // What was said about it comes behind the run.
            out.to_client.splice(before..before, input[..*run_len].iter().copied());
            input.advance(*run_len);
            *run_len = 0;
        }
        match (way, pass) {
            (Way::Whole, Pass::Yes) => *run_len += header.len,
            (Way::Whole, Pass::No) => {
                self.pass_run(input, run_len, out);
                input.advance(header.len);
            }
            (Way::Begun { written_from, rest }, _) => {
                input.advance(written_from);
                self.outward = rest.moved(0);
            }
            (Way::Whole | Way::More | Way::Wait | Way::Pieces(_), _) => {}
        }
        pass
    }

    fn pass_run(&self, input: &mut BytesMut, run_len: &mut usize, out: &mut Effects) {
        if *run_len > 0 {
            out.to_client.extend_from_slice(&input[..*run_len]);
            input.advance(*run_len);
            *run_len = 0;
        }
    }

    /// The hot path: rows of a result in which nothing is hidden, granted or copied, and COPY data of
    /// clear statements.
    fn passes(&self, kind: u8) -> bool {
        let alike = match kind {
            tag::DATA_ROW => {
                matches!(&self.queue.gate, Gate::Open { raw } if raw.is_empty())
                    && self.queue.sample.is_none()
            }
            tag::COPY_DATA => self.is_under_way(),
            _ => false,
        };
        alike && self.relay == Relay::Open && self.queue.front_release().is_none()
    }

    /// Passes the message at the front of `rest`, and others of its kind as far as they are there
    /// in full: none of them changes what the next may do. Answers their length; one that is not
    /// there in full passes in pieces.
    fn pass_alike(&mut self, first: FrameHeader, rest: &[u8]) -> usize {
        let (mut len, mut count, mut next) = (0, 0, first);
        while next.len <= rest.len() - len {
            len += next.len;
            count += 1;
            match FrameHeader::peek(&rest[len..], usize::MAX >> 1) {
                Ok(Some(header)) if header.tag == first.tag => next = header,
                Ok(_) | Err(_) => break,
            }
        }
        let mut bytes = len;
        if count == 0 {
            (count, bytes) = (1, first.len);
            self.outward = Outward::Clear(first.len);
        }
        if first.tag == tag::DATA_ROW {
            self.queue.progress.rows += count;
        }
        self.queue.progress.bytes += bytes as u64;
        len
    }

    /// A release is asked again: a grant may have ended while its rows stream.
    fn recheck(&mut self, env: Env<'_>, out: &mut Effects) {
        let Some(release) = self.queue.front_release() else { return };
        let changed = self.queue.progress.checked != env.grants.epoch;
        let over = release.until.is_some_and(|until| until <= env.now);
        if (changed || over) && self.relay == Relay::Open && self.is_under_way() {
            if release.holds(self.standpoint(env)) {
                self.queue.progress.checked = env.grants.epoch;
            } else if let Outward::Raw(_) = self.outward {
                self.sever(env, out);
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
        self.cancel_overdue(env, out);
    }

    /// Ends the result that streams now: nothing more of this batch reaches the client.
    pub(super) fn cut(
        &mut self,
        report: &Report,
        decision: audit::Decision,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        write::error(&mut out.to_client, report);
        if self.overdue == Overdue::No {
            out.cancel = Some(Cancel::Statement);
        }
        self.relay = Relay::Cut;
        self.record_cut(decision, env, out);
        if self.queue.front_is_in_open_batch() {
            self.queue.batch = Batch::Skipping;
            if matches!(self.hold, Some(Hold::Server)) {
                // The answer that it waits for is part of what is cut.
                self.go_on(env, out);
            }
        }
    }

    /// What is on record of a result that does not come to its end.
    pub(super) fn record_cut(&self, decision: audit::Decision, env: Env<'_>, out: &mut Effects) {
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
            tag::NOTICE_RESPONSE => self.server_notice(payload, out),
            tag::READY_FOR_QUERY => self.ready(payload, env, out),
            _ if self.relay == Relay::Cut => Pass::No,
            tag::ERROR_RESPONSE => self.server_error(payload, env, out),
            tag::DATA_ROW => self.row(payload, env, out),
            tag::ROW_DESCRIPTION => self.row_description(payload, env, out),
            tag::NO_DATA => self.no_data(env, out),
            tag::COMMAND_COMPLETE | tag::EMPTY_QUERY_RESPONSE | tag::PORTAL_SUSPENDED => {
                self.completed(frame[0], payload, env, out)
            }
            tag::FUNCTION_CALL_RESPONSE if env.world.sensitive.watch == Watch::Nothing => {
                self.completed(frame[0], &[], env, out)
            }
            kind @ (tag::PARSE_COMPLETE | tag::BIND_COMPLETE | tag::CLOSE_COMPLETE) => {
                self.step_done(kind, out)
            }
            tag::PARAMETER_DESCRIPTION => match self.queue.front() {
                Some(Expected::DescribeStatement { origin: Origin::Client, .. }) => Pass::Yes,
                Some(Expected::DescribeStatement { origin: Origin::Proxy, .. }) => Pass::No,
                _ => self.out_of_step(out),
            },
            tag::COPY_IN_RESPONSE if self.is_under_way() => self.copy_in_begins(out),
            tag::COPY_OUT_RESPONSE | tag::COPY_DONE if self.is_under_way() => Pass::Yes,
            tag::COPY_DATA if self.is_under_way() => {
                self.queue.progress.bytes += frame.len() as u64;
                self.queue.progress.copied += 1;
                Pass::Yes
            }
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

    fn server_notice(&self, payload: &[u8], out: &mut Effects) -> Pass {
        if self.is_unheard() {
            return Pass::No;
        }
        let scrub = self.queue.front_scrub();
        if self.scrub.applies(scrub) || self.scrub.is_log_of_earlier(payload) {
            errors::scrubbed_notice(&mut out.to_client);
            return Pass::No;
        }
        Pass::Yes
    }

    /// Whether the client hears no notices of what runs now.
    fn is_unheard(&self) -> bool {
        self.relay == Relay::Cut
            || matches!(self.queue.front(), Some(Expected::Refused { .. }))
            || self.queue.front_is_ours()
    }

    /// Whether a notice that is too long to be looked at is kept from the client.
    pub(super) fn hides_notices(&self) -> bool {
        self.is_unheard() || !self.scrub.is_clean()
    }
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
        guarded: run.guarded.clone(),
        notice: None,
        show: run.show,
        completes: Completes::Nothing,
        started: run.started,
    }
}
