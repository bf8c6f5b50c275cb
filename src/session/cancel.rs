//! Cancel requests of the client. What it wants stopped is the statement that it waits for, and that
//! may be one that waits here: for a batch of our own on the server, for a record, for the schema.
//!
//! **Invariant:** a cancelled message that waits fails with 57014 when its wait is over, and never
//! reaches the server. One that comes after it is not hit.

use bytes::Bytes;

use super::frontend::Pending;
use super::queue::Batch;
use super::stream::Glance;
use super::{Effects, Env, Session};
use crate::model::{Report, SqlState};
use crate::wire::backend::ErrorFields;
use crate::wire::frontend::{self, Frontend, tag};

/// Who has to hear of a cancel request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The server works for this session: it has to be told.
    Server,
    /// The server does nothing for it now, so that nothing is to be told.
    Here,
}

impl Session {
    /// The client wants stopped what it waits for.
    pub fn cancel(&mut self) -> Reach {
        if self.keeps_message() {
            let report = || Box::new(canceled("canceling statement due to user request"));
            self.cancelled.get_or_insert_with(report);
        }
        if self.queue.is_empty() { Reach::Here } else { Reach::Server }
    }

    /// Whether a message that was looked at waits.
    fn keeps_message(&self) -> bool {
        self.after.is_some() || self.glance == Glance::Again
    }

    /// Takes note of an error of the server: what was cancelled, if anything.
    pub(super) fn note_cancelled(&mut self, state: SqlState, payload: &[u8]) {
        if state != SqlState::QUERY_CANCELED {
            return;
        }
        if !self.queue.front_is_ours() {
            // It has hit what the client had sent before: that is what it was about.
            self.cancelled = None;
        } else if self.keeps_message() {
            // Meant was what waits behind it. It may be a timeout, too, as the server says.
            let fields = ErrorFields::read(payload).ok();
            let message = fields.and_then(|fields| fields.get(b'M'));
            let message = message.map(String::from_utf8_lossy);
            let message = message.as_deref().unwrap_or("canceling statement due to user request");
            self.cancelled = Some(Box::new(canceled(message)));
        }
    }

    /// What waited goes on unless it was cancelled.
    pub(super) fn unless_cancelled(
        &mut self,
        pending: Pending,
        env: Env<'_>,
        out: &mut Effects,
    ) -> Option<Pending> {
        let Some(report) = self.cancelled.take() else { return Some(pending) };
        debug_assert!(self.queue.batch != Batch::Skipping, "nothing of a failed batch waits");
        match pending {
            Pending::Query { text, .. } => self.refuse_query(text, report, env, out),
            Pending::Execute { run, .. } => {
                self.refuse_in_batch(run.text.clone(), report, env, out);
            }
            Pending::Frame(frame) | Pending::Bind { frame } => match frame[0] {
                tag::QUERY | tag::FUNCTION_CALL => {
                    self.refuse_query(text_of(&frame), report, env, out);
                }
                tag::PARSE | tag::BIND | tag::DESCRIBE | tag::EXECUTE => {
                    self.refuse_in_batch(text_of(&frame), report, env, out);
                }
                // Nothing that could be stopped.
                _ => self.client_frame(&frame, env, out),
            },
        }
        None
    }
}

fn canceled(message: &str) -> Report {
    Report::error(SqlState::QUERY_CANCELED, message)
}

/// What the record says of a message that was not looked into.
fn text_of(frame: &[u8]) -> Bytes {
    match frontend::read(frame[0], &frame[5..]) {
        Ok(Frontend::Query(text)) => Bytes::copy_from_slice(text.as_bytes()),
        Ok(Frontend::Parse(message)) => Bytes::copy_from_slice(message.sql.as_bytes()),
        Ok(_) | Err(_) => Bytes::new(),
    }
}
