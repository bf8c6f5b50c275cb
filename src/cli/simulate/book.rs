//! What was said by whom, summed up: one entry for each person, application and kind of statement,
//! however often it was said.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use super::restore::Lost;
use crate::audit::Decision;
use crate::model::Timestamp;

/// Different entries that are kept; statements of others are counted, and not replayed.
const ENTRIES_MAX: usize = 500_000;
/// Bytes of different statements that are kept, likewise.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// Who says something, and what standing grants of theirs may hang on.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) user: String,
    /// Those of the login.
    pub(super) groups: Vec<String>,
    pub(super) application: String,
    pub(super) database: String,
    /// Which conditions of standing grants hold.
    pub(super) holds: Vec<bool>,
    /// An address and a time at which they do.
    pub(super) address: Option<IpAddr>,
    pub(super) time: Timestamp,
}

impl Who {
    fn parts(&self) -> (&str, &str, &str, &[String], &[bool]) {
        (&self.user, &self.database, &self.application, &self.groups, &self.holds)
    }
}

impl PartialEq for Who {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Who {}

impl Hash for Who {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

/// A statement without its constants. Its fingerprint alone says which.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) fingerprint: String,
    pub(super) text: String,
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Shape {}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

/// What the log says became of it. Names are `schema.table.column`, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Told {
    pub(super) decision: Decision,
    pub(super) relations: Vec<String>,
    pub(super) touched: Vec<String>,
    pub(super) masked: Vec<String>,
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) who: Arc<Who>,
    pub(super) shape: Arc<Shape>,
    /// None: nobody has run it.
    pub(super) told: Option<Arc<Told>>,
    /// Numbers of grants that it was shown something by; in a whole [`Book`], of their terms.
    pub(super) grants: Box<[u64]>,
}

/// Entries and how often there was each.
#[derive(Debug)]
pub(super) struct Book {
    entries_max: usize,
    entries: HashMap<Entry, u64>,
    who: HashSet<Arc<Who>>,
    shapes: HashSet<Arc<Shape>>,
    told: HashSet<Arc<Told>>,
    text_bytes: usize,
    /// Statements that are not replayed, by person and application, and why.
    pub(super) lost: BTreeMap<(Lost, String, String), u64>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            entries_max: ENTRIES_MAX,
            entries: HashMap::new(),
            who: HashSet::new(),
            shapes: HashSet::new(),
            told: HashSet::new(),
            text_bytes: 0,
            lost: BTreeMap::new(),
        }
    }
}

fn shared<T: Eq + Hash>(known: &mut HashSet<Arc<T>>, value: T) -> Arc<T> {
    if let Some(found) = known.get(&value) {
        return Arc::clone(found);
    }
    let value = Arc::new(value);
    known.insert(Arc::clone(&value));
    value
}

impl Book {
    /// Counts so many statements.
    pub(super) fn add(
        &mut self,
        who: Who,
        shape: Shape,
        told: Option<Told>,
        grants: Box<[u64]>,
        count: u64,
    ) {
        let who = shared(&mut self.who, who);
        let known = self.shapes.get(&shape).map(Arc::clone);
        let len = shape.text.len();
        let is_new = known.is_none();
        let shape = known.unwrap_or_else(|| Arc::new(shape));
        let told = told.map(|told| shared(&mut self.told, told));
        let entry = Entry { who, shape, told, grants };
        if let Some(counted) = self.entries.get_mut(&entry) {
            *counted += count;
            return;
        }
        let too_long = is_new && self.text_bytes + len > TEXT_BYTES_MAX;
        if too_long || self.entries.len() >= self.entries_max {
            return self.lose(Lost::TooMany, &entry.who, count);
        }
        if is_new {
            self.text_bytes += len;
            self.shapes.insert(Arc::clone(&entry.shape));
        }
        self.entries.insert(entry, count);
    }

    /// Counts statements that are not replayed.
    pub(super) fn lose(&mut self, why: Lost, who: &Who, count: u64) {
        let key = (why, who.user.clone(), who.application.clone());
        *self.lost.entry(key).or_default() += count;
    }

    /// Takes over what another has, each entry changed by `change`.
    pub(super) fn merge(&mut self, other: Self, mut change: impl FnMut(Entry, u64) -> Entry) {
        for (entry, count) in other.entries {
            let Entry { who, shape, told, grants } = change(entry, count);
            let told = told.map(|told| (*told).clone());
            self.add((*who).clone(), (*shape).clone(), told, grants, count);
        }
        for (key, count) in other.lost {
            *self.lost.entry(key).or_default() += count;
        }
    }

    pub(super) fn people(&self) -> impl Iterator<Item = &Who> {
        self.who.iter().map(|who| &**who)
    }

    /// Entries of the same statement, the same person and the same grants side by side.
    pub(super) fn sorted(&mut self) -> Vec<(Entry, u64)> {
        let mut entries: Vec<(Entry, u64)> = self.entries.drain().collect();
        entries.sort_by(|(one, _), (other, _)| key(one).cmp(&key(other)));
        entries
    }
}

type SortKey<'a> = (&'a str, &'a str, &'a [bool], &'a [u64], &'a [String], &'a str);

fn key(entry: &Entry) -> SortKey<'_> {
    let relations = entry.told.as_ref().map_or(&[][..], |told| &told.relations);
    let Who { user, holds, application, .. } = &*entry.who;
    (&entry.shape.fingerprint, user, holds, &entry.grants, relations, application)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(user: &str) -> Who {
        Who {
            user: user.to_owned(),
            groups: Vec::new(),
            application: "psql".to_owned(),
            database: "shop".to_owned(),
            holds: Vec::new(),
            address: None,
            time: Timestamp::UNIX_EPOCH,
        }
    }

    fn shape(number: usize) -> Shape {
        Shape { fingerprint: format!("{number:016x}"), text: format!("SELECT {number}") }
    }

    #[test]
    fn the_same_is_counted_once_however_often_it_is_said() {
        let mut book = Book::default();
        for _ in 0..1000 {
            book.add(who("alice"), shape(1), None, Box::default(), 2);
        }
        book.add(who("bob"), shape(1), None, Box::default(), 1);
        let mut whole = Book::default();
        whole.merge(book, |entry, _| entry);
        let counts: Vec<(String, u64)> =
            whole.sorted().iter().map(|(entry, n)| (entry.who.user.clone(), *n)).collect();
        assert_eq!(counts, [("alice".to_owned(), 2000), ("bob".to_owned(), 1)]);
    }

    #[test]
    fn what_is_too_much_is_counted_and_not_kept() {
        let mut book = Book { entries_max: 100, ..Book::default() };
        for number in 0..105 {
            book.add(who("alice"), shape(number), None, Box::default(), 3);
        }
        assert_eq!(book.entries.len(), 100);
        let lost = book.lost.get(&(Lost::TooMany, "alice".to_owned(), "psql".to_owned()));
        assert_eq!(lost, Some(&15));
        book.add(who("alice"), shape(0), None, Box::default(), 1);
        assert_eq!(book.sorted().iter().map(|(_, n)| n).max(), Some(&4));
    }
}
