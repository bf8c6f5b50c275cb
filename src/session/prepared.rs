//! One prepared statement: as the client wrote it, as the server has it, and what it shows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;

use super::copy_in::may_copy_in;
use super::plan::{Ground, Plan};
use super::queue::Show;
use super::shared::{Shared, SharedRelease};
use crate::analysis::mention::{Hits, Mention};
use crate::decision::Scrub;
use crate::model::{ColumnId, Epoch, Oid};

/// A statement that was sent to the server under a name.
pub(super) struct Prepared {
    pub id: u64,
    pub text: Bytes,
    pub spelling: Spelling,
    pub parameter_types: Vec<Oid>,
    /// None: it named nothing sensitive when it was last looked at.
    pub plan: Option<Arc<Plan>>,
    pub by: MadeBy,
    pub made: Made,
    /// The text that the server has.
    pub sent: Arc<str>,
    /// Under which snapshot it was looked at.
    pub epoch: Epoch,
    /// What the plan rests on: as long as it is the same, so is the plan. None: it rests on more.
    pub ground: Option<Ground>,
    /// What its text may do to the session, once it was asked.
    pub words: OnceLock<Words>,
    /// Where its output columns come from; learned from the server's RowDescription.
    pub shape: Mutex<Option<Shape>>,
    /// What it adds to the texts of its session.
    #[expect(dead_code, reason = "it counts until it is dropped")]
    pub weight: Weight,
}

/// Words of a text that matter whenever it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    pub hits: Hits,
    pub may_copy_in: bool,
}

/// Bytes of text, counted as long as this lives.
pub(super) struct Weight {
    len: usize,
    total: Arc<AtomicUsize>,
}

impl Weight {
    pub(super) fn new(len: usize, total: &Arc<AtomicUsize>) -> Self {
        total.fetch_add(len, Ordering::Relaxed);
        Self { len, total: Arc::clone(total) }
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.total.fetch_sub(self.len, Ordering::Relaxed);
    }
}

impl Prepared {
    /// One made by SQL PREPARE: only what it shows matters, EXECUTE is a statement of its own. Its
    /// text is the PREPARE as the client wrote it; empty: it cannot be prepared again.
    pub(super) fn by_sql(
        id: u64,
        sent: &Arc<str>,
        text: Bytes,
        made: Made,
        weight: Weight,
    ) -> Self {
        Self {
            id,
            text,
            // Any other PREPARE is refused.
            spelling: Spelling::Utf8,
            parameter_types: Vec::new(),
            plan: None,
            by: MadeBy::Sql,
            made,
            sent: sent.clone(),
            epoch: Epoch::default(),
            ground: None,
            words: OnceLock::new(),
            shape: Mutex::new(None),
            weight,
        }
    }

    /// The same statement, as it is to be on the server now.
    pub(super) fn again(&self, id: u64, now: Now, weight: Weight) -> Self {
        let Now { plan, made, sent, epoch, ground } = now;
        Self {
            id,
            text: self.text.clone(),
            spelling: self.spelling,
            parameter_types: self.parameter_types.clone(),
            plan,
            by: self.by,
            made,
            sent,
            epoch,
            ground,
            words: self.words.clone(),
            shape: Mutex::new(None),
            weight,
        }
    }

    /// What gate 1 finds in its text beside names, which never changes: those words are built in.
    pub(super) fn words(&self, gate: &Mention) -> Words {
        *self.words.get_or_init(|| Words {
            hits: gate.scan(&self.text).without(Hits::NAME),
            may_copy_in: may_copy_in(&self.text),
        })
    }

    /// Whether it is known where its columns come from.
    pub(super) fn has_shape(&self, epoch: Epoch) -> bool {
        let shape = self.shape.lock().unwrap_or_else(PoisonError::into_inner);
        shape.as_ref().is_some_and(|shape| shape.epoch == epoch)
    }

    pub(super) fn shape(&self, epoch: Epoch) -> Option<Shape> {
        let shape = self.shape.lock().unwrap_or_else(PoisonError::into_inner);
        shape.clone().filter(|shape| shape.epoch == epoch)
    }

    /// Whether this RowDescription has been read already.
    pub(super) fn is_described(&self, epoch: Epoch, description: &[u8]) -> bool {
        let shape = self.shape.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |shape: &Shape| shape.epoch == epoch && *shape.description == *description;
        !description.is_empty() && shape.as_ref().is_some_and(is_it)
    }

    pub(super) fn learn(&self, shape: Shape) {
        *self.shape.lock().unwrap_or_else(PoisonError::into_inner) = Some(shape);
    }
}

/// What a prepared statement means under the grants and the snapshot of a moment.
#[derive(Default)]
pub(super) struct Now {
    pub plan: Option<Arc<Plan>>,
    pub made: Made,
    /// The text for the server; empty: the server has no such statement.
    pub sent: Arc<str>,
    pub epoch: Epoch,
    pub ground: Option<Ground>,
}

/// How a statement got its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MadeBy {
    Parse,
    /// SQL PREPARE.
    Sql,
}

/// Whether the bytes that the client sent are those of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    Utf8,
    /// The text has other letters in the place of some: it must never be sent, and what it means
    /// cannot be looked into.
    Other,
}

/// Provenance of output columns, as the server told it.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub epoch: Epoch,
    pub columns: Arc<[ColumnId]>,
    /// The RowDescription that says so; empty: there was none.
    pub description: Arc<[u8]>,
}

/// What was made of hidden and granted columns when something was prepared or opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    pub release: SharedRelease,
    pub masked: Shared<ColumnId>,
    pub guarded: Shared<ColumnId>,
    pub scrub: MadeScrub,
    pub show: Show,
}

impl Made {
    /// Whether both show and hide the same columns, by the same grants.
    pub(super) fn hides_like(&self, other: &Self) -> bool {
        self.release.columns == other.release.columns
            && self.release.lookups == other.release.lookups
            && self.release.rests_like(&other.release)
            && self.masked == other.masked
            && self.guarded == other.guarded
            && self.scrub == other.scrub
            && self.show == other.show
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MadeScrub(Option<Scrub>);

impl MadeScrub {
    pub(super) fn new(scrub: Scrub) -> Self {
        Self(Some(scrub))
    }

    pub(super) fn get(self) -> Scrub {
        self.0.unwrap_or(Scrub::No)
    }
}
