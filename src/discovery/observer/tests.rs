use super::*;
use crate::discovery::Kind;
use crate::model::RelationName;

fn facts(table: &str, column: &str, data_type: &str) -> ColumnFacts {
    ColumnFacts {
        table: RelationName::new("public", table),
        column: column.into(),
        data_type: data_type.into(),
        comment: None,
        table_comment: None,
        checks: Vec::new(),
        labels: Vec::new(),
        unique: false,
        primary_key: false,
        references: None,
    }
}

/// The first finding of at least 60.
fn found(facts: ColumnFacts, values: &[String], siblings: &[&str]) -> Option<Kind> {
    let mut observer = Observer::new(facts);
    for value in values {
        observer.see(Some(value));
    }
    let findings = observer.findings(siblings);
    findings.first().filter(|finding| finding.confidence.0 >= 60).map(|finding| finding.kind)
}

fn many(make: impl Fn(u64) -> String) -> Vec<String> {
    (0..200_u64).map(|n| make(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11)).collect()
}

#[test]
fn values_alone_tell_under_a_name_that_says_nothing() {
    let mails = many(|n| format!("u{n}@example.com"));
    assert_eq!(found(facts("t", "c1", "text"), &mails, &[]), Some(Kind::Email));
    let phones = many(|n| format!("+44 20 7946 {:04}", n % 10_000));
    assert_eq!(found(facts("t", "attr_7", "text"), &phones, &[]), Some(Kind::Phone));
}
