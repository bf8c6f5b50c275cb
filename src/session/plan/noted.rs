//! What is on record of each statement of a plan, found out once for all its runs.

use std::sync::{Arc, OnceLock};

use super::{masked, relations, touched};
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
