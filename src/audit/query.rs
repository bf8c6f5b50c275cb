//! Questions to the record: which records are wanted.
//!
//! Of one kind of condition any may hold, of different kinds all must: two users and a column ask
//! for what either of them did with that column. [`Search`] answers line by line, and does not read
//! a line whose bytes already say that it cannot match.

mod addresses;
mod class;
mod quick;

use super::read::{Kind, Record};
use super::record::{Decision, cut_name};
use crate::model::Timestamp;
pub use addresses::{Addresses, AddressesError};
pub use class::{Class, ClassColumn, Named};
use quick::Quick;

/// What is asked for; what is empty asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Who did it, asked for it, approved it, or whom a grant is for.
    pub users: Vec<String>,
    /// Of whoever did it, or whom a grant is for.
    pub groups: Vec<String>,
    /// `email`, `customers.email` or `public.customers.email`, in any ASCII case. A grant on the
    /// table of a column so named counts too.
    pub columns: Vec<String>,
    /// `customers` or `public.customers`, in any ASCII case.
    pub tables: Vec<String>,
    pub classes: Vec<Class>,
    pub grants: Vec<u64>,
    pub requests: Vec<u64>,
    pub sessions: Vec<u64>,
    pub kinds: Vec<Kind>,
    pub decisions: Vec<Decision>,
    /// Words of what happened to a grant, the configuration or the catalog.
    pub steps: Vec<String>,
    pub addresses: Vec<Addresses>,
    pub applications: Vec<String>,
    pub databases: Vec<String>,
    pub fingerprints: Vec<String>,
    /// All of them are in the statement's text, the reason or the row predicate, in any ASCII case.
    pub words: Vec<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// What became of a line.
#[derive(Debug)]
pub enum Found {
    No,
    Yes(Box<Record>),
    /// Nobody knows: it is no record that this version can read.
    Unreadable,
}

/// A query made ready for many lines.
#[derive(Debug)]
pub struct Search {
    query: Query,
    quick: Quick,
}

impl Search {
    pub fn new(query: Query) -> Self {
        Self { quick: Quick::of(&query), query }
    }

    /// Whether the line, without its line end, is wanted.
    pub fn look(&self, line: &[u8]) -> Found {
        if self.quick.dismisses(line) {
            return Found::No;
        }
        match Record::of(line) {
            Ok(record) if self.query.matches(&record) => Found::Yes(Box::new(record)),
            Ok(_) => Found::No,
            Err(_) => Found::Unreadable,
        }
    }
}

/// Whether nothing is asked for, or one of what is asked for is so.
fn any<T>(asked: &[T], holds: impl FnMut(&T) -> bool) -> bool {
    asked.is_empty() || asked.iter().any(holds)
}

impl Query {
    /// Whether the record is wanted.
    pub fn matches(&self, record: &Record) -> bool {
        self.when(record)
            && any(&self.kinds, |kind| *kind == record.kind)
            && any(&self.sessions, |session| record.session == Some(*session))
            && any(&self.decisions, |decision| record.decision == Some(*decision))
            && any(&self.steps, |step| record.step.as_ref() == Some(step))
            && any(&self.fingerprints, |asked| record.fingerprint.as_ref() == Some(asked))
            && any(&self.addresses, |asked| record.address.is_some_and(|is| asked.contain(is)))
            && any(&self.applications, |asked| is_named(record.application.as_deref(), asked))
            && any(&self.databases, |asked| is_named(record.database.as_deref(), asked))
            && any(&self.requests, |asked| record.request == Some(*asked))
            && any(&self.grants, |id| record.grant == Some(*id) || record.grants.contains(id))
            && any(&self.users, |user| concerns_user(record, user))
            && any(&self.groups, |group| concerns_group(record, group))
            && any(&self.columns, |column| concerns_column(record, column))
            && any(&self.tables, |table| concerns_table(record, table))
            && any(&self.classes, |class| class.concerns(record))
            && self.words.iter().all(|word| says(record, word))
    }

    fn when(&self, record: &Record) -> bool {
        self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
    }
}

impl Class {
    fn concerns(&self, record: &Record) -> bool {
        let word = format!("class:{}", self.name);
        let column = |known: &ClassColumn| {
            let there = record.database.as_deref();
            let named = |asked: &String| there == Some("*") || is_named(there, asked);
            let here = known.database.as_ref().is_none_or(named);
            here && (columns(record).any(|name| *name == known.column)
                || record.resources.contains(&known.column))
        };
        record.resources.contains(&word) || self.columns.iter().any(column)
    }
}

/// Records keep the beginning of a long name.
fn is_named(there: Option<&str>, asked: &str) -> bool {
    there.is_some_and(|there| there == asked || there == cut_name(asked))
}

fn concerns_user(record: &Record, user: &str) -> bool {
    let named = [&record.user, &record.subject, &record.by];
    named.into_iter().any(|name| is_named(name.as_deref(), user))
        || record.approvers.iter().any(|approver| approver == user)
}

fn concerns_group(record: &Record, group: &str) -> bool {
    let subject = record.subject.as_deref().and_then(|subject| subject.strip_prefix("group:"));
    // Cut with its prefix.
    let whole = format!("group:{group}");
    record.groups.iter().any(|of| of == group)
        || subject == Some(group)
        || is_named(record.subject.as_deref(), &whole)
}

/// Every column that a statement or a release names.
fn columns(record: &Record) -> impl Iterator<Item = &String> {
    let lists = [
        &record.pii_columns,
        &record.raw_columns,
        &record.looked_up_columns,
        &record.masked_columns,
    ];
    lists.into_iter().flatten()
}

fn concerns_column(record: &Record, asked: &str) -> bool {
    let table = asked.rsplit_once('.').map(|(table, _)| table);
    columns(record).any(|name| ends_in(name, asked))
        || record.resources.iter().any(|resource| {
            ends_in(resource, asked) || table.is_some_and(|table| ends_in(resource, table))
        })
}

fn concerns_table(record: &Record, asked: &str) -> bool {
    let of_column =
        |name: &String| name.rsplit_once('.').is_some_and(|(table, _)| ends_in(table, asked));
    record.relations.iter().any(|name| ends_in(name, asked))
        || columns(record).any(of_column)
        || record.resources.iter().any(|name| ends_in(name, asked) || of_column(name))
}

/// Whether the dotted name is the one asked for, or ends in it behind a dot.
fn ends_in(name: &str, asked: &str) -> bool {
    let (name, asked) = (name.as_bytes(), asked.as_bytes());
    let Some(before) = name.len().checked_sub(asked.len()) else { return false };
    name[before..].eq_ignore_ascii_case(asked) && (before == 0 || name[before - 1] == b'.')
}

fn says(record: &Record, word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let texts = [record.text.as_deref(), record.reason.as_deref(), record.predicate()];
    texts.into_iter().flatten().any(|text| text.to_ascii_lowercase().contains(&word))
}

#[cfg(test)]
mod tests;
