//! The client's bytes: messages are cut by their length. Those that are too long to be kept pass in
//! pieces, as far as what is decided about them does not rest on all of their bytes.
//!
//! **Invariant:** while a message passes in pieces, nothing else is written on the same side: its
//! frame is finished, or the connection ends with it unfinished.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::again::Renewed;
use super::bind::{ResultFormats, Settled};
use super::errors::{self, protocol};
use super::frontend::Pending;
use super::prepared::Prepared;
use super::queue::Batch;
use super::{Effects, Env, Hold, SchemaState, Session};
use crate::model::Report;
use crate::wire::frontend::{self, BindRest, tag};
use crate::wire::{FrameHeader, WireError};

/// Messages of the client and rows up to this length are looked at as a whole.
pub(super) const WHOLE_LEN: usize = 64 << 10;

/// The client's message that passes now.
#[derive(Default)]
pub(super) enum Inward {
    #[default]
    Between,
    /// CopyData: bytes to go.
    Passing(usize),
    /// Refused, or behind an error: bytes that the server does not see.
    Dropping(usize),
    /// The values of a Bind.
    Binding(Box<Binding>),
}

/// A Bind whose head was sent.
pub(super) struct Binding {
    portal: String,
    prepared: Option<Arc<Prepared>>,
    rest: BindRest,
}

/// What the client's next message waits for, if it was looked at already and left where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Glance {
    #[default]
    None,
    /// It was, and is looked at again.
    Again,
    /// It has to be taken as a whole.
    Whole,
}

/// Whether a message was taken off the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// It stays there until there is more of it, or a hold is over.
    No,
}

impl Session {
    /// Takes whole messages off the front of `input` until one has to wait or more bytes are
    /// needed.
    pub fn client_bytes(&mut self, input: &mut BytesMut, env: Env<'_>, out: &mut Effects) {
        while self.hold.is_none()
            && out.close.is_none()
            && !self.is_leaving()
            && !self.queue.is_full()
        {
            self.pass_ask(input, out);
            let (true, Some(tag)) = (self.is_between_asks(), input.first().copied()) else {
                return;
            };
            let Some(len_max) = frontend::len_max(tag) else {
                return self.unknown_message(tag, out);
            };
            let header = match FrameHeader::peek(input, len_max) {
                Ok(Some(header)) => header,
                Ok(None) => return,
                Err(error) => return self.break_off(&protocol(error), out),
            };
            if self.is_taken_whole(header) {
                if input.len() < header.len {
                    return;
                }
                self.next_message();
                self.glance = Glance::None;
                self.client_frame(&input[..header.len], env, out);
                input.advance(header.len);
            } else if self.begin_ask(header, input, env, out) == Taken::No {
                return;
            }
        }
    }

    fn next_message(&mut self) {
        self.path.next_message();
        self.renewed = Renewed::No;
    }

    /// Nothing can follow it; what came before is answered first.
    fn unknown_message(&mut self, tag: u8, out: &mut Effects) {
        if self.is_copying_in() {
            self.lost_in_copy_in(tag, out);
        } else if self.queue.is_empty() {
            self.break_off(&errors::unknown_message(tag), out);
        } else {
            self.wait_until_settled(None, out);
        }
    }

    fn is_taken_whole(&self, header: FrameHeader) -> bool {
        header.tag != tag::COPY_DATA
            && match self.glance {
                Glance::Whole => true,
                Glance::Again => false,
                Glance::None => {
                    header.len <= WHOLE_LEN
                        || (header.tag != tag::BIND && header.len <= self.frame_len_max)
                }
            }
    }

    /// Whether a message is half-way to the server.
    pub(super) fn is_between_asks(&self) -> bool {
        matches!(self.inward, Inward::Between)
    }

    /// Moves what there is of the client's message that passes.
    pub(super) fn pass_ask(&mut self, input: &mut BytesMut, out: &mut Effects) {
        match &mut self.inward {
            Inward::Between => {}
            Inward::Passing(left) => {
                let len = input.len().min(*left);
                out.to_server.extend_from_slice(&input[..len]);
                input.advance(len);
                *left -= len;
                if *left == 0 {
                    self.inward = Inward::Between;
                }
            }
            Inward::Dropping(left) => {
                let len = input.len().min(*left);
                input.advance(len);
                *left -= len;
                if *left == 0 {
                    self.inward = Inward::Between;
                }
            }
            Inward::Binding(binding) => {
                let len = input.len().min(binding.rest.left());
                let taken = binding.rest.take(&input[..len]);
                if let Err(error) = taken {
                    return self.break_off(&protocol(error), out);
                }
                out.to_server.extend_from_slice(&input[..len]);
                input.advance(len);
                if binding.rest.left() == 0
                    && let Inward::Binding(binding) = std::mem::take(&mut self.inward)
                {
                    self.bound(*binding, out);
                }
            }
        }
    }

    fn bound(&mut self, binding: Binding, out: &mut Effects) {
        let Binding { portal, prepared, rest } = binding;
        match rest.finish() {
            // The batch failed while it passed: the server does not look at it.
            Ok(_) if self.queue.batch == Batch::Skipping => {}
            Ok(formats) => {
                let formats = ResultFormats::new(formats.into_iter());
                self.expect_bind(&portal, prepared, formats);
            }
            // The server has all of it, and may take it for something: nobody waits for that.
            Err(error) => self.break_off(&protocol(error), out),
        }
    }

    /// Takes a message that is not taken as a whole, as far as it has come.
    pub(super) fn begin_ask(
        &mut self,
        header: FrameHeader,
        input: &mut BytesMut,
        env: Env<'_>,
        out: &mut Effects,
    ) -> Taken {
        if self.queue.batch == Batch::Skipping {
            self.inward = Inward::Dropping(header.len);
            return Taken::Yes;
        }
        if let Err(report) = self.keeps_watch(env) {
            self.break_off(&report, out);
            return Taken::Yes;
        }
        if self.glance == Glance::Again
            && let Some(report) = self.cancelled.take()
        {
            self.glance = Glance::None;
            self.refuse_in_batch(Bytes::new(), report, env, out);
            self.inward = Inward::Dropping(header.len);
            return Taken::Yes;
        }
        if self.schema == SchemaState::Stale {
            // It stays where it is, and is looked at again after the hold.
            self.hold = Some(Hold::Refresh);
            return Taken::No;
        }
        match header.tag {
            kind if kind != tag::COPY_DATA && self.is_copying_in() => {
                self.lost_in_copy_in(kind, out);
                Taken::Yes
            }
            tag::COPY_DATA => {
                self.inward = Inward::Passing(header.len);
                Taken::Yes
            }
            tag::BIND => self.begin_bind(header, input, env, out),
            tag::QUERY => {
                self.refuse_query(Bytes::new(), self.too_long().into(), env, out);
                self.inward = Inward::Dropping(header.len);
                Taken::Yes
            }
            tag::FUNCTION_CALL => {
                self.refuse_query(Bytes::new(), errors::fast_path().into(), env, out);
                self.inward = Inward::Dropping(header.len);
                Taken::Yes
            }
            _ => {
                self.refuse_in_batch(Bytes::new(), self.too_long().into(), env, out);
                self.inward = Inward::Dropping(header.len);
                Taken::Yes
            }
        }
    }

    fn begin_bind(
        &mut self,
        header: FrameHeader,
        input: &mut BytesMut,
        env: Env<'_>,
        out: &mut Effects,
    ) -> Taken {
        if std::mem::take(&mut self.glance) != Glance::Again {
            self.next_message();
        }
        let there = &input[5..input.len().min(header.len)];
        let head = match frontend::bind_head(there) {
            Ok(Some(head)) => head,
            Ok(None) if 5 + there.len() < header.len.min(self.frame_len_max) => return Taken::No,
            Ok(None) => {
                self.break_off(&protocol(WireError::Length), out);
                return Taken::Yes;
            }
            Err(error) => {
                self.break_off(&protocol(error), out);
                return Taken::Yes;
            }
        };
        if self.tables.is_uncertain_statement(head.statement) {
            self.wait_until_settled(None, out);
            self.glance = Glance::Again;
            return Taken::No;
        }
        match self.settle_bind(head.statement, None, env, out) {
            Settled::Forward(prepared) => {
                let (head_len, values) = (5 + head.len, head.count);
                let portal = head.portal.to_owned();
                out.to_server.extend_from_slice(&input[..head_len]);
                input.advance(head_len);
                let rest = BindRest::new(values, header.len - head_len);
                self.inward = Inward::Binding(Box::new(Binding { portal, prepared, rest }));
                self.queue.batch = Batch::Open;
            }
            Settled::Refuse(text, report) => {
                self.refuse_in_batch(text, report, env, out);
                self.inward = Inward::Dropping(header.len);
            }
            Settled::Wait(missing) => {
                self.wait_for(missing, None, out);
                self.glance = Glance::Again;
                return Taken::No;
            }
            Settled::Values if header.len <= self.frame_len_max => {
                self.glance = Glance::Whole;
                return Taken::No;
            }
            Settled::Values => {
                self.refuse_in_batch(Bytes::new(), self.too_long().into(), env, out);
                self.inward = Inward::Dropping(header.len);
            }
            Settled::Gone => {}
        }
        Taken::Yes
    }

    pub(super) fn too_long(&self) -> Report {
        errors::too_long(self.frame_len_max)
    }
}

/// What waits for a hold, if it has been taken off the input.
pub(super) fn kept(frame: &[u8]) -> Option<Pending> {
    Some(Pending::Frame(frame.to_vec()))
}
