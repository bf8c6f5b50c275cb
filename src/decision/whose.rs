//! How the rows of catalogued relations say whose they are, and which of them are decoys.

use std::collections::HashSet;
use std::sync::Arc;

use crate::analysis::facts::{Analysis, Results};
use crate::analysis::sensitive::Sensitive;
use crate::audit::subject::{Canonical, KeyKind};
use crate::grant::CatalogView;
use crate::model::{ByNumber, ColumnId, ColumnNumber, Oid};
use crate::schema::{Relation, Snapshot};

/// Of every relation with personal data.
#[derive(Debug, Default)]
pub struct Whose(ByNumber<Oid, RowsOf>);

/// The rows of one relation.
#[derive(Debug, PartialEq, Eq)]
pub struct RowsOf {
    /// The table as the catalog names it: partitions go by their parent's name.
    pub table: Arc<str>,
    pub keys: Vec<KeyColumn>,
}

/// A column that is looked at in raw results.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyColumn {
    pub number: ColumnNumber,
    pub name: Arc<str>,
    pub kind: KeyKind,
    pub tells: Tells,
    pub decoys: Decoys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Whose row it is.
    Subject,
    /// Only whether it is a decoy.
    Decoy,
}

/// Values of a key that decoys have.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Decoys {
    integers: HashSet<i64>,
    texts: HashSet<Box<[u8]>>,
    uuids: HashSet<[u8; 16]>,
}

impl std::fmt::Debug for Decoys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoys(…)")
    }
}

impl Decoys {
    /// What is no value of this kind is left out.
    fn of<'a>(kind: KeyKind, values: impl Iterator<Item = &'a String>) -> Self {
        let mut decoys = Self::default();
        for value in values.filter_map(|value| kind.of_text(value.as_bytes())) {
            match value {
                Canonical::Integer(number) => _ = decoys.integers.insert(number),
                Canonical::Text(text) => _ = decoys.texts.insert(text.into()),
                Canonical::Uuid(bytes) => _ = decoys.uuids.insert(bytes),
            }
        }
        decoys
    }

    fn is_empty(&self) -> bool {
        self.integers.is_empty() && self.texts.is_empty() && self.uuids.is_empty()
    }

    pub fn contains(&self, value: Canonical<'_>) -> bool {
        match value {
            Canonical::Integer(number) => self.integers.contains(&number),
            Canonical::Text(text) => self.texts.contains(text),
            Canonical::Uuid(bytes) => self.uuids.contains(&bytes),
        }
    }
}

impl Whose {
    pub(super) fn bind(schema: &Snapshot, sensitive: &Sensitive, view: &CatalogView) -> Self {
        let mut all = ByNumber::default();
        for oid in sensitive.columns.keys().map(|column| column.relation) {
            if all.contains_key(&oid) {
                continue;
            }
            if let Some(rows) =
                schema.relation(oid).and_then(|relation| rows_of(relation, sensitive, view))
            {
                all.insert(oid, rows);
            }
        }
        Self(all)
    }

    /// None for relations without personal data.
    pub fn rows_of(&self, relation: Oid) -> Option<&RowsOf> {
        self.0.get(&relation)
    }
}

fn rows_of(relation: &Relation, sensitive: &Sensitive, view: &CatalogView) -> Option<RowsOf> {
    let (_, pii) = sensitive.columns_of(relation.oid).next()?;
    let table = &pii.path.relation;
    let subjects: Vec<&str> = match (view.subjects(table), relation.primary_key.as_slice()) {
        (Some(named), _) => named.iter().map(String::as_str).collect(),
        (None, [number]) => {
            relation.column_numbered(*number).map(|c| c.name.as_str()).into_iter().collect()
        }
        // Of several columns, none says alone whose row it is.
        (None, _) => Vec::new(),
    };
    let key = |column: &crate::schema::Column| {
        let kind = KeyKind::of(&column.value)?;
        let decoys = Decoys::of(kind, view.decoys(table, &column.name));
        let tells = match (subjects.contains(&&*column.name), decoys.is_empty()) {
            (true, _) => Tells::Subject,
            (false, false) => Tells::Decoy,
            (false, true) => return None,
        };
        let name = column.name.as_str().into();
        Some(KeyColumn { number: column.number, name, kind, tells, decoys })
    };
    let keys = relation.columns.iter().filter_map(key).collect();
    Some(RowsOf { table: table.dotted().into(), keys })
}

/// Relations of which a row of the result may show values of several rows, so that a key in it
/// does not say whose they all are.
#[must_use]
pub fn mixed(analysis: &Analysis) -> Vec<Oid> {
    let mut relations: Vec<Oid> = Vec::new();
    let mut mixed: Vec<Oid> = Vec::new();
    for reference in &analysis.references {
        let mut reads: Vec<Oid> = reference.touched.iter().map(|column| column.relation).collect();
        reads.push(reference.relation);
        reads.sort_unstable();
        reads.dedup();
        for relation in reads {
            let again = relations.contains(&relation);
            if (again || analysis.results == Results::Mixed) && !mixed.contains(&relation) {
                mixed.push(relation);
            }
            relations.push(relation);
        }
    }
    mixed
}

impl super::World {
    /// How the rows of a column's relation say whose they are.
    pub fn rows_with(&self, column: ColumnId) -> Option<&RowsOf> {
        self.whose.rows_of(column.relation)
    }
}
