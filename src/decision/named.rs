//! What records call columns and relations.

use quick_cache::sync::Cache;

use super::World;
use crate::audit::Names;
use crate::model::{ColumnId, Oid};

/// Entries of each cache.
const ENTRIES_MAX: usize = 1024;
/// Most columns or relations of one entry.
const IDS_MAX: usize = 64;

/// Names by what they are the names of. Statements repeat, so most records share theirs.
#[derive(Debug)]
pub(super) struct Named {
    columns: Cache<Box<[ColumnId]>, Names>,
    relations: Cache<Box<[Oid]>, Names>,
}

impl Default for Named {
    fn default() -> Self {
        Self { columns: Cache::new(ENTRIES_MAX), relations: Cache::new(ENTRIES_MAX) }
    }
}

impl World {
    /// The names of personal columns, sorted, each once; others have none.
    pub fn column_names(&self, ids: &[ColumnId]) -> Names {
        known(&self.named.columns, ids, || {
            let columns = ids.iter().filter_map(|id| self.sensitive.column(*id));
            let mut names: Vec<String> = columns.map(|column| column.path.dotted()).collect();
            names.sort_unstable();
            names.dedup();
            names
        })
    }

    /// The names of relations, in their order.
    pub fn relation_names(&self, oids: &[Oid]) -> Names {
        known(&self.named.relations, oids, || {
            let relations = oids.iter().filter_map(|oid| self.schema.relation(*oid));
            relations.map(|relation| relation.name.dotted()).collect()
        })
    }
}

fn known<Id: Copy + Eq + std::hash::Hash>(
    cache: &Cache<Box<[Id]>, Names>,
    ids: &[Id],
    make: impl FnOnce() -> Vec<String>,
) -> Names {
    if ids.is_empty() {
        return Names::default();
    }
    if let Some(names) = cache.get(ids) {
        return names;
    }
    let names: Names = make().into_iter().collect();
    if ids.len() <= IDS_MAX {
        cache.insert(ids.into(), names.clone());
    }
    names
}
