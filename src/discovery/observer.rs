//! One column under observation: values are counted and forgotten.

use std::fmt;

use super::counts::Counts;
use super::facts::Family;
use super::{ColumnFacts, Finding, nested, weigh};

/// Paths of a column's documents that are counted; further ones are not looked at.
const PATHS_MAX: usize = 24;

/// Keeps about one KiB, and as much again for each path of documents, at most 24: counts only. No
/// value and no part of one is kept beyond [`Observer::see`]; how many differ is told by sketches
/// of hashes (bits that many values share), a sequence by a hash under a key of the process.
pub struct Observer {
    facts: ColumnFacts,
    family: Family,
    tally: Tally,
}

/// Tells a document's scalars with their paths.
type Walk = fn(&str, &mut dyn FnMut(&str, &str));

struct Tally {
    /// Of whole values.
    whole: Counts,
    /// Documents, and what was counted at each path.
    documents: u64,
    paths: Vec<(String, Counts)>,
}

impl Observer {
    pub fn new(facts: ColumnFacts) -> Self {
        let family = facts.family();
        let tally = Tally { whole: Counts::new(), documents: 0, paths: Vec::new() };
        Self { facts, family, tally }
    }

    /// One sampled value in PostgreSQL's text form; None: NULL.
    pub fn see(&mut self, value: Option<&str>) {
        let Some(value) = value else { return };
        let Self { facts, family, tally } = self;
        if facts.is_array() && value.starts_with(['{', '[']) {
            nested::walk_array(value, &mut |element| tally.see(*family, element));
        } else {
            tally.see(*family, value);
        }
    }

    /// Values that were neither NULL nor blank.
    pub fn seen(&self) -> u64 {
        self.tally.whole.seen().saturating_add(self.tally.documents)
    }

    /// What the column looks like, most confident first, at most one finding for each kind and
    /// path; `siblings` are the names of the table's columns.
    pub fn findings(&self, siblings: &[&str]) -> Vec<Finding> {
        let Tally { whole, documents, paths } = &self.tally;
        weigh::findings(&self.facts, siblings, whole, *documents, paths)
    }

    pub(super) fn facts(&self) -> &ColumnFacts {
        &self.facts
    }

    /// About how many values differ, whole ones or those at a path of documents.
    pub(super) fn different(&self, path: Option<&str>) -> f64 {
        let Tally { whole, paths, .. } = &self.tally;
        let counts = match path {
            Some(path) => paths.iter().find(|(known, _)| known == path).map(|(_, counts)| counts),
            None => Some(whole),
        };
        counts.map_or(0.0, Counts::distinct)
    }
}

impl Tally {
    fn see(&mut self, family: Family, value: &str) {
        match family {
            Family::Json => self.see_document(value, nested::walk_json),
            Family::Hstore => self.see_document(value, nested::walk_hstore),
            Family::Text if nested::is_json(value) => self.see_document(value, nested::walk_json),
            Family::Text
            | Family::Integer
            | Family::Decimal
            | Family::Boolean
            | Family::Date
            | Family::Timestamp
            | Family::Network
            | Family::Mac
            | Family::Uuid
            | Family::Point
            | Family::Enum
            | Family::Opaque => self.whole.see(value),
        }
    }

    fn see_document(&mut self, text: &str, walk: Walk) {
        self.documents += 1;
        walk(text, &mut |path, value| self.see_at(path, value));
    }

    fn see_at(&mut self, path: &str, value: &str) {
        if let Some((_, counts)) = self.paths.iter_mut().find(|(known, _)| known == path) {
            counts.see(value);
        } else if self.paths.len() < PATHS_MAX {
            let mut counts = Counts::new();
            counts.see(value);
            self.paths.push((path.to_owned(), counts));
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ColumnFacts { table, column, .. } = &self.facts;
        write!(f, "Observer({table}.{column}, {:?})", self.tally.whole)
    }
}

#[cfg(test)]
mod tests;
