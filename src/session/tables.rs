//! What the session has prepared and opened: protocol statements, SQL PREPARE, portals, cursors.
//!
//! PostgreSQL keeps one name space for statements and one for portals, whatever way they were
//! made; so do we. A name may stand for several makings until the server has confirmed the last:
//! whatever is asked of the name then must be right for all of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
    pub made: Made,
    pub formats: Vec<i16>,
}

/// A cursor made by DECLARE.
#[derive(Clone)]
struct Cursor {
    id: u64,
    made: Made,
}

#[derive(Default)]
pub(super) struct Tables {
    statements: HashMap<String, Vec<Arc<Prepared>>>,
    portals: HashMap<String, Vec<Portal>>,
    cursors: HashMap<String, Vec<Cursor>>,
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
        let makings = self.statements.get(name).map(Vec::as_slice).unwrap_or_default();
        makings.len() > 1 && makings.last().is_some_and(|last| last.id < self.batch_start)
    }

    /// The same of a portal, whose name may be a cursor's as well.
    pub(super) fn is_uncertain_portal(&self, name: &str) -> bool {
        let makings = self.portals.get(name).map(Vec::as_slice).unwrap_or_default();
        let cursors = self.cursors.get(name).map_or(0, Vec::len);
        makings.len() + cursors > 1 && makings.last().is_some_and(|last| last.id < self.batch_start)
    }

    pub(super) fn is_full(&self) -> bool {
        self.statements.len() >= NAMES_MAX
            || self.portals.len() >= NAMES_MAX
            || self.cursors.len() >= NAMES_MAX
            || self.texts_len.load(Ordering::Relaxed) >= TEXTS_LEN_MAX
    }

    pub(super) fn has_no_cursors(&self) -> bool {
        self.cursors.is_empty() && self.portals.keys().all(String::is_empty)
    }

    /// The statement of that name that the server will use if it accepts what is under way.
    pub(super) fn statement(&self, name: &str) -> Option<&Arc<Prepared>> {
        self.statements.get(name)?.last()
    }

    pub(super) fn prepare(&mut self, name: &str, prepared: Arc<Prepared>) {
        self.statements.entry(name.to_owned()).or_default().push(prepared);
    }

    /// Looks at the last making of the name anew.
    pub(super) fn replace(&mut self, name: &str, prepared: Arc<Prepared>) {
        if let Some(last) = self.statements.get_mut(name).and_then(|makings| makings.last_mut()) {
            *last = prepared;
        }
    }

    /// The server has accepted the making with this id: earlier ones are gone.
    pub(super) fn prepared(&mut self, name: &str, id: u64) {
        if let Some(makings) = self.statements.get_mut(name)
            && makings.iter().any(|prepared| prepared.id == id)
        {
            makings.retain(|prepared| prepared.id >= id);
        }
    }

    /// The server has not: what was there stays.
    pub(super) fn not_prepared(&mut self, name: &str, id: u64) {
        if let Some(makings) = self.statements.get_mut(name) {
            makings.retain(|prepared| prepared.id != id);
            if makings.is_empty() {
                self.statements.remove(name);
            }
        }
    }

    /// The server has dropped everything of that name that was made up to `id`.
    pub(super) fn dropped(&mut self, name: Option<&str>, id: u64) {
        match name {
            Some(name) => {
                if let Some(makings) = self.statements.get_mut(name) {
                    makings.retain(|prepared| prepared.id > id);
                    if makings.is_empty() {
                        self.statements.remove(name);
                    }
                }
            }
            None => self.statements.retain(|_, makings| {
                makings.retain(|prepared| prepared.id > id);
                !makings.is_empty()
            }),
        }
    }

    /// The server has not accepted what was to be prepared again: what was there stays. If that is
    /// gone already, the name stands for nothing there until it is prepared at its next use.
    pub(super) fn not_prepared_again(&mut self, name: &str, id: u64) {
        match self.statements.get_mut(name).map(Vec::as_mut_slice) {
            Some([only]) if only.id == id => {
                let weight = Weight::new(only.text.len(), &self.texts_len);
                *only = Arc::new(only.again(id, Now::default(), weight));
            }
            Some(_) | None => self.not_prepared(name, id),
        }
    }

    pub(super) fn bind(&mut self, name: &str, portal: Portal) {
        self.portals.entry(name.to_owned()).or_default().push(portal);
    }

    /// The portal of that name that the server will use if it accepts what is under way.
    pub(super) fn portal(&self, name: &str) -> Option<&Portal> {
        self.portals.get(name)?.last()
    }

    /// The server has bound the making with this id: whatever had the name before is gone.
    pub(super) fn bound(&mut self, name: &str, id: u64) {
        if let Some(makings) = self.portals.get_mut(name) {
            makings.retain(|portal| portal.id >= id);
        }
        self.forget_empty(name);
        self.cursor_closed(name, id);
    }

    /// The server has not: a portal that has the name already lives on, as it does behind
    /// ROLLBACK TO SAVEPOINT.
    pub(super) fn not_bound(&mut self, name: &str, id: u64) {
        if let Some(makings) = self.portals.get_mut(name) {
            makings.retain(|portal| portal.id != id);
        }
        self.forget_empty(name);
    }

    /// The server has closed whatever had that name up to `id`.
    pub(super) fn portal_closed(&mut self, name: &str, id: u64) {
        if let Some(makings) = self.portals.get_mut(name) {
            makings.retain(|portal| portal.id > id);
        }
        self.forget_empty(name);
    }

    fn forget_empty(&mut self, name: &str) {
        if self.portals.get(name).is_some_and(Vec::is_empty) {
            self.portals.remove(name);
        }
    }

    /// Portals end with the transaction; those of `bound` belong to one that comes after it.
    pub(super) fn transaction_ended(&mut self, bound: &HashSet<u64>) {
        self.portals.retain(|_, makings| {
            makings.retain(|portal| bound.contains(&portal.id));
            !makings.is_empty()
        });
    }

    pub(super) fn declare(&mut self, name: &str, made: Made) -> u64 {
        let id = self.next_id();
        self.cursors.entry(name.to_owned()).or_default().push(Cursor { id, made });
        id
    }

    /// The server has declared the making with this id, so whatever had the name before is gone.
    pub(super) fn declared(&mut self, name: &str, id: u64) {
        self.portal_closed(name, id);
        if let Some(makings) = self.cursors.get_mut(name) {
            makings.retain(|cursor| cursor.id >= id);
        }
    }

    pub(super) fn not_declared(&mut self, name: &str, id: u64) {
        if let Some(makings) = self.cursors.get_mut(name) {
            makings.retain(|cursor| cursor.id != id);
            if makings.is_empty() {
                self.cursors.remove(name);
            }
        }
    }

    /// The server has closed what had that name up to `id`; None: whatever was open.
    pub(super) fn closed(&mut self, name: Option<&str>, id: u64) {
        match name {
            Some(name) => {
                self.cursor_closed(name, id);
                self.portal_closed(name, id);
            }
            None => {
                self.portals.retain(|_, makings| {
                    makings.retain(|portal| portal.id > id);
                    !makings.is_empty()
                });
                self.cursors.retain(|_, makings| {
                    makings.retain(|cursor| cursor.id > id);
                    !makings.is_empty()
                });
            }
        }
    }

    fn cursor_closed(&mut self, name: &str, id: u64) {
        if let Some(makings) = self.cursors.get_mut(name) {
            makings.retain(|cursor| cursor.id > id);
            if makings.is_empty() {
                self.cursors.remove(name);
            }
        }
    }

    /// Everything that may be meant by the name of a prepared statement.
    pub(super) fn statements(&self, name: &str) -> impl Iterator<Item = &Prepared> {
        self.statements.get(name).into_iter().flatten().map(|prepared| &**prepared)
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
        let cursors = self.cursors.get(name).into_iter().flatten().map(|cursor| &cursor.made);
        let portals = self.portals.get(name).into_iter().flatten().map(|portal| &portal.made);
        cursors.chain(portals).collect()
    }
}
