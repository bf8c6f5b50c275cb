//! Which columns are personal data: catalogued, held from before, inherited, derived.

mod catalogued;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::lineage::{self, Holds};
use super::tags::{Origin, Tag, Tags};
use super::{CLASS_CLEAR, CLASS_DERIVED, CLASS_UNCLASSIFIED, PiiColumn, Problem, Unclassified};
use crate::catalog::{Catalog, Hiding, MaskSpec};
use crate::model::{ByNumber, ColumnId, ColumnPath, Oid};
use crate::schema::{Column, ConstraintKind, Relation, RelationKind, Snapshot};

/// The columns tagged so far.
pub(super) struct Columns<'a> {
    schema: &'a Snapshot,
    catalog: &'a Catalog,
    children: HashMap<Oid, Vec<Oid>>,
    tagged: BTreeMap<ColumnId, Tagged>,
    /// Decided: no personal data.
    clear: BTreeMap<ColumnId, Tag>,
}

/// What tells of the values that a materialized view stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The columns that its query names.
    ByColumns,
    ByNothing,
}

#[derive(Clone, Debug)]
struct Tagged {
    path: Arc<ColumnPath>,
    class: Arc<str>,
    hiding: Hiding,
    /// None: found anew at every binding.
    root: Option<Arc<ColumnPath>>,
    origin: Origin,
}

impl<'a> Columns<'a> {
    /// Tags what the catalog names and what was tagged before, and everything that follows.
    pub(super) fn bind(
        schema: &'a Snapshot,
        catalog: &'a Catalog,
        tags: &Tags,
        unclassified: Unclassified,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut children: HashMap<Oid, Vec<Oid>> = HashMap::new();
        for relation in schema.relations.values() {
            for parent in &relation.parents {
                children.entry(*parent).or_default().push(relation.oid);
            }
        }
        let (tagged, clear) = (BTreeMap::new(), BTreeMap::new());
        let mut columns = Self { schema, catalog, children, tagged, clear };
        columns.tag_catalogued(tags, problems);
        columns.spread();
        columns.hold_derived(tags, unclassified, problems);
        columns.spread();
        if unclassified == Unclassified::Mask {
            columns.tag_unclassified();
            columns.spread();
        }
        columns
    }

    pub(super) fn is_pii(&self, id: ColumnId) -> bool {
        self.tagged.contains_key(&id)
    }

    /// The relation's own personal columns.
    pub(super) fn of(&self, relation: Oid) -> impl Iterator<Item = ColumnId> {
        let first = ColumnId { relation, number: i16::MIN };
        let last = ColumnId { relation, number: i16::MAX };
        self.tagged.range(first..=last).map(|(id, _)| *id)
    }

    /// Direct inheritance children and partitions.
    pub(super) fn children(&self, parent: Oid) -> impl Iterator<Item = Oid> {
        self.children.get(&parent).into_iter().flatten().copied()
    }

    /// Relations with personal columns.
    fn relations(&self) -> HashSet<Oid> {
        self.tagged.keys().map(|id| id.relation).collect()
    }

    /// Tags the columns of a materialized view over personal data that hold some, or may; `source`
    /// is one of them if any is known. Whether there was anything new.
    pub(super) fn tag_stored(
        &mut self,
        relation: &Relation,
        source: Option<ColumnId>,
        told: Told,
    ) -> bool {
        let root = source.and_then(|id| self.tagged.get(&id)).and_then(|tag| tag.root.clone());
        let holds = match told {
            Told::ByColumns => lineage::of(relation, self.schema, self),
            Told::ByNothing => None,
        };
        let mut news = false;
        for (index, column) in relation.columns.iter().enumerate() {
            let id = ColumnId { relation: relation.oid, number: column.number };
            if self.is_pii(id) || self.clear.contains_key(&id) {
                continue;
            }
            let mut derived = self.derived(own_path(relation, column), root.clone());
            match holds.as_ref().map(|holds| holds[index]) {
                Some(Holds::Clear) => continue,
                // The same values under the same type: hidden as they are where they come from.
                Some(Holds::Values(id)) if self.has_type_of(column, id) => {
                    if let Some(from) = self.tagged.get(&id) {
                        derived.class = from.class.clone();
                        derived.hiding = from.hiding.clone();
                        // So that it stays hidden in the same way when all of it is bound anew.
                        derived.root = from.root.clone();
                        derived.origin = inherited(from.origin);
                    }
                }
                Some(Holds::Values(_) | Holds::Computed) | None => {}
            }
            self.tagged.insert(id, derived);
            news = true;
        }
        if news {
            self.spread();
        }
        news
    }

    fn has_type_of(&self, column: &Column, source: ColumnId) -> bool {
        self.schema.column(source).is_some_and(|source| source.value == column.value)
    }

    pub(super) fn finish(self) -> (ByNumber<ColumnId, PiiColumn>, Tags) {
        let mut tags = Tags(self.clear);
        let mut columns = ByNumber::default();
        for (id, tagged) in self.tagged {
            if let Some(root) = tagged.root {
                let (path, class) = (tagged.path.clone(), tagged.class.clone());
                tags.0.insert(id, Tag { path, class, root, origin: tagged.origin });
            }
            if let Some(column) = self.schema.column(id) {
                let (path, class, hiding) = (tagged.path, tagged.class, tagged.hiding);
                let value = column.value.clone();
                columns.insert(id, PiiColumn { path, class, hiding, value });
            }
        }
        (columns, tags)
    }

    /// Everything that follows from the tags there are, until nothing new does.
    fn spread(&mut self) {
        loop {
            let before = self.tagged.len();
            self.inherit();
            self.derive();
            if self.tagged.len() == before {
                break;
            }
        }
    }

    /// A query on a parent reads its children's rows and a partition holds its parent's, so the
    /// column of that name is the same data all over the tree. A child's column may be decided to be
    /// clear; a parent's may not be clearer than what the catalog says of its children.
    fn inherit(&mut self) {
        let mut work: Vec<ColumnId> = self.tagged.keys().copied().collect();
        while let Some(id) = work.pop() {
            let (Some(relation), Some(column)) =
                (self.schema.relation(id.relation), self.schema.column(id))
            else {
                continue;
            };
            let Some(tagged) = self.tagged.get(&id) else { continue };
            let tagged = Tagged { origin: inherited(tagged.origin), ..tagged.clone() };
            let down = self.children(id.relation);
            let down: Vec<_> = down
                .filter_map(|child| self.schema.relation(child)?.id_of(&column.name))
                .filter(|id| !self.clear.contains_key(id))
                .collect();
            let up = relation.parents.iter();
            let up: Vec<_> = up
                .filter_map(|parent| self.schema.relation(*parent)?.id_of(&column.name))
                .filter(|id| tagged.origin != Origin::Derived || !self.clear.contains_key(id))
                .collect();
            for next in down.into_iter().chain(up) {
                if !self.is_pii(next) {
                    self.clear.remove(&next);
                    self.tagged.insert(next, tagged.clone());
                    work.push(next);
                }
            }
        }
    }

    /// Generated columns that read personal ones, and columns that hold rows of relations with
    /// personal columns.
    fn derive(&mut self) {
        let mut found = Vec::new();
        for relation in self.schema.relations.values().filter(|relation| holds_values(relation)) {
            for column in &relation.columns {
                let id = ColumnId { relation: relation.oid, number: column.number };
                if self.is_pii(id) || self.is_clear(relation, column) {
                    continue;
                }
                if let Some(derived) = self.derived_column(relation, column) {
                    found.push((id, derived));
                }
            }
        }
        self.tagged.extend(found);
    }

    fn derived_column(&self, relation: &Relation, column: &Column) -> Option<Tagged> {
        let sources: Vec<&Tagged> = column
            .generated_from
            .iter()
            .flatten()
            .filter_map(|number| {
                self.tagged.get(&ColumnId { relation: relation.oid, number: *number })
            })
            .collect();
        if let Some(first) = sources.first() {
            let path = self.path_of_derived(relation, column);
            let mut derived = self.derived(path, first.root.clone());
            if sources.len() == 1 {
                derived.class = first.class.clone();
                derived.hiding = hiding_of_derived(&first.hiding);
            }
            return Some(derived);
        }
        let rows_of = self.carried(column.type_oid, &mut HashSet::new())?;
        let root = self.of(rows_of).find_map(|id| self.tagged.get(&id)?.root.clone());
        Some(self.derived(own_path(relation, column), root))
    }

    /// What is generated in a child and in its parent is one column, which goes by the parent's
    /// name, as those do that it is computed from.
    fn path_of_derived(&self, relation: &Relation, column: &Column) -> ColumnPath {
        let mut parents = relation.parents.iter().filter_map(|oid| self.schema.relation(*oid));
        let generated = |parent| match Relation::column(parent, &column.name) {
            Some(above) if above.generated_from.is_some() => Some((parent, above)),
            Some(_) | None => None,
        };
        match parents.find_map(generated) {
            Some((parent, above)) => self.path_of_derived(parent, above),
            None => own_path(relation, column),
        }
    }

    /// The relation with personal columns whose rows values of the type carry, be it in a field of
    /// a field.
    pub(super) fn carried(&self, type_oid: Oid, seen: &mut HashSet<Oid>) -> Option<Oid> {
        let relation = self.schema.relation(*self.schema.row_types.get(&type_oid)?)?;
        if self.of(relation.oid).next().is_some() {
            return Some(relation.oid);
        }
        if !seen.insert(relation.oid) {
            return None;
        }
        relation.columns.iter().find_map(|column| self.carried(column.type_oid, seen))
    }

    /// Decided to be clear here or for the column that this one inherits from.
    fn is_clear(&self, relation: &Relation, column: &Column) -> bool {
        self.in_lineage(relation, column, &|relation, column| {
            let id = ColumnId { relation: relation.oid, number: column.number };
            self.clear.contains_key(&id)
        })
    }

    /// Whether something holds for the column or for one that it inherits from.
    fn in_lineage(
        &self,
        relation: &Relation,
        column: &Column,
        holds: &dyn Fn(&Relation, &Column) -> bool,
    ) -> bool {
        holds(relation, column)
            || relation.parents.iter().any(|parent| {
                let parent = self.schema.relation(*parent);
                parent.is_some_and(|parent| {
                    let inherited = parent.column(&column.name);
                    inherited.is_some_and(|column| self.in_lineage(parent, column, holds))
                })
            })
    }

    fn derived(&self, path: ColumnPath, root: Option<Arc<ColumnPath>>) -> Tagged {
        Tagged {
            path: Arc::new(path),
            class: Arc::from(CLASS_DERIVED),
            hiding: self.built_in(CLASS_DERIVED),
            root,
            origin: Origin::Derived,
        }
    }

    /// A built-in class is hidden by redact unless the catalog defines it.
    fn built_in(&self, class: &str) -> Hiding {
        let class = self.catalog.classes.get(class);
        class.map_or(Hiding::Mask(MaskSpec::Redact), |class| class.hiding.clone())
    }

    fn tag_unclassified(&mut self) {
        let mut found = Vec::new();
        for relation in self.relations().iter().filter_map(|oid| self.schema.relation(*oid)) {
            let root = self.of(relation.oid).find_map(|id| self.tagged.get(&id)?.root.clone());
            for column in &relation.columns {
                let id = ColumnId { relation: relation.oid, number: column.number };
                if self.is_pii(id)
                    || self.is_clear(relation, column)
                    || self.in_lineage(relation, column, &|r, c| is_key(r, c))
                {
                    continue;
                }
                let path = Arc::new(own_path(relation, column));
                let class = Arc::from(CLASS_UNCLASSIFIED);
                let hiding = self.built_in(CLASS_UNCLASSIFIED);
                let origin = Origin::Derived;
                found.push((id, Tagged { path, class, hiding, root: root.clone(), origin }));
            }
        }
        self.tagged.extend(found);
    }
}

/// What hides a value also hides what is computed from it only if it does not look at the value: a
/// mask that keeps the last four characters would show the first four of a reversed one.
fn hiding_of_derived(source: &Hiding) -> Hiding {
    match source {
        Hiding::Deny => Hiding::Deny,
        Hiding::Mask(MaskSpec::Null) => Hiding::Mask(MaskSpec::Null),
        Hiding::Mask(
            MaskSpec::Redact
            | MaskSpec::Constant { .. }
            | MaskSpec::Partial { .. }
            | MaskSpec::Email
            | MaskSpec::Date { .. }
            | MaskSpec::Bucket { .. }
            | MaskSpec::Ip { .. },
        ) => Hiding::Mask(MaskSpec::Redact),
    }
}

fn inherited(origin: Origin) -> Origin {
    match origin {
        Origin::Catalogued | Origin::Inherited => Origin::Inherited,
        Origin::Derived => Origin::Derived,
    }
}

fn holds_values(relation: &Relation) -> bool {
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

/// Columns by which clients address rows.
fn is_key(relation: &Relation, column: &Column) -> bool {
    relation.primary_key.contains(&column.number)
        || relation.constraints.iter().any(|constraint| {
            matches!(constraint.kind, ConstraintKind::ForeignKey | ConstraintKind::ReferencedBy)
                && constraint.columns.contains(&column.number)
        })
}

fn own_path(relation: &Relation, column: &Column) -> ColumnPath {
    ColumnPath { relation: relation.name.clone(), column: column.name.clone() }
}
