//! What clients are shown of columns that no catalog names: counted, and told once it is enough.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::drift::{Candidate, LOOKS_MIN, known};
use super::{ColumnFacts, Confidence, Finding, Observer};
use crate::model::{ByNumber, ColumnId, ColumnPath};
use crate::schema::Snapshot;

/// Columns of one database that are counted, whichever come first. About 1 KiB each; 25 with
/// documents.
const COLUMNS_MAX: usize = 2_000;

/// Fewer values are no reason to say something.
const SEEN_MIN: u64 = 30;

/// So many have to differ: one row that is read again and again is one value.
const DIFFERENT_MIN: f64 = 20.0;

/// In percent. A confidence that moves by less is told as it was, so that a finding neither comes
/// and goes nor looks new with each value.
const STEADY: u8 = 5;

/// Counts by column; no values.
#[derive(Debug, Default)]
pub struct Usage {
    schema: Arc<Snapshot>,
    /// Where candidates are told.
    told_at: ByNumber<ColumnId, ColumnId>,
    observers: ByNumber<ColumnId, Observer>,
    /// Of these, values came since the findings were last made.
    news: HashSet<ColumnId>,
    findings: HashMap<ColumnPath, Vec<Finding>>,
}

impl Usage {
    /// Goes on with these candidates of `schema`. Whatever is not what it was is forgotten: columns
    /// that were dropped, renamed, retyped, hidden or named in the catalog.
    #[must_use]
    pub fn renewed(self, schema: Arc<Snapshot>, candidates: &[Candidate]) -> Self {
        let told_at: ByNumber<_, _> = candidates.iter().map(|it| (it.id, it.told_at)).collect();
        let Self { mut observers, mut news, mut findings, .. } = self;
        observers.retain(|id, observer| {
            told_at.contains_key(id) && facts(&schema, *id).as_ref() == Some(observer.facts())
        });
        news.retain(|id| observers.contains_key(id));
        let kept: HashSet<ColumnPath> =
            observers.values().map(|observer| path(observer.facts())).collect();
        findings.retain(|path, _| kept.contains(path));
        Self { schema, told_at, observers, news, findings }
    }

    /// One value that a client was shown, in PostgreSQL's text form. It is not kept.
    pub fn see(&mut self, column: ColumnId, value: &str) {
        let Some(at) = self.told_at.get(&column) else { return };
        if !self.observers.contains_key(at) && self.observers.len() < COLUMNS_MAX {
            let Some(facts) = facts(&self.schema, *at) else { return };
            self.observers.insert(*at, Observer::new(facts));
        }
        if let Some(observer) = self.observers.get_mut(at) {
            observer.see(Some(value));
            self.news.insert(*at);
        }
    }

    /// What is worth telling by now, at most one finding for each column.
    pub fn findings(&mut self) -> &HashMap<ColumnPath, Vec<Finding>> {
        for id in self.news.drain() {
            let Some(observer) = self.observers.get(&id) else { continue };
            let now = self.schema.relation(id.relation).and_then(|relation| {
                let names: Vec<&str> = relation.columns.iter().map(|it| &*it.name).collect();
                surest(observer, &names)
            });
            let path = path(observer.facts());
            let before = self.findings.get(&path).and_then(|findings| findings.first());
            if before.zip(now.as_ref()).is_some_and(|(before, now)| is_steady(before, now)) {
                continue;
            }
            match now.filter(|now| now.confidence >= LOOKS_MIN) {
                Some(now) => drop(self.findings.insert(path, vec![now])),
                None => drop(self.findings.remove(&path)),
            }
        }
        &self.findings
    }
}

/// The surest finding that rests on values, and on enough of them that differ.
fn surest(observer: &Observer, siblings: &[&str]) -> Option<Finding> {
    let is_enough = |finding: &Finding| {
        finding.matched > 0
            && finding.seen >= SEEN_MIN
            && observer.different(finding.path.as_deref()) >= DIFFERENT_MIN
    };
    observer.findings(siblings).into_iter().find(is_enough)
}

fn is_steady(before: &Finding, now: &Finding) -> bool {
    let (Confidence(before_percent), Confidence(percent)) = (before.confidence, now.confidence);
    let same = before.kind == now.kind && before.path == now.path;
    same && before_percent.abs_diff(percent) < STEADY
}

fn facts(schema: &Snapshot, id: ColumnId) -> Option<ColumnFacts> {
    let relation = schema.relation(id.relation)?;
    Some(known(schema, relation, relation.column_numbered(id.number)?))
}

fn path(facts: &ColumnFacts) -> ColumnPath {
    ColumnPath { relation: facts.table.clone(), column: facts.column.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::Kind;
    use crate::model::{Epoch, Oid, RelationName};
    use crate::schema::{Column, ColumnDefault, Relation, RelationKind, ValueType};

    const NOTES: Oid = 20_000;
    const FIRST: ColumnId = ColumnId { relation: NOTES, number: 1 };
    const SECOND: ColumnId = ColumnId { relation: NOTES, number: 2 };

    /// Names and types.
    type Columns<'a> = &'a [(&'a str, &'a str)];

    fn schema(columns: Columns<'_>) -> Arc<Snapshot> {
        let mut notes =
            Relation::new(NOTES, RelationName::new("public", "notes"), RelationKind::Table);
        let numbered = (1..).zip(columns);
        let column = |(number, (name, sql)): (i16, &(&str, &str))| Column {
            number,
            name: (*name).to_owned(),
            type_oid: 25,
            value: ValueType { oid: 25, typmod: -1, sql: (*sql).to_owned(), category: b'S' },
            not_null: false,
            default: ColumnDefault::Null,
            generated_from: None,
        };
        notes.columns = numbered.map(column).collect();
        let schemas = vec!["public".to_owned()];
        Arc::new(Snapshot::new(Epoch(1), 150_000, vec![notes], Vec::new(), schemas))
    }

    fn candidate(id: ColumnId) -> Candidate {
        Candidate { id, told_at: id, type_oid: 25 }
    }

    fn usage(columns: Columns<'_>) -> Usage {
        Usage::default().renewed(schema(columns), &[candidate(FIRST), candidate(SECOND)])
    }

    fn see_mails(usage: &mut Usage, column: ColumnId, numbers: std::ops::Range<u32>) {
        numbers.for_each(|number| usage.see(column, &format!("u{number}@example.com")));
    }

    fn told(usage: &mut Usage) -> Vec<(String, Kind)> {
        let findings = usage.findings().iter();
        let mut told: Vec<_> =
            findings.map(|(path, found)| (path.to_string(), found[0].kind)).collect();
        told.sort_unstable();
        told
    }

    const COLUMNS: [(&str, &str); 2] = [("c1", "text"), ("c2", "text")];

    #[test]
    fn it_takes_thirty_values_of_which_twenty_differ() {
        let mut usage = usage(&COLUMNS);
        (0..1_000).for_each(|_| usage.see(FIRST, "one@example.com"));
        see_mails(&mut usage, SECOND, 0..29);
        assert_eq!(told(&mut usage), []);
        see_mails(&mut usage, SECOND, 29..30);
        assert_eq!(told(&mut usage), [("public.notes.c2".to_owned(), Kind::Email)]);
    }

    #[test]
    fn what_only_the_name_says_is_not_what_clients_saw() {
        let mut usage = usage(&[("contact_email", "text"), ("c2", "text")]);
        (0..60).for_each(|number| usage.see(FIRST, &format!("word {number}")));
        assert_eq!(told(&mut usage), []);
    }

    #[test]
    fn a_finding_stays_as_it_was_told_while_values_of_the_same_kind_come() {
        let mut usage = usage(&COLUMNS);
        see_mails(&mut usage, FIRST, 0..40);
        let before = usage.findings().clone();
        see_mails(&mut usage, FIRST, 40..300);
        assert_eq!(*usage.findings(), before);
        // It was not what it looked like.
        (0..5_000).for_each(|number| usage.see(FIRST, &format!("word {number}")));
        assert_eq!(told(&mut usage), []);
    }

    #[test]
    fn what_stands_in_documents_is_counted_at_its_path() {
        let mut usage = usage(&[("c1", "jsonb"), ("c2", "text")]);
        for number in 0..40 {
            usage.see(FIRST, &format!(r#"{{"a": "x", "b": "u{number}@example.com"}}"#));
        }
        assert_eq!(told(&mut usage), [("public.notes.c1".to_owned(), Kind::Email)]);
        let mut one = self::usage(&[("c1", "jsonb"), ("c2", "text")]);
        (0..60).for_each(|_| one.see(FIRST, r#"{"b": "u@example.com"}"#));
        assert_eq!(told(&mut one), []);
    }

    #[test]
    fn whatever_is_not_what_it_was_is_forgotten() {
        let both = [candidate(FIRST), candidate(SECOND)];
        let unnamed = [candidate(SECOND)];
        let changes: [(Columns<'_>, &[Candidate]); 4] = [
            (&[("c9", "text"), ("c2", "text")], &both),
            (&[("c1", "character varying(80)"), ("c2", "text")], &both),
            (&COLUMNS, &unnamed),
            (&[], &[]),
        ];
        for (columns, candidates) in changes {
            let mut usage = usage(&COLUMNS);
            see_mails(&mut usage, FIRST, 0..40);
            assert_eq!(told(&mut usage).len(), 1);
            let mut usage = usage.renewed(schema(columns), candidates);
            assert_eq!(told(&mut usage), [], "{columns:?}");
            see_mails(&mut usage, FIRST, 0..29);
            assert_eq!(told(&mut usage), [], "{columns:?}: counts are gone, too");
        }
        let mut usage = usage(&COLUMNS);
        see_mails(&mut usage, FIRST, 0..40);
        let mut usage = usage.renewed(schema(&COLUMNS), &both);
        assert_eq!(told(&mut usage).len(), 1, "it is what it was");
    }

    #[test]
    fn values_of_partitions_are_their_tables() {
        let partition = ColumnId { relation: 30_000, number: 2 };
        let candidates = [candidate(FIRST), Candidate { id: partition, ..candidate(FIRST) }];
        let mut usage = Usage::default().renewed(schema(&COLUMNS), &candidates);
        see_mails(&mut usage, partition, 0..40);
        assert_eq!(told(&mut usage), [("public.notes.c1".to_owned(), Kind::Email)]);
        let mut usage = usage.renewed(schema(&COLUMNS), &candidates[1..]);
        assert_eq!(told(&mut usage), [], "its table's column is no candidate any more");
    }

    #[test]
    fn columns_are_counted_up_to_a_limit() {
        let ids = (1..).map(|number| ColumnId { relation: NOTES, number });
        let candidates: Vec<_> = ids.take(COLUMNS_MAX + 9).map(candidate).collect();
        let names: Vec<String> = candidates.iter().map(|it| format!("c{}", it.id.number)).collect();
        let columns: Vec<_> = names.iter().map(|name| (&**name, "text")).collect();
        let mut usage = Usage::default().renewed(schema(&columns), &candidates);
        candidates.iter().for_each(|candidate| usage.see(candidate.id, "x"));
        assert_eq!(usage.observers.len(), COLUMNS_MAX);
    }
}
