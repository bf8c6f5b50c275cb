//! Messages that cannot be read, and statements that are no UTF-8: those of other encodings, and
//! mistakes that the server finds.
//!
//! Every encoding that a client may use spells ASCII characters as ASCII, and PostgreSQL reads any
//! other character as a letter. So gate 1 reads such a text with one letter for another.

use bytes::Bytes;

use super::errors::{self, protocol, unreadable};
use super::plan::Planned;
use super::prepared::Spelling;
use super::{Effects, Env, Session};
use crate::wire::WireError;
use crate::wire::frontend::{self, Frontend, tag};

impl Session {
    /// A Query or Parse whose text mentions nothing goes on byte for byte; any other is refused,
    /// as what would be analysed is not what would be sent.
    pub(super) fn foreign(&mut self, frame: &[u8], env: Env<'_>, out: &mut Effects) {
        let Some(payload) = frontend::readable(frame[0], &frame[5..]) else {
            return self.malformed(frame[0], WireError::NotUtf8, env, out);
        };
        let refused = |text: &str| (Bytes::copy_from_slice(text.as_bytes()), unreadable().into());
        match frontend::read(frame[0], &payload) {
            Ok(Frontend::Query(text)) if self.says_nothing(text, env) => {
                self.query(frame, text, env, out);
            }
            Ok(Frontend::Parse(message)) if self.says_nothing(message.sql, env) => {
                self.parse(frame, &message, Spelling::Other, env, out);
            }
            Ok(Frontend::Query(text)) => {
                let (text, report) = refused(text);
                self.refuse_query(text, report, env, out);
            }
            Ok(Frontend::Parse(message)) => {
                let (text, report) = refused(message.sql);
                self.refuse_in_batch(text, report, env, out);
            }
            Ok(_) | Err(_) => self.break_off(&protocol(WireError::NotUtf8), out),
        }
    }

    /// A message that cannot be read fails like a statement; one that is no statement ends the
    /// session.
    pub(super) fn malformed(&mut self, tag: u8, error: WireError, env: Env<'_>, out: &mut Effects) {
        let report = errors::malformed(error).into();
        match tag {
            tag::QUERY | tag::PARSE | tag::BIND | tag::DESCRIBE | tag::EXECUTE | tag::CLOSE
                if self.is_copying_in() =>
            {
                self.lost_in_copy_in(tag, out);
            }
            tag::QUERY => self.refuse_query(Bytes::new(), report, env, out),
            tag::PARSE | tag::BIND | tag::DESCRIBE | tag::EXECUTE | tag::CLOSE => {
                self.refuse_in_batch(Bytes::new(), report, env, out);
            }
            _ => self.break_off(&protocol(error), out),
        }
    }

    fn says_nothing(&self, text: &str, env: Env<'_>) -> bool {
        matches!(self.plan(text, env), Ok(Planned::Clear))
    }
}
