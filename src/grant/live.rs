use std::sync::Arc;

use super::{Action, Cover, Grant};
use crate::model::{Client, ColumnPath, Epoch, Timestamp};

/// Every grant that may be live, published whole. Ask it anew for every statement: a table that
/// was kept ends by itself at [`LiveTable::valid_until`].
#[derive(Clone, Debug, Default)]
pub struct LiveTable {
    pub epoch: Epoch,
    /// The first moment at which nothing counts any more because the store may be out of reach;
    /// None: no such moment.
    pub valid_until: Option<Timestamp>,
}

impl LiveTable {
    /// The table of these grants. A grant counts in `[not_before, expires_at)`.
    pub fn new(epoch: Epoch, grants: impl IntoIterator<Item = Arc<Grant>>) -> Self {
        let _ = grants.into_iter();
        Self { epoch, valid_until: None }
    }

    /// Why `client` may do `action` with the column, or None. Takes no lock, does no I/O, and
    /// allocates only when something covers.
    pub fn cover(
        &self,
        _client: &Client,
        _column: &ColumnPath,
        _class: &str,
        _action: Action,
        _now: Timestamp,
    ) -> Option<Cover> {
        None
    }

    /// The next moment after `now` at which a grant begins or ends.
    pub fn next_change(&self, _now: Timestamp) -> Option<Timestamp> {
        None
    }
}
