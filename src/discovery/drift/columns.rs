//! Columns that became something else, that came, and that look like personal data.

use std::collections::{BTreeSet, HashMap};

use super::memory::holds_values;
use super::{Drift, DriftKind, Severity, Sides, dotted};
use crate::analysis::sensitive::{CLASS_CLEAR, CLASS_UNCLASSIFIED, PiiColumn};
use crate::catalog::{Hiding, Table};
use crate::discovery::report::AT_LEAST_DEFAULT;
use crate::discovery::{ColumnFacts, Confidence, Observer};
use crate::mask::WireMask;
use crate::model::{ColumnId, ColumnPath, RelationName};
use crate::schema::{Column, ConstraintKind, Relation, Snapshot};

/// What is less sure is not told: a name alone says little.
pub(in crate::discovery) const LOOKS_MIN: Confidence = Confidence(AT_LEAST_DEFAULT);

/// Where the proxy keeps what tells it of DDL.
const OWN_SCHEMA: &str = "keyhole_internal";

/// Catalogued columns whose type is another one than when somebody last looked.
pub(super) fn retyped(sides: Sides<'_>) -> Vec<Drift> {
    let mut found = Vec::new();
    for (table, relation) in sides.catalogued() {
        let Some(known) = sides.memory.0.get(&relation.oid) else { continue };
        for (number, was) in &known.columns {
            let Some(column) = relation.column_numbered(*number) else { continue };
            let class = table.columns.get(&was.name).or_else(|| table.columns.get(&column.name));
            let Some(class) = class.filter(|_| column.value.sql != was.data_type) else { continue };
            let id = ColumnId { relation: relation.oid, number: *number };
            let (severity, now) = match sides.sensitive.column(id) {
                Some(pii) if !fits(pii) => (
                    Severity::Warning,
                    "its mask does not fit any longer, so it is hidden as NULL".to_owned(),
                ),
                _ if column.value.category == was.category => {
                    (Severity::Note, format!("class \"{class}\" still fits"))
                }
                Some(_) => {
                    (Severity::Warning, format!("look whether class \"{class}\" still hides it"))
                }
                None => (Severity::Warning, format!("look whether it still is \"{class}\"")),
            };
            let (before, after) = (&was.data_type, &column.value.sql);
            found.push(Drift {
                severity,
                kind: DriftKind::Retyped,
                table: Some(relation.name.clone()),
                column: Some(column.name.clone()),
                place: table.place.clone(),
                words: format!(
                    "{} was {before} and is {after} now: {now}",
                    dotted(relation, &column.name)
                ),
            });
        }
    }
    found
}

/// Columns whose mask does not fit their type, each once; those that [`retyped`] tells are left out.
pub(super) fn unmasked(sides: Sides<'_>) -> Vec<Drift> {
    let tables = sides.tables();
    let mut told = BTreeSet::new();
    let unfit = sides.sensitive.columns.iter().filter(|(_, pii)| !fits(pii));
    let mut found = Vec::new();
    for (id, pii) in unfit {
        let known = sides.memory.0.get(&id.relation).and_then(|it| it.columns.get(&id.number));
        let is_retyped = known.is_some_and(|was| was.data_type != pii.value.sql);
        if is_retyped || !told.insert((pii.path.clone(), pii.value.sql.clone())) {
            continue;
        }
        let (class, data_type) = (&pii.class, &pii.value.sql);
        found.push(Drift {
            severity: Severity::Warning,
            kind: DriftKind::Mask,
            table: Some(pii.path.relation.clone()),
            column: Some(pii.path.column.clone()),
            place: tables.get(&pii.path.relation).map_or("", |table| &table.place).to_owned(),
            words: format!(
                "{} is {data_type}, which the mask of class \"{class}\" does not fit: it is \
                 hidden as NULL",
                pii.path
            ),
        });
    }
    found
}

fn fits(pii: &PiiColumn) -> bool {
    match &pii.hiding {
        Hiding::Mask(spec) => WireMask::new(spec, &pii.value).is_ok(),
        Hiding::Deny => true,
    }
}

/// Columns that came to a catalogued table, and all that look like personal data, as far as the
/// catalog does not name them and nothing follows from what it names.
pub(super) fn uncatalogued(sides: Sides<'_>) -> Vec<Drift> {
    let told = |open: Open<'_>| {
        let Open { relation, column, .. } = open;
        let names: Vec<&str> = relation.columns.iter().map(|column| &*column.name).collect();
        let path = ColumnPath { relation: relation.name.clone(), column: column.name.clone() };
        let by_name = by_name(sides, relation, column, &path).findings(&names);
        let looks = sides.values.looks(&path, &by_name).map(|looks| looks.words());
        told(sides, open, looks)
    };
    open(sides).into_iter().filter_map(told).collect()
}

/// A column that nobody has decided on.
#[derive(Clone, Copy)]
pub(super) struct Open<'a> {
    /// What the catalog says of its table.
    table: Option<&'a Table>,
    pub(super) relation: &'a Relation,
    pub(super) column: &'a Column,
    /// How much it matters: a note where it is hidden meanwhile.
    pub(super) severity: Severity,
}

/// Those of partitions are their parents'.
pub(super) fn open(sides: Sides<'_>) -> Vec<Open<'_>> {
    let tables = sides.tables();
    let known: HashMap<&RelationName, &Table> = sides
        .memory
        .0
        .iter()
        .filter_map(|(oid, known)| {
            let relation = sides.schema.relation(*oid)?;
            Some((&relation.name, *tables.get(&known.table)?))
        })
        .collect();
    let mut found = Vec::new();
    for relation in sides.schema.relations.values().filter(|relation| is_looked_at(relation)) {
        let table = known.get(&relation.name).or_else(|| tables.get(&relation.name)).copied();
        for column in relation.columns.iter().filter(|it| !is_inherited(sides, relation, it)) {
            if let Decided::No(severity) = decided(sides, table, relation, column) {
                found.push(Open { table, relation, column, severity });
            }
        }
    }
    found
}

pub(super) fn is_looked_at(relation: &Relation) -> bool {
    holds_values(relation) && !relation.is_system() && relation.name.schema != OWN_SCHEMA
}

/// Whether a parent has the column: it is looked at there.
pub(super) fn is_inherited(sides: Sides<'_>, relation: &Relation, column: &Column) -> bool {
    parent(sides.schema, relation, column).is_some()
}

pub(super) fn parent<'a>(
    schema: &'a Snapshot,
    relation: &Relation,
    column: &Column,
) -> Option<(&'a Relation, &'a Column)> {
    let mut parents = relation.parents.iter().filter_map(|oid| schema.relation(*oid));
    parents.find_map(|parent| Some((parent, parent.column(&column.name)?)))
}

enum Decided {
    Yes,
    /// How much that matters.
    No(Severity),
}

fn decided(
    sides: Sides<'_>,
    table: Option<&Table>,
    relation: &Relation,
    column: &Column,
) -> Decided {
    if table.is_some_and(|table| table.columns.contains_key(&column.name)) {
        return Decided::Yes;
    }
    let id = ColumnId { relation: relation.oid, number: column.number };
    match sides.sensitive.column(id) {
        Some(pii) if &*pii.class == CLASS_UNCLASSIFIED => Decided::No(Severity::Note),
        // It follows from what is catalogued; what is computed is told elsewhere.
        Some(_) => Decided::Yes,
        None => Decided::No(Severity::Warning),
    }
}

fn by_name(sides: Sides<'_>, relation: &Relation, column: &Column, path: &ColumnPath) -> Observer {
    let facts = sides.facts.get(path).cloned();
    Observer::new(facts.unwrap_or_else(|| known(sides.schema, relation, column)))
}

/// What the snapshot knows of it.
pub(in crate::discovery) fn known(
    schema: &Snapshot,
    relation: &Relation,
    column: &Column,
) -> ColumnFacts {
    let has = |kind| {
        let mut of = relation.constraints.iter().filter(move |it| it.kind == kind);
        of.find(|it| it.columns == [column.number])
    };
    let references = has(ConstraintKind::ForeignKey).and_then(|it| it.other);
    let references = references.and_then(|oid| schema.relation(oid));
    ColumnFacts {
        table: relation.name.clone(),
        column: column.name.clone(),
        data_type: column.value.sql.clone(),
        comment: None,
        table_comment: None,
        checks: Vec::new(),
        labels: Vec::new(),
        unique: has(ConstraintKind::Unique).is_some(),
        primary_key: relation.primary_key == [column.number],
        references: references.map(|other| other.name.clone()),
    }
}

fn told(sides: Sides<'_>, open: Open<'_>, looks: Option<String>) -> Option<Drift> {
    let Open { table, relation, column, severity } = open;
    let known = sides.memory.0.get(&relation.oid);
    let is_new = known.is_some_and(|known| !known.columns.contains_key(&column.number));
    let path = dotted(relation, &column.name);
    let end = match severity {
        Severity::Note => ", and is hidden meanwhile",
        Severity::Problem | Severity::Warning => "",
    };
    let (kind, words) = match (is_new, looks) {
        (true, looks) => {
            let looks = looks.map(|looks| format!("; {looks}")).unwrap_or_default();
            let undecided = format!("say what it is, or \"{CLASS_CLEAR}\"");
            (
                DriftKind::New,
                format!("{path} is new in a catalogued table{end}: {undecided}{looks}"),
            )
        }
        (false, Some(looks)) => {
            (DriftKind::Uncatalogued, format!("{path} is not in the catalog{end}: {looks}"))
        }
        (false, None) => return None,
    };
    Some(Drift {
        severity,
        kind,
        table: Some(relation.name.clone()),
        column: Some(column.name.clone()),
        place: table.map(|table| table.place.clone()).unwrap_or_default(),
        words,
    })
}
