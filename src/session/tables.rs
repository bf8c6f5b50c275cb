//! What the session has prepared and opened: protocol statements, SQL PREPARE, portals, cursors.
//!
//! PostgreSQL keeps one name space for statements and one for portals, whatever way they were
//! made; so do we. A name may stand for several makings until the server has confirmed the last:
//! whatever is asked of the name then must be right for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::bind::ResultFormats;
use super::makings::Makings;
use super::prepared::{Made, Now, Prepared, Weight};
use crate::analysis::facts::Kind;

/// Most names of each kind that one session may hold. PostgreSQL takes ten times as much memory
/// for each as the proxy.
const NAMES_MAX: usize = 250_000;

/// Bytes of text that the prepared statements of one session may have in all, as they were written
/// and as they run.
const TEXTS_LEN_MAX: usize = 128 << 20;

/// A portal made by Bind.
#[derive(Clone)]
pub(super) struct Portal {
    pub id: u64,
    pub prepared: Arc<Prepared>,
    pub formats: ResultFormats,
}

/// A cursor made by DECLARE.
#[derive(Clone)]
struct Cursor {
    id: u64,
    made: Made,
}

#[derive(Default)]
pub(super) struct Tables {
    statements: Makings<Arc<Prepared>>,
    portals: Makings<Portal>,
    cursors: Makings<Cursor>,
    next_id: u64,
    /// The first id of the batch that is being sent.
    batch_start: u64,
    texts_len: Arc<AtomicUsize>,
}

impl Tables {
    /// Counts so many bytes of text in.
    pub(super) fn weigh(&self, len: usize) -> Weight {
        Weight::new(len, &self.texts_len)
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// What follows does not depend on whether what came before has succeeded.
    pub(super) fn batch_ends(&mut self) {
        self.batch_start = self.next_id + 1;
    }

    /// Whether the name may stand for something else than its last making.
    pub(super) fn is_uncertain_statement(&self, name: &str) -> bool {
        let makings = self.statements.of(name);
        makings.len() > 1 && makings.last().is_some_and(|last| last.id < self.batch_start)
    }

    /// The same of a portal, whose name may be a cursor's as well.
    pub(super) fn is_uncertain_portal(&self, name: &str) -> bool {
        let makings = self.portals.of(name);
        makings.last().is_some_and(|last| last.id < self.batch_start)
            && makings.len() + self.cursors.of(name).len() > 1
    }

    pub(super) fn is_full(&self) -> bool {
        self.statements.names() >= NAMES_MAX
            || self.portals.names() >= NAMES_MAX
            || self.cursors.names() >= NAMES_MAX
            || self.texts_len.load(Ordering::Relaxed) >= TEXTS_LEN_MAX
    }

    /// Unnamed portals are no cursors: SQL cannot name them.
    pub(super) fn has_no_cursors(&self) -> bool {
        self.cursors.names() == 0 && self.portals.names() == 0
    }

    /// The statement of that name that the server will use if it accepts what is under way.
    pub(super) fn statement(&self, name: &str) -> Option<&Arc<Prepared>> {
        self.statements.of(name).last()
    }

    pub(super) fn prepare(&mut self, name: &str, prepared: Arc<Prepared>) {
        self.statements.push(name, prepared);
    }

    /// Looks at the last making of the name anew.
    pub(super) fn replace(&mut self, name: &str, prepared: Arc<Prepared>) {
        if let Some(last) = self.statements.of_mut(name).last_mut() {
            *last = prepared;
        }
    }

    /// The server has accepted the making with this id: earlier ones are gone.
    pub(super) fn prepared(&mut self, name: &str, id: u64) {
        if self.statements.of(name).iter().any(|prepared| prepared.id == id) {
            self.statements.retain(name, |prepared| prepared.id >= id);
        }
    }

    /// The server has not: what was there stays.
    pub(super) fn not_prepared(&mut self, name: &str, id: u64) {
        self.statements.retain(name, |prepared| prepared.id != id);
    }

    /// The server has dropped everything of that name that was made up to `id`.
    pub(super) fn dropped(&mut self, name: Option<&str>, id: u64) {
        match name {
            Some(name) => self.statements.retain(name, |prepared| prepared.id > id),
            None => self.statements.retain_all(|prepared| prepared.id > id),
        }
    }

    /// The server has not accepted what was to be prepared again: what was there stays. If that is
    /// gone already, the name stands for nothing there until it is prepared at its next use.
    pub(super) fn not_prepared_again(&mut self, name: &str, id: u64) {
        match self.statements.of_mut(name) {
            [only] if only.id == id => {
                let weight = Weight::new(only.text.len(), &self.texts_len);
                *only = Arc::new(only.again(id, Now::default(), weight));
            }
            _ => self.not_prepared(name, id),
        }
    }

    pub(super) fn bind(&mut self, name: &str, portal: Portal) {
        self.portals.push(name, portal);
    }

    /// The portal of that name that the server will use if it accepts what is under way.
    pub(super) fn portal(&self, name: &str) -> Option<&Portal> {
        self.portals.of(name).last()
    }

    /// The server has bound the making with this id: whatever had the name before is gone.
    pub(super) fn bound(&mut self, name: &str, id: u64) {
        self.portals.retain(name, |portal| portal.id >= id);
        self.cursor_closed(name, id);
    }

    /// The server has not: a portal that has the name already lives on, as it does behind
    /// ROLLBACK TO SAVEPOINT.
    pub(super) fn not_bound(&mut self, name: &str, id: u64) {
        self.portals.retain(name, |portal| portal.id != id);
    }

    /// The server has closed whatever had that name up to `id`.
    pub(super) fn portal_closed(&mut self, name: &str, id: u64) {
        self.portals.retain(name, |portal| portal.id > id);
    }

    /// Portals end with the transaction; those that are `bound` by what is still to be answered
    /// belong to one that comes after it.
    pub(super) fn transaction_ended(&mut self, bound: impl Fn(u64) -> bool) {
        self.portals.retain_all(|portal| bound(portal.id));
    }

    pub(super) fn declare(&mut self, name: &str, made: Made) -> u64 {
        let id = self.next_id();
        self.cursors.push(name, Cursor { id, made });
        id
    }

    /// The server has declared the making with this id, so whatever had the name before is gone.
    pub(super) fn declared(&mut self, name: &str, id: u64) {
        self.portal_closed(name, id);
        self.cursors.retain(name, |cursor| cursor.id >= id);
    }

    pub(super) fn not_declared(&mut self, name: &str, id: u64) {
        self.cursors.retain(name, |cursor| cursor.id != id);
    }

    /// The server has closed what had that name up to `id`; None: whatever was open.
    pub(super) fn closed(&mut self, name: Option<&str>, id: u64) {
        match name {
            Some(name) => {
                self.cursor_closed(name, id);
                self.portal_closed(name, id);
            }
            None => {
                self.portals.retain_all(|portal| portal.id > id);
                self.cursors.retain_all(|cursor| cursor.id > id);
            }
        }
    }

    fn cursor_closed(&mut self, name: &str, id: u64) {
        self.cursors.retain(name, |cursor| cursor.id > id);
    }

    /// Everything that may be meant by the name of a prepared statement.
    pub(super) fn statements(&self, name: &str) -> impl Iterator<Item = &Prepared> {
        self.statements.of(name).iter().map(|prepared| &**prepared)
    }

    /// What was prepared or opened that a statement of this kind shows now.
    pub(super) fn earlier(&self, kind: &Kind) -> Vec<&Made> {
        match kind {
            Kind::Execute(name) => self.statements(name).map(|prepared| &prepared.made).collect(),
            Kind::Fetch(name) => self.opened(name),
            Kind::Query
            | Kind::CopyOut
            | Kind::CopyIn
            | Kind::Prepare(_)
            | Kind::Deallocate(_)
            | Kind::Declare(_)
            | Kind::Close(_)
            | Kind::Explain
            | Kind::Store
            | Kind::Define
            | Kind::Utility => Vec::new(),
        }
    }

    /// Everything that may be meant by the name of a cursor or portal.
    pub(super) fn opened(&self, name: &str) -> Vec<&Made> {
        let cursors = self.cursors.of(name).iter().map(|cursor| &cursor.made);
        let portals = self.portals.of(name).iter().map(|portal| &portal.prepared.made);
        cursors.chain(portals).collect()
    }
}
