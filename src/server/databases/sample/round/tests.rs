use super::*;
use crate::discovery::{ColumnFacts, Confidence, Kind};
use crate::model::{ColumnNumber, Epoch, RelationName};
use crate::schema::{Column, ColumnDefault, Relation, RelationKind, Snapshot, ValueType};
use crate::upstream::sampling::{ObservedColumn, Outcome, Sampled, Size, Skip};

fn column(name: &str, reading: Reading) -> DescribedColumn {
    let facts = ColumnFacts {
        table: RelationName::new("public", "notes"),
        column: name.to_owned(),
        data_type: "text".to_owned(),
        comment: None,
        table_comment: None,
        checks: Vec::new(),
        labels: Vec::new(),
        unique: false,
        primary_key: false,
        references: None,
    };
    let value = ValueType { oid: 25, typmod: -1, sql: "text".to_owned(), category: b'S' };
    DescribedColumn { facts, value, reading }
}

fn notes() -> Described {
    let columns = [
        ("mail", Reading::Read),
        ("empty", Reading::Read),
        ("plain", Reading::Read),
        ("closed", Reading::NotPermitted),
        ("known", Reading::NotWanted),
    ];
    Described {
        oid: 1,
        name: RelationName::new("public", "notes"),
        kind: RelationKind::Table,
        columns: columns.map(|(name, reading)| column(name, reading)).into(),
        size: Size::default(),
        row_security: false,
        leaves: Vec::new(),
    }
}

fn email(seen: u64) -> Vec<Finding> {
    let (kind, confidence) = (Kind::Email, Confidence(90));
    vec![Finding { kind, confidence, reasons: Vec::new(), path: None, seen, matched: seen }]
}

fn observed(outcome: Outcome) -> Observed {
    let column = |findings, seen| ObservedColumn { findings, seen, samples: Vec::new() };
    let by_name = || column(email(0), 0);
    let columns =
        vec![column(email(300), 300), by_name(), column(Vec::new(), 300), by_name(), by_name()];
    Observed { outcome, columns }
}

fn found(sampled: &SampledColumns) -> Vec<(&str, u64)> {
    let seen = |findings: &Vec<Finding>| findings.first().map_or(0, |finding| finding.seen);
    let mut all: Vec<_> = sampled.iter().map(|(path, it)| (&*path.column, seen(it))).collect();
    all.sort_unstable();
    all
}

#[test]
fn what_was_seen_replaces_what_was_found_before() {
    let mut sampled = SampledColumns::new();
    take_over(&mut sampled, &notes(), observed(Ok(Sampled { rows: 300, bytes: 9 })));
    assert_eq!(found(&sampled), [("mail", 300), ("plain", 0)]);

    let names = ["mail", "empty", "plain", "closed", "known"];
    let before = names.map(|name| (path(&column(name, Reading::Read)), email(7)));
    let mut sampled = SampledColumns::from(before);
    take_over(&mut sampled, &notes(), observed(Ok(Sampled { rows: 300, bytes: 9 })));
    assert_eq!(found(&sampled), [("closed", 7), ("known", 7), ("mail", 300), ("plain", 0)]);
}

#[test]
fn a_table_that_was_not_read_keeps_what_was_found() {
    let before = [(path(&column("mail", Reading::Read)), email(7))];
    let mut sampled = SampledColumns::from(before);
    for skip in [Skip::Locked, Skip::NotPermitted, Skip::TooSlow, Skip::Gone] {
        take_over(&mut sampled, &notes(), observed(Err(skip)));
    }
    assert_eq!(found(&sampled), [("mail", 7)]);
}

/// public.notes with one column.
fn schema(name: &str, number: ColumnNumber, sql: &str) -> Snapshot {
    let mut notes = Relation::new(1, RelationName::new("public", "notes"), RelationKind::Table);
    notes.columns = vec![Column {
        number,
        name: name.to_owned(),
        type_oid: 25,
        value: ValueType { oid: 25, typmod: -1, sql: sql.to_owned(), category: b'S' },
        not_null: false,
        default: ColumnDefault::Null,
        generated_from: None,
    }];
    Snapshot::new(Epoch(1), 150_000, vec![notes], Vec::new(), vec!["public".to_owned()])
}

#[test]
fn a_column_of_another_number_or_type_is_another_one() {
    let (mail, before) = (path(&column("mail", Reading::Read)), schema("mail", 1, "text"));
    for (now, expected) in [
        (schema("mail", 1, "text"), true),
        (schema("mail", 2, "text"), false),
        (schema("mail", 1, "integer"), false),
        (schema("renamed", 1, "text"), false),
    ] {
        assert_eq!(is_same(&mail, &before, &now), expected, "{:?}", now.relation(1));
    }
    assert!(is_same(&path(&column("other", Reading::Read)), &before, &before));
}
