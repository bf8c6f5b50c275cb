//! The session's `search_path`, as the server told it; asked for again when something may have
//! changed it. Soundness does not rest on it: names that several schemas share are spliced
//! qualified, so that what was resolved here is what runs.

use super::frontend::Pending;
use super::queue::{Expected, Origin};
use super::{Effects, Hold, Session};
use crate::analysis::SearchPath;
use crate::analysis::mention::Hits;
use crate::decision::Scrub;
use crate::model::Oid;
use crate::wire::frontend::Target;
use crate::wire::write;

/// Schemas in the order of lookup, implicit ones included, as a JSON array of strings.
const QUESTION: &str =
    "SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(true))::pg_catalog.text";
/// Our names on the server; a client's statement of that name is refused as a duplicate.
const NAME: &str = "keyhole search_path";

#[derive(Debug, Default)]
pub(super) struct PathState {
    schemas: SearchPath,
    knowledge: Knowledge,
    history: History,
    refreshed: Refreshed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Knowledge {
    #[default]
    Lost,
    Known,
}

/// Whether this session ever set it: only then can a rollback bring another one back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum History {
    #[default]
    Untouched,
    Touched,
}

/// Whether the schema was refreshed for the message at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Refreshed {
    #[default]
    No,
    Yes,
}

impl PathState {
    pub(super) fn schemas(&self) -> &SearchPath {
        &self.schemas
    }

    pub(super) fn is_lost(&self) -> bool {
        self.knowledge == Knowledge::Lost
    }

    pub(super) fn lost(&mut self) {
        self.knowledge = Knowledge::Lost;
    }

    pub(super) fn was_refreshed(&self) -> bool {
        self.refreshed == Refreshed::Yes
    }

    pub(super) fn set_refreshed(&mut self) {
        self.refreshed = Refreshed::Yes;
    }

    pub(super) fn next_message(&mut self) {
        self.refreshed = Refreshed::No;
    }

    /// Takes note of a statement that was sent.
    pub(super) fn sent(&mut self, hits: Hits) {
        if hits.intersects(Hits::PATH | Hits::DYNAMIC) {
            self.history = History::Touched;
            self.knowledge = Knowledge::Lost;
        }
    }

    /// Takes note of a command's end: settings may have been made or undone.
    pub(super) fn completed(&mut self, tag: &str) {
        let ends = ["SET", "RESET", "DISCARD", "ROLLBACK", "COMMIT", "CALL", "DO"];
        if self.history == History::Touched && ends.iter().any(|word| tag.starts_with(word)) {
            self.knowledge = Knowledge::Lost;
        }
        if tag.starts_with("CREATE SCHEMA") || tag.starts_with("DROP SCHEMA") {
            self.knowledge = Knowledge::Lost;
        }
    }

    /// The transaction failed: what it had set is undone with it.
    pub(super) fn failed(&mut self) {
        if self.history == History::Touched {
            self.knowledge = Knowledge::Lost;
        }
    }

    /// The server's answer, or none if it would not say: the old belief then stays.
    pub(super) fn learn(&mut self, answer: Option<&[u8]>) {
        if let Some(schemas) = answer.and_then(|json| serde_json::from_slice(json).ok()) {
            self.schemas = SearchPath(schemas);
        }
        self.knowledge = Knowledge::Known;
    }
}

impl Session {
    /// Asks the server for the `search_path`; `frame` waits for the answer.
    pub(super) fn ask_path(&mut self, frame: &[u8], out: &mut Effects) {
        let to = &mut out.to_server;
        let no_types: [Oid; 0] = [];
        let asked = if self.is_in_batch() {
            write::parse(to, NAME, QUESTION, no_types)
                .and_then(|()| write::bind(to, NAME, NAME, [], [], []))
                .and_then(|()| write::execute(to, NAME, 0))
                .and_then(|()| write::close(to, Target::Portal(NAME)))
                .and_then(|()| write::close(to, Target::Statement(NAME)))
                .map(|()| write::flush(to))
        } else {
            write::query(to, QUESTION)
        };
        if asked.is_err() {
            return self.break_off(&super::errors::protocol("a name is too long"), out);
        }
        if self.is_in_batch() {
            let origin = Origin::Proxy;
            let scrub = Scrub::No;
            self.queue.push(Expected::Parse { name: NAME.to_owned(), id: 0, origin, scrub });
            self.queue.push(Expected::Bind { portal: NAME.to_owned(), id: 0, origin, scrub });
            self.queue.push(Expected::PathInBatch { schemas: None });
            for _ in 0..2 {
                let (statement, portal) = (None, None);
                self.queue.push(Expected::Close { statement, portal, up_to: 0, origin });
            }
        } else {
            self.queue.push(Expected::Path { schemas: None });
        }
        self.hold = Some(Hold::Server);
        self.after = Some(Pending::Frame(frame.to_vec()));
    }
}
