//! COPY FROM STDIN. While the server takes data, it reads the client's messages by rules of their
//! own: Flush and Sync are ignored, and a message of any other kind ends the session
//! (`CopyGetData` in PostgreSQL's `copyfromparse.c`). Whoever lost count of that would take the
//! answer to one statement for the answer to another.
//!
//! **Invariant:** a message that follows a statement that may be a COPY FROM STDIN is read only
//! when the server has said whether it is one.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

use super::backend::Pass;
use super::{Effects, Env, Hold, Session};
use crate::analysis::mention::Hits;
use crate::analysis::sensitive::Watch;
use crate::model::{Report, SqlState};
use crate::wire::frontend::Frontend;
use crate::wire::write;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CopyIn {
    #[default]
    None,
    /// A statement that may begin one is with the server.
    Asked,
    /// The server takes data.
    Data,
    /// The client has said its last; the server has the word.
    Ended,
}

/// Whether the text may begin one: its keywords have to be spelled out, and the grammar takes FROM
/// STDOUT for FROM STDIN. Anything else that holds such a word costs a round trip of a pipeline.
pub(super) fn may_copy_in(text: &[u8]) -> bool {
    static WORDS: OnceLock<AhoCorasick> = OnceLock::new();
    let words = WORDS.get_or_init(|| {
        let mut builder = AhoCorasickBuilder::new();
        builder.ascii_case_insensitive(true).build(["stdin", "stdout"]).expect("short words")
    });
    words.is_match(text)
}

impl Session {
    /// The same of a text in which gate 1 has found `hits`: it looks for COPY wherever there is
    /// something to hide.
    pub(super) fn asks_to_copy_in(&self, text: &str, hits: Hits, env: Env<'_>) -> bool {
        let may_copy = hits.intersects(Hits::COPY) || env.world.sensitive.watch == Watch::Nothing;
        may_copy && may_copy_in(text.as_bytes())
    }

    /// A statement that may begin one was sent: what follows waits.
    pub(super) fn copy_in_asked(&mut self) {
        self.copy_in = CopyIn::Asked;
        self.hold = Some(Hold::Server);
    }

    pub(super) fn is_copying_in(&self) -> bool {
        self.copy_in == CopyIn::Data
    }

    /// The server takes data now.
    pub(super) fn copy_in_begins(&mut self, out: &mut Effects) -> Pass {
        match self.copy_in {
            CopyIn::Asked | CopyIn::Ended => {
                self.copy_in = CopyIn::Data;
                self.hold = None;
                Pass::Yes
            }
            CopyIn::None | CopyIn::Data => self.out_of_step(out),
        }
    }

    /// A message of the client while the server takes data.
    pub(super) fn during_copy_in(
        &mut self,
        frame: &[u8],
        message: &Frontend<'_>,
        out: &mut Effects,
    ) {
        match message {
            Frontend::CopyData(_) | Frontend::Flush => out.to_server.extend_from_slice(frame),
            // The server would ignore it, unless the COPY has failed at this very moment: then
            // the client does not know yet and has to send another one.
            Frontend::Sync => {}
            Frontend::CopyDone | Frontend::CopyFail => {
                out.to_server.extend_from_slice(frame);
                // Without it, the answer to an Execute would wait for the Sync that waits for it.
                write::flush(&mut out.to_server);
                self.copy_in = CopyIn::Ended;
                self.hold = Some(Hold::Server);
            }
            Frontend::Terminate => {
                out.to_server.extend_from_slice(frame);
                out.close = Some(super::Close::Done);
            }
            Frontend::Query(_)
            | Frontend::Parse(_)
            | Frontend::Bind(_)
            | Frontend::Describe(_)
            | Frontend::Execute(_)
            | Frontend::Close(_)
            | Frontend::FunctionCall
            | Frontend::Password(_) => {
                self.lost_in_copy_in(frame[0], out);
            }
        }
    }

    /// A message that ends the session, in PostgreSQL's words. It must not get there: if the COPY
    /// has just failed, it would be obeyed.
    pub(super) fn lost_in_copy_in(&mut self, kind: u8, out: &mut Effects) {
        let message = format!("unexpected message type 0x{kind:02X} during COPY from stdin");
        let state = SqlState::PROTOCOL_VIOLATION;
        write::error(&mut out.to_client, &Report::error(state, message));
        let lost = "terminating connection because protocol synchronization was lost";
        self.break_off(&Report::fatal(state, lost), out);
    }
}
