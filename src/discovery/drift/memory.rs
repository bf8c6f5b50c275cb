//! What catalogued tables were like when somebody last looked at what the catalog says of them.

use std::collections::{BTreeMap, HashMap};

use crate::catalog::{Catalog, Table};
use crate::model::{ColumnNumber, Oid, RelationName};
use crate::schema::{Column, Relation, RelationKind, Snapshot};

/// By the identity that a RENAME does not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(pub BTreeMap<Oid, Remembered>);

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// As the catalog calls it.
    pub table: RelationName,
    /// What the catalog said of it. When that has changed, somebody has looked at the table.
    pub entry: String,
    /// Columns that were there when the table was first seen, or that the catalog has named since.
    pub columns: BTreeMap<ColumnNumber, Was>,
}

/// A column when somebody last looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Was {
    pub name: String,
    /// Of its values, as SQL says it.
    pub data_type: String,
    /// `pg_type.typcategory`
    pub category: u8,
}

impl Memory {
    /// What is to be remembered from now on. A column that came after its table was first seen is
    /// not, until the catalog names it: nothing but a decision makes it known.
    #[must_use]
    pub fn renewed(&self, catalog: &Catalog, schema: &Snapshot) -> Self {
        let known = self.by_name();
        let mut next = BTreeMap::new();
        for table in &catalog.tables {
            let Some(relation) = find(table, schema, &known) else { continue };
            let before = self.0.get(&relation.oid).filter(|before| before.table == table.name);
            next.insert(relation.oid, remembered(table, relation, before));
        }
        Self(next)
    }

    /// The same of another database, in which the tables have the same names and other numbers.
    #[must_use]
    pub fn moved_to(self, schema: &Snapshot) -> Self {
        let moved = self.0.into_values().filter_map(|table| {
            let relation = schema.find(&table.table.schema, &table.table.name)?;
            let columns = table.columns.into_values().filter_map(|was| {
                let number = relation.column(&was.name)?.number;
                Some((number, was))
            });
            Some((relation.oid, Remembered { columns: columns.collect(), ..table }))
        });
        Self(moved.collect())
    }

    /// The relation that the catalog means: the one of that name, or the one that had it.
    pub(super) fn relation_of<'s>(
        &self,
        table: &Table,
        schema: &'s Snapshot,
    ) -> Option<&'s Relation> {
        let named = schema.find(&table.name.schema, &table.name.name);
        let had_it = || {
            let mut known = self.0.iter().filter(|(_, known)| known.table == table.name);
            known.find_map(|(oid, _)| schema.relation(*oid))
        };
        named.or_else(had_it).filter(|relation| holds_values(relation))
    }

    fn by_name(&self) -> HashMap<&RelationName, Oid> {
        self.0.iter().map(|(oid, known)| (&known.table, *oid)).collect()
    }
}

fn find<'s>(
    table: &Table,
    schema: &'s Snapshot,
    known: &HashMap<&RelationName, Oid>,
) -> Option<&'s Relation> {
    let named = schema.find(&table.name.schema, &table.name.name);
    let had_it = || schema.relation(*known.get(&table.name)?);
    named.or_else(had_it).filter(|relation| holds_values(relation))
}

fn remembered(table: &Table, relation: &Relation, before: Option<&Remembered>) -> Remembered {
    let entry = entry(table);
    let looked_at = before.is_none_or(|before| before.entry != entry);
    let columns = relation.columns.iter().filter_map(|column| {
        let now = Was {
            name: column.name.clone(),
            data_type: column.value.sql.clone(),
            category: column.value.category,
        };
        let was = match before {
            None => now,
            Some(before) => match before.columns.get(&column.number) {
                Some(_) if looked_at => now,
                Some(was) => was.clone(),
                None if is_named(table, column) => now,
                None => return None,
            },
        };
        Some((column.number, was))
    });
    Remembered { table: table.name.clone(), entry, columns: columns.collect() }
}

fn is_named(table: &Table, column: &Column) -> bool {
    table.columns.contains_key(&column.name)
}

fn entry(table: &Table) -> String {
    let columns = table.columns.iter().map(|(column, class)| format!("{column} = {class}"));
    let subject = table.subject.iter().flatten().map(|column| format!("subject {column}"));
    columns.chain(subject).collect::<Vec<_>>().join("\n")
}

pub(super) fn holds_values(relation: &Relation) -> bool {
    match relation.kind {
        RelationKind::Table
        | RelationKind::PartitionedTable
        | RelationKind::MaterializedView
        | RelationKind::ForeignTable => true,
        RelationKind::View
        | RelationKind::Sequence
        | RelationKind::CompositeType
        | RelationKind::Index
        | RelationKind::Other => false,
    }
}
