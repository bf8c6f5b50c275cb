//! What is on record of each statement of a plan, found out once for all its runs.

use std::sync::{Arc, OnceLock};

use crate::analysis::facts::Analysis;
use crate::decision::Decision;
use crate::model::{ColumnId, Oid};
use crate::session::shared::{Shared, SharedRelease};

/// Of one statement.
pub(in crate::session) struct Noted {
    pub(in crate::session) masked: Shared<ColumnId>,
    pub(in crate::session) touched: Shared<ColumnId>,
    pub(in crate::session) relations: Shared<Oid>,
    pub(in crate::session) guarded: Shared<ColumnId>,
    pub(in crate::session) release: SharedRelease,
    pub(in crate::session) notice: MaskedNotice,
}

/// The message that says what was masked, once it has been written.
pub(in crate::session) type MaskedNotice = Arc<OnceLock<Vec<u8>>>;

impl Noted {
    pub(super) fn of(analysis: &Analysis, decision: &Decision) -> Self {
        Self {
            masked: masked(analysis, decision).into(),
            touched: touched(analysis).into(),
            relations: relations(analysis).into(),
            guarded: decision.guarded.clone().into(),
            release: decision.release.clone().into(),
            notice: MaskedNotice::default(),
        }
    }
}

/// Columns of one statement that it touches, shows raw or masks.
pub(in crate::session) fn touched(analysis: &Analysis) -> Vec<ColumnId> {
    let mut columns: Vec<ColumnId> =
        analysis.references.iter().flat_map(|r| r.touched.iter().copied()).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

fn relations(analysis: &Analysis) -> Vec<Oid> {
    let mut relations: Vec<Oid> = analysis.references.iter().map(|r| r.relation).collect();
    relations.sort_unstable();
    relations.dedup();
    relations
}

/// Touched columns that stay hidden in at least one reference.
pub(in crate::session) fn masked(analysis: &Analysis, decision: &Decision) -> Vec<ColumnId> {
    let mut columns: Vec<ColumnId> = analysis
        .references
        .iter()
        .zip(&decision.hidden)
        .flat_map(|(reference, hidden)| {
            let hidden = hidden.iter().map(|hidden| hidden.column);
            hidden.filter(|column| reference.touched.contains(column))
        })
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}
