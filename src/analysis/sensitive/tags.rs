//! What was tagged before, by the identity that a RENAME does not change.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{ColumnId, ColumnPath};

/// Tags by (relation OID, column number), to be handed to the next binding. Decisions for
/// [`super::CLASS_CLEAR`] are among them.
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
    pub origin: Origin,
}

/// How a column came by its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The catalog names it.
    Catalogued,
    /// It is the same column in a partition, an inheritance child or parent.
    Inherited,
    /// It is computed from personal data, or holds rows that have some.
    Derived,
}

impl Tags {
    /// Whether the previous catalog already said that the column of this path is clear.
    pub(super) fn knew_clear(&self, path: &ColumnPath) -> bool {
        self.0.values().any(|tag| &*tag.class == super::CLASS_CLEAR && *tag.path == *path)
    }
}
