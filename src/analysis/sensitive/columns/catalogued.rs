//! The catalog's own entries, by name the first time and by identity ever after.

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    CLASS_CLEAR, CLASS_DERIVED, CLASS_UNCLASSIFIED, Columns, Tagged, Unclassified,
    hiding_of_derived, holds_values, own_path,
};
use crate::analysis::sensitive::problem::{Problem, ProblemKind};
use crate::analysis::sensitive::tags::{Origin, Tag, Tags};
use crate::catalog::{Hiding, MaskSpec, Table};
use crate::model::{ColumnId, ColumnPath};
use crate::schema::{Relation, RelationKind};

/// The catalog's entries by path.
type Entries = HashMap<ColumnPath, Entry>;

struct Entry {
    class: Arc<str>,
    /// None: decided to be clear.
    hiding: Option<Hiding>,
    place: String,
}

impl<'a> Columns<'a> {
    pub(super) fn tag_catalogued(&mut self, tags: &Tags, problems: &mut Vec<Problem>) {
        let entries = self.entries(problems);
        // What was tagged in the catalog's own words stays what it was, whatever it is called now.
        for (id, tag) in tags.0.iter().filter(|(_, tag)| tag.origin == Origin::Catalogued) {
            self.hold(*id, tag, &entries, problems);
        }
        for table in &self.catalog.tables {
            self.tag_by_name(table, tags, &entries, problems);
        }
        // Copies last: the catalog may have decided otherwise meanwhile.
        for (id, tag) in tags.0.iter().filter(|(_, tag)| tag.origin == Origin::Inherited) {
            if !self.clear.contains_key(id) {
                self.hold(*id, tag, &entries, problems);
            }
        }
    }

    /// What was derived before and cannot be seen to be so any more, say after DROP EXPRESSION,
    /// still holds the same values.
    pub(super) fn hold_derived(
        &mut self,
        tags: &Tags,
        unclassified: Unclassified,
        problems: &mut Vec<Problem>,
    ) {
        // Its problems are known already.
        let entries = self.entries(&mut Vec::new());
        for (id, tag) in tags.0.iter().filter(|(_, tag)| tag.origin == Origin::Derived) {
            let wanted = match unclassified {
                Unclassified::Mask => true,
                Unclassified::Allow => &*tag.class != CLASS_UNCLASSIFIED,
            };
            if wanted && !self.clear.contains_key(id) {
                self.hold(*id, tag, &entries, problems);
            }
        }
    }

    fn entries(&self, problems: &mut Vec<Problem>) -> Entries {
        let mut entries = Entries::new();
        for table in &self.catalog.tables {
            for (column, class) in &table.columns {
                let path = ColumnPath { relation: table.name.clone(), column: column.clone() };
                let hiding = if let Some(known) = self.catalog.classes.get(class) {
                    Some(known.hiding.clone())
                } else if class == CLASS_CLEAR {
                    None
                } else {
                    let kind = ProblemKind::NoClass { path: path.clone(), class: class.clone() };
                    problems.push(Problem { place: table.place.clone(), kind });
                    Some(Hiding::Mask(MaskSpec::Redact))
                };
                let (class, place) = (Arc::from(class.as_str()), table.place.clone());
                entries.insert(path, Entry { class, hiding, place });
            }
        }
        entries
    }

    /// Keeps a tag of before, if the catalog still has the entry behind it.
    fn hold(&mut self, id: ColumnId, tag: &Tag, entries: &Entries, problems: &mut Vec<Problem>) {
        let (Some(relation), Some(column)) =
            (self.schema.relation(id.relation), self.schema.column(id))
        else {
            return;
        };
        let Some(entry) = entries.get(&*tag.root) else { return };
        if self.tagged.contains_key(&id) {
            return;
        }
        let Some(hiding) = &entry.hiding else {
            if tag.origin == Origin::Catalogued && &*tag.class == CLASS_CLEAR {
                self.clear.insert(id, tag.clone());
            }
            return;
        };
        // An entry that said "clear" and now says otherwise is found by its name.
        if &*tag.class == CLASS_CLEAR {
            return;
        }
        let now = own_path(relation, column);
        if tag.origin == Origin::Catalogued && now != *tag.path {
            let kind = ProblemKind::Renamed { path: (*tag.path).clone(), now };
            problems.push(Problem { place: entry.place.clone(), kind });
        }
        let (class, hiding) = match tag.origin {
            Origin::Catalogued | Origin::Inherited => (entry.class.clone(), hiding.clone()),
            Origin::Derived => {
                let hiding = match &*tag.class {
                    built_in @ (CLASS_DERIVED | CLASS_UNCLASSIFIED) => self.built_in(built_in),
                    _ => hiding_of_derived(hiding),
                };
                (tag.class.clone(), hiding)
            }
        };
        let (path, root) = (tag.path.clone(), Some(tag.root.clone()));
        self.tagged.insert(id, Tagged { path, class, hiding, root, origin: tag.origin });
    }

    fn tag_by_name(
        &mut self,
        table: &Table,
        tags: &Tags,
        entries: &Entries,
        problems: &mut Vec<Problem>,
    ) {
        let Some(relation) = self.cataloguable(table, problems) else { return };
        for column in table.columns.keys() {
            let path = ColumnPath { relation: table.name.clone(), column: column.clone() };
            let Some(entry) = entries.get(&path) else { continue };
            let Some(id) = relation.id_of(column) else {
                // Said already as Renamed, if it was there before.
                if !self.holds(&path) {
                    let kind = ProblemKind::NoColumn(path);
                    problems.push(Problem { place: table.place.clone(), kind });
                }
                continue;
            };
            let path = Arc::new(path);
            let Some(hiding) = &entry.hiding else {
                self.decide_clear(id, path, tags);
                continue;
            };
            if !self.is_pii(id) {
                self.clear.remove(&id);
                let (class, root) = (entry.class.clone(), Some(path.clone()));
                let (hiding, origin) = (hiding.clone(), Origin::Catalogued);
                self.tagged.insert(id, Tagged { path, class, hiding, root, origin });
            }
        }
    }

    fn cataloguable(&self, table: &Table, problems: &mut Vec<Problem>) -> Option<&'a Relation> {
        let place = table.place.clone();
        let Some(relation) = self.schema.find(&table.name.schema, &table.name.name) else {
            // Said already as Renamed, if it was there before.
            let held = self.tagged.values().filter(|tagged| tagged.origin == Origin::Catalogued);
            if !held.map(|tagged| &tagged.path.relation).any(|name| *name == table.name) {
                problems.push(Problem { place, kind: ProblemKind::NoRelation(table.name.clone()) });
            }
            return None;
        };
        if relation.kind == RelationKind::View {
            problems.push(Problem { place, kind: ProblemKind::View(table.name.clone()) });
            return None;
        }
        if !holds_values(relation) {
            problems.push(Problem { place, kind: ProblemKind::NoRelation(table.name.clone()) });
            return None;
        }
        Some(relation)
    }

    fn holds(&self, path: &ColumnPath) -> bool {
        self.tagged
            .values()
            .any(|tagged| tagged.origin == Origin::Catalogued && *tagged.path == *path)
    }

    /// A decision counts for the column that had the name when it was taken: renaming another one
    /// to that name does not make it clear.
    fn decide_clear(&mut self, id: ColumnId, path: Arc<ColumnPath>, tags: &Tags) {
        let tagged_before = tags.0.get(&id).is_some_and(|tag| &*tag.class != CLASS_CLEAR);
        if self.tagged.contains_key(&id) || (tagged_before && tags.knew_clear(&path)) {
            return;
        }
        let (class, root) = (Arc::from(CLASS_CLEAR), path.clone());
        self.clear.insert(id, Tag { path, class, root, origin: Origin::Catalogued });
    }
}
