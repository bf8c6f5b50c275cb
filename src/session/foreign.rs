//! Statements that are no UTF-8: those of other encodings, and mistakes that the server finds.
//!
//! Every encoding that a client may use spells ASCII characters as ASCII, and PostgreSQL reads any
//! other character as a letter. So gate 1 reads such a text with one letter for another.

use bytes::Bytes;

use super::errors::{protocol, unreadable};
use super::plan::Planned;
use super::{Effects, Env, Session};
use crate::wire::WireError;
use crate::wire::frontend::{self, Frontend};

impl Session {
    /// A Query or Parse whose text mentions nothing goes on byte for byte; any other is refused,
    /// as what would be analysed is not what would be sent.
    pub(super) fn foreign(&mut self, frame: &[u8], env: Env<'_>, out: &mut Effects) {
        let Some(payload) = frontend::readable(frame[0], &frame[5..]) else {
            return self.break_off(&protocol(WireError::NotUtf8), out);
        };
        let refused = |text: &str| (Bytes::copy_from_slice(text.as_bytes()), unreadable().into());
        match frontend::read(frame[0], &payload) {
            Ok(Frontend::Query(text)) if self.says_nothing(text, env) => {
                self.query(frame, text, env, out);
            }
            Ok(Frontend::Parse(message)) if self.says_nothing(message.sql, env) => {
                self.parse(frame, &message, env, out);
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

    fn says_nothing(&self, text: &str, env: Env<'_>) -> bool {
        matches!(self.plan(text, env), Ok(Planned::Clear))
    }
}
