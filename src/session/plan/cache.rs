//! What sessions of one database share: analyses, decisions that rest on no grant, rewritten texts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use super::{Analysed, Plan};
use crate::analysis::SearchPath;
use crate::analysis::sensitive::Audience;
use crate::decision::{Forms, Hidden};
use crate::model::{ColumnId, Epoch};

/// Analyses, plans and rewritten texts of one database, shared by its sessions.
pub struct PlanCache {
    analysed: Cache<Key, Arc<Analysed>>,
    plans: Cache<Key, Arc<Plan>>,
    rewritten: Cache<Rewriting, Arc<str>>,
    next_id: AtomicU64,
}

/// An analysed text, what is hidden in it, and what it may only write back.
pub(super) type Rewriting = (u64, Arc<[Vec<Hidden>]>, Arc<[ColumnId]>);

/// Entries of each cache; an analysis of an ordinary statement takes some 20 KiB.
const ENTRIES_MAX: usize = 4096;
/// Longest text that is worth keeping.
const TEXT_LEN_MAX: usize = 64 << 10;

impl Default for PlanCache {
    fn default() -> Self {
        Self {
            analysed: Cache::new(ENTRIES_MAX),
            plans: Cache::new(ENTRIES_MAX),
            rewritten: Cache::new(ENTRIES_MAX),
            next_id: AtomicU64::new(0),
        }
    }
}

/// A text, and all that it depends on what it means and how its rows look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked<'a> {
    pub(super) epoch: Epoch,
    pub(super) audience: Audience,
    pub(super) forms: Forms,
    pub(super) path: &'a SearchPath,
    pub(super) text: &'a str,
}

/// The same, kept. Fields in the order of [`Asked`], so that both have the same hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    epoch: Epoch,
    audience: Audience,
    forms: Forms,
    path: SearchPath,
    text: Arc<str>,
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        let Key { epoch, audience, forms, path, text } = key;
        *self == Asked { epoch: *epoch, audience: *audience, forms: *forms, path, text }
    }
}

impl Asked<'_> {
    fn key(&self, text: &Arc<str>) -> Key {
        let Self { epoch, audience, forms, path, .. } = *self;
        Key { epoch, audience, forms, path: path.clone(), text: Arc::clone(text) }
    }
}

impl PlanCache {
    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn analysed(&self, asked: &Asked<'_>) -> Option<Arc<Analysed>> {
        self.analysed.get(asked)
    }

    pub(super) fn keep_analysed(&self, asked: &Asked<'_>, analysed: &Arc<Analysed>) {
        if asked.text.len() <= TEXT_LEN_MAX {
            self.analysed.insert(asked.key(&analysed.text), Arc::clone(analysed));
        }
    }

    /// How the text runs for whoever no grant is about.
    pub(super) fn plan(&self, asked: &Asked<'_>) -> Option<Arc<Plan>> {
        self.plans.get(asked)
    }

    pub(super) fn keep_plan(&self, asked: &Asked<'_>, plan: &Arc<Plan>) {
        if asked.text.len() <= TEXT_LEN_MAX {
            self.plans.insert(asked.key(&plan.analysed.text), Arc::clone(plan));
        }
    }

    pub(super) fn rewritten(&self, key: &Rewriting) -> Option<Arc<str>> {
        self.rewritten.get(key)
    }

    pub(super) fn keep_rewritten(&self, key: Rewriting, text: &Arc<str>) {
        if text.len() <= TEXT_LEN_MAX {
            self.rewritten.insert(key, Arc::clone(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;
    use crate::decision::{Dates, Encoding};

    #[test]
    fn a_text_is_found_under_what_it_was_kept_under_and_nothing_else() {
        let (path, other_path) = (SearchPath(vec!["a".into()]), SearchPath(vec!["b".into()]));
        let forms = Forms { encoding: Encoding::Utf8, dates: Dates::Iso };
        let audience = Audience::Everyone;
        let asked = Asked { epoch: Epoch(1), audience, forms, path: &path, text: "SELECT 1" };
        let key = asked.key(&"SELECT 1".into());
        let hasher = RandomState::new();
        assert_eq!(hasher.hash_one(asked), hasher.hash_one(&key));
        assert!(asked.equivalent(&key));
        let dates = Forms { dates: Dates::Other, ..forms };
        for other in [
            Asked { epoch: Epoch(2), ..asked },
            Asked { audience: Audience::Ddl, ..asked },
            Asked { forms: dates, ..asked },
            Asked { path: &other_path, ..asked },
            Asked { text: "SELECT 2", ..asked },
        ] {
            assert!(!other.equivalent(&key), "{other:?}");
        }
    }
}
