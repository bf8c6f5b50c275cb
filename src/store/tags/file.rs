//! What stands in a file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::sensitive::{Origin, Tag};
use crate::model::{ColumnId, ColumnNumber, ColumnPath, Oid, RelationName};
use crate::schema::Snapshot;

/// Grows when a file means something else than it did.
pub(super) const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    pub(super) version: u32,
    /// As clients name it; for people who look.
    pub(super) database: String,
    pub(super) tags: Vec<Kept>,
}

/// One tag.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    relation: Oid,
    column: ColumnNumber,
    /// What the column was called when this was written.
    called: [String; 3],
    path: [String; 3],
    class: String,
    root: [String; 3],
    origin: Source,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Catalogued,
    Inherited,
    Derived,
}

impl Kept {
    pub(super) fn new(id: ColumnId, tag: &Tag, schema: &Snapshot) -> Self {
        let relation = schema.relation(id.relation);
        let column = relation.and_then(|relation| relation.column_numbered(id.number));
        let called = relation.zip(column).map(|(relation, column)| {
            let (relation, column) = (relation.name.clone(), column.name.clone());
            ColumnPath { relation, column }
        });
        Self {
            relation: id.relation,
            column: id.number,
            called: parts(called.as_ref().unwrap_or(&tag.path)),
            path: parts(&tag.path),
            class: tag.class.to_string(),
            root: parts(&tag.root),
            origin: match tag.origin {
                Origin::Catalogued => Source::Catalogued,
                Origin::Inherited => Source::Inherited,
                Origin::Derived => Source::Derived,
            },
        }
    }

    pub(super) fn class(&self) -> &str {
        &self.class
    }

    pub(super) fn by_oid(self) -> (ColumnId, Tag) {
        (ColumnId { relation: self.relation, number: self.column }, self.tag())
    }

    pub(super) fn by_name(self, schema: &Snapshot) -> Option<(ColumnId, Tag)> {
        let [in_schema, relation, column] = &self.called;
        let id = schema.find(in_schema, relation)?.id_of(column)?;
        Some((id, self.tag()))
    }

    fn tag(self) -> Tag {
        Tag {
            path: Arc::new(path(self.path)),
            class: self.class.into(),
            root: Arc::new(path(self.root)),
            origin: match self.origin {
                Source::Catalogued => Origin::Catalogued,
                Source::Inherited => Origin::Inherited,
                Source::Derived => Origin::Derived,
            },
        }
    }
}

fn parts(path: &ColumnPath) -> [String; 3] {
    [path.relation.schema.clone(), path.relation.name.clone(), path.column.clone()]
}

fn path([schema, relation, column]: [String; 3]) -> ColumnPath {
    ColumnPath { relation: RelationName::new(schema, relation), column }
}
