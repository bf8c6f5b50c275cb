//! What was tagged before, by the identity that a RENAME does not change.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{ColumnId, ColumnPath};

/// Tags by (relation OID, column number), to be handed to the next binding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(pub BTreeMap<ColumnId, Tag>);

/// Why a column is tagged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The column's path: the catalogued one, or its own where it is derived.
    pub path: Arc<ColumnPath>,
    pub class: Arc<str>,
    /// The catalogued column it comes from; the tag ends when the catalog drops that entry.
    pub root: Arc<ColumnPath>,
}
