//! The session's `search_path`, as the server told it; asked for again when something may have
//! changed it. Soundness does not rest on it: names that several schemas share are spliced
//! qualified, so that what was resolved here is what runs.

use super::frontend::Pending;
use super::queue::{Expected, Origin, Remains};
use super::{Effects, Hold, Session};
use crate::analysis::SearchPath;
use crate::analysis::mention::Hits;
use crate::decision::Scrub;
use crate::model::Oid;
use crate::wire::frontend::Target;
use crate::wire::{WireError, write};

/// Schemas in the order of lookup, implicit ones included, as a JSON array of strings.
const QUESTION: &str =
    "SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(true))::pg_catalog.text";
/// Our names on the server; a client's statement of that name is refused as a duplicate.
const NAME: &str = "keyhole's own";

#[derive(Debug, Default)]
pub(super) struct PathState {
    schemas: SearchPath,
    version: PathVersion,
    knowledge: Knowledge,
    history: History,
    refreshed: Refreshed,
}

/// Which of the paths that the session has had, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PathVersion(u64);

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

    pub(super) fn version(&self) -> PathVersion {
        self.version
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
            let schemas = SearchPath(schemas);
            if schemas != self.schemas {
                self.schemas = schemas;
                self.version.0 += 1;
            }
        }
        self.knowledge = Knowledge::Known;
    }
}

impl Session {
    /// Asks the server for the `search_path`; what is `kept` waits for the answer.
    pub(super) fn ask_path(&mut self, kept: Option<Pending>, out: &mut Effects) {
        let in_batch = self.is_in_batch();
        let path = Expected::Path { schemas: None };
        if self.own(QUESTION, path, out).is_err() {
            return self.break_off(&super::errors::protocol("a name is too long"), out);
        }
        if in_batch {
            write::flush(&mut out.to_server);
        } else {
            self.own_sync(out);
        }
        self.hold = Some(Hold::Server);
        self.after = kept;
    }

    /// Runs a statement of our own, by the extended protocol: a simple query would destroy the
    /// client's unnamed statement and portal.
    pub(super) fn own(
        &mut self,
        sql: &str,
        execute: Expected,
        out: &mut Effects,
    ) -> Result<(), WireError> {
        let to = &mut out.to_server;
        let no_types: [Oid; 0] = [];
        let own_close = || {
            let (statement, portal, origin) = (None, None, Origin::Proxy);
            Expected::Close { statement, portal, up_to: 0, origin }
        };
        if std::mem::take(&mut self.queue.remains) == Remains::Statement {
            write::close(to, Target::Statement(NAME))?;
            self.queue.push(own_close());
        }
        write::parse(to, NAME, sql, no_types)?;
        write::bind(to, NAME, NAME, [], [], [])?;
        write::execute(to, NAME, 0)?;
        write::close(to, Target::Portal(NAME))?;
        write::close(to, Target::Statement(NAME))?;
        let (origin, scrub) = (Origin::Proxy, Scrub::No);
        self.queue.push(Expected::Parse { name: NAME.to_owned(), id: 0, origin, scrub });
        self.queue.push(Expected::Bind { portal: NAME.to_owned(), id: 0, origin, scrub });
        self.queue.push(execute);
        self.queue.push(own_close());
        self.queue.push(own_close());
        Ok(())
    }

    /// Ends a batch of our own.
    pub(super) fn own_sync(&mut self, out: &mut Effects) {
        write::sync(&mut out.to_server);
        self.queue.push(Expected::OwnSync);
    }
}
