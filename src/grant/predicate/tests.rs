use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::catalog::{Catalog, Table};
use crate::model::{Epoch, RelationName};
use crate::schema::{Column, Relation, RelationKind, Snapshot, ValueType};

fn column(number: i16, name: &str, (oid, category, sql): (u32, u8, &str)) -> Column {
    Column {
        number,
        name: name.into(),
        type_oid: oid,
        value: ValueType { oid, typmod: -1, sql: sql.into(), category },
        not_null: false,
        default: crate::schema::ColumnDefault::Null,
        generated_from: (name == "domain").then(|| vec![8]),
    }
}

fn parts() -> (Snapshot, CatalogView) {
    let name = RelationName::new("public", "customers");
    let columns = [
        ("id", (23, b'N', "integer")),
        ("region", (25, b'S', "text")),
        ("active", (16, b'B', "boolean")),
        ("born", (1082, b'D', "date")),
        ("seen", (1184, b'D', "timestamp with time zone")),
        ("made", (1114, b'D', "timestamp without time zone")),
        ("token", (2950, b'U', "uuid")),
        ("email", (25, b'S', "text")),
        ("domain", (25, b'S', "text")),
        ("extra", (3802, b'U', "jsonb")),
        ("Größe\"", (1700, b'N', "numeric")),
        ("price", (790, b'N', "money")),
    ];
    let columns = columns.into_iter().zip(1..).map(|((n, t), at)| column(at, n, t)).collect();
    let relation = Relation {
        oid: 1,
        name: name.clone(),
        kind: RelationKind::Table,
        row_type: 2,
        columns,
        parents: vec![],
        reads: vec![],
        calls: vec![],
        definition: None,
        triggers: vec![],
        constraints: vec![],
        primary_key: vec![1],
        row_security: false,
        policies: Default::default(),
        on_write: Default::default(),
    };
    let snapshot = Snapshot::new(Epoch(1), 150_000, vec![relation], vec![], vec![]);
    let hidden = BTreeMap::from([("email".to_owned(), "email".to_owned())]);
    let catalog = Catalog {
        tables: vec![Table { name, columns: hidden, subject: None, place: String::new() }],
        ..Catalog::default()
    };
    let view = CatalogView::new("shop", &catalog, Some(&snapshot));
    (snapshot, view)
}

#[test]
fn what_is_hidden_without_being_in_the_catalog_chooses_no_rows() {
    let (schema, view) = parts();
    let customers = Resource::column("public", "customers", "email");
    assert!(RowPredicate::parse("region = 'north'", &customers, &view).is_ok());
    let view = view.without(&schema, |column| column.number == 2);
    let error = RowPredicate::parse("region = 'north'", &customers, &view).unwrap_err();
    assert_eq!(error, PredicateError::Column("region".into()));
    assert!(RowPredicate::parse("id = 1", &customers, &view).is_ok());
}

fn view() -> CatalogView {
    parts().1
}

fn parse(text: &str) -> Result<RowPredicate, PredicateError> {
    RowPredicate::parse(text, &Resource::column("public", "customers", "email"), &view())
}

#[test]
fn predicates_are_printed_in_canonical_form() {
    for (text, shown, sql) in [
        ("id = 42", r#""id" = 42"#, r#"("id" OPERATOR(pg_catalog.=) 42)"#),
        ("42 > ID", r#""id" < 42"#, r#"("id" OPERATOR(pg_catalog.<) 42)"#),
        (
            "id=-1 or (id=2 and NOT active = true)",
            r#""id" = -1 OR ("id" = 2 AND NOT ("active" = true))"#,
            "(\"id\" OPERATOR(pg_catalog.=) (-1) OR (\"id\" OPERATOR(pg_catalog.=) 2 AND \
             NOT (\"active\" OPERATOR(pg_catalog.=) true)))",
        ),
        (
            "region not in ('north', 'it''s \\ é')",
            r#"NOT ("region" IN ('north', 'it''s \ é'))"#,
            "(NOT (\"region\" OPERATOR(pg_catalog.=) 'north' OR \"region\" \
             OPERATOR(pg_catalog.=) E'it''s \\\\ \\U000000E9'))",
        ),
        (
            "born between '1990-01-01' and '1999-12-31' and token is not null",
            r#""born" BETWEEN '1990-01-01' AND '1999-12-31' AND NOT ("token" IS NULL)"#,
            "((\"born\" OPERATOR(pg_catalog.>=) '1990-01-01' AND \"born\" \
             OPERATOR(pg_catalog.<=) '1999-12-31') AND NOT (\"token\" IS NULL))",
        ),
        (
            "seen >= '2025-01-31 12:00:00+02'",
            r#""seen" >= '2025-01-31 10:00:00+00'"#,
            r#"("seen" OPERATOR(pg_catalog.>=) '2025-01-31 10:00:00+00')"#,
        ),
        (
            "made < '2025-01-31' /* hidden */ -- words",
            r#""made" < '2025-01-31 00:00:00'"#,
            r#"("made" OPERATOR(pg_catalog.<) '2025-01-31 00:00:00')"#,
        ),
        (r#""Größe""" = 1.5"#, r#""Größe""" = 1.5"#, r#"("Größe""" OPERATOR(pg_catalog.=) 1.5)"#),
    ] {
        let predicate = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(predicate.shown, shown);
        assert_eq!(&*predicate.sql, sql);
        assert_eq!(parse(shown).unwrap(), predicate, "canonical is a fixed point");
        let statement = format!("SELECT CASE WHEN {sql} THEN 1 END FROM t");
        assert_eq!(
            pg_query::parse(&statement, pg_query::ParserOptions::default())
                .unwrap()
                .protobuf
                .stmts
                .len(),
            1
        );
    }
}

#[test]
fn what_is_no_comparison_of_plain_columns_is_refused() {
    for text in [
        "",
        "id",
        "active",
        "true",
        "1 = 1",
        "id = region",
        "id = id",
        "id = 1; DROP TABLE x",
        "id = 1 garbage",
        "id = 1) OR (1 = 1",
        "id = (SELECT 1)",
        "id IN (SELECT 1)",
        "EXISTS (SELECT 1)",
        "id = length('x')",
        "lower(region) = 'x'",
        "id = $1",
        "id = ?",
        "id = 1::int",
        "id = CAST(1 AS int)",
        "born = DATE '2025-01-01'",
        "id = NULL",
        "region LIKE 'n%'",
        "region ~ 'n'",
        "region = E'n'",
        "region = U&'n'",
        "region = $$n$$",
        "region = N'n'",
        "region = \"north\"",
        "customers.id = 1",
        "id + 1 = 2",
        "id = 1 + 1",
        "id = 1e5",
        "id = 0x10",
        "id = '1'",
        "id = --1\n 2 garbage",
        "id = - - 1",
        "region = 1",
        "region = 'a\nb'",
        "region = 'a\u{202e}b'",
        "active = 'yes'",
        "born = 'today'",
        "born = '01/02/2025'",
        "born = '2025-02-30'",
        "born = '20250101'",
        "born = '-000001-01-01'",
        "seen = '2025-01-31 12:00:00'",
        "seen = 'now'",
        "made = '2025-01-31 12:00:00+02'",
        "token = 'x'",
        "extra = '{}'",
        "price = 1",
        "email = 'a@b.example'",
        "domain = 'b.example'",
        "ctid = '(0,1)'",
        "nosuch = 1",
        "\"ID\" = 1",
        "`id` = 1",
        "id IS DISTINCT FROM 1",
        "id = ANY ('{1}')",
        "(id, id) = (1, 1)",
        "id COLLATE \"C\" = 1",
        "id[1] = 1",
        "id IN ()",
    ] {
        assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
    }
}

#[test]
fn long_and_deep_predicates_are_refused_and_do_not_end_the_process() {
    assert_eq!(parse(&"(".repeat(3_000)), Err(PredicateError::Length));
    for deep in ["(".repeat(1_900), "NOT ".repeat(450), "- ".repeat(900)] {
        assert!(parse(&format!("{deep}id = 1")).is_err());
    }
    let wide = vec!["id = 1"; 190].join(" OR ");
    assert!(parse(&wide).is_ok());
}

#[test]
fn rows_need_a_relation_and_its_columns() {
    let view = view();
    for resource in [Resource::All, Resource::Class("email".into())] {
        let error = RowPredicate::parse("id = 1", &resource, &view).unwrap_err();
        assert!(matches!(error, PredicateError::Resource(_)));
    }
    let elsewhere = Resource::column("hr", "employees", "salary");
    let error = RowPredicate::parse("id = 1", &elsewhere, &view).unwrap_err();
    assert_eq!(error, PredicateError::Schema("hr.employees".into()));
}

proptest! {
    #[test]
    fn a_string_is_one_literal_and_keeps_its_characters(text in "[ -~à-öΑ-Ω'\\\\€😀]{0,20}") {
        let written = format!("region = '{}'", text.replace('\'', "''"));
        let predicate = parse(&written).unwrap();
        prop_assert!(predicate.sql.is_ascii());
        prop_assert_eq!(parse(&predicate.shown).unwrap(), predicate.clone());
        let statement = format!("SELECT {}", predicate.sql);
        let tree = pg_query::parse(&statement, pg_query::ParserOptions::default()).unwrap().protobuf;
        let (tree, literal) = (format!("{tree:?}"), format!("sval: {text:?}"));
        prop_assert!(tree.contains(&literal), "{}", tree);
    }
}
