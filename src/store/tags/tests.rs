use std::sync::Arc;

use super::*;
use crate::analysis::sensitive::{Origin, Tag};
use crate::model::{ColumnId, ColumnPath, Epoch, Oid, RelationName};
use crate::schema::{Column, Relation, RelationKind, ValueType};

fn customers(oid: Oid, columns: &[&str]) -> Snapshot {
    let name = RelationName::new("public", "customers");
    let mut relation = Relation::new(oid, name, RelationKind::Table);
    for (number, name) in (1..).zip(columns) {
        relation.columns.push(Column {
            number,
            name: (*name).to_owned(),
            type_oid: 25,
            value: ValueType { oid: 25, typmod: -1, sql: "text".to_owned(), category: b'S' },
            not_null: false,
            default: crate::schema::ColumnDefault::Null,
            generated_from: None,
        });
    }
    Snapshot::new(Epoch(1), 150_000, vec![relation], Vec::new(), vec!["public".to_owned()])
}

fn tags(relation: Oid, number: i16, class: &str) -> Tags {
    let path = Arc::new(ColumnPath {
        relation: RelationName::new("public", "customers"),
        column: "email".to_owned(),
    });
    let (root, origin) = (Arc::clone(&path), Origin::Catalogued);
    let tag = Tag { path, class: class.into(), root, origin };
    Tags([(ColumnId { relation, number }, tag)].into())
}

fn identity(system: &str, database: Oid) -> Identity {
    Identity { system: Some(system.to_owned()), database, name: "shop".to_owned() }
}

fn folder() -> (tempfile::TempDir, TagFiles) {
    let dir = tempfile::tempdir().unwrap();
    let files = TagFiles::beside(&dir.path().join("keyhole.db"));
    (dir, files)
}

#[test]
fn a_tag_is_found_again_by_oid_whatever_the_column_is_called() {
    let (_dir, files) = folder();
    let (before, after) = (customers(20_000, &["id", "email"]), customers(20_000, &["id", "mail"]));
    let tags = tags(20_000, 2, "email");
    files.keep("shop", &identity("7", 5), &before, &tags).unwrap();
    assert_eq!(files.load("shop", &identity("7", 5), &after).unwrap(), tags);
    assert_eq!(files.load("other", &identity("7", 5), &after).unwrap(), Tags::default());
}

#[test]
fn in_another_database_the_last_name_counts_and_oids_do_not() {
    let (_dir, files) = folder();
    let renamed = customers(20_000, &["id", "mail"]);
    files.keep("shop", &identity("7", 5), &renamed, &tags(20_000, 2, "email")).unwrap();
    let restored = customers(31_000, &["mail", "id"]);
    let found = files.load("shop", &identity("8", 9), &restored).unwrap();
    assert_eq!(found, tags(31_000, 1, "email"));
    let reused = customers(20_000, &["id", "note"]);
    assert_eq!(files.load("shop", &identity("8", 9), &reused).unwrap(), Tags::default());
}

#[test]
fn a_decision_for_clear_does_not_move_to_another_database() {
    let (_dir, files) = folder();
    let schema = customers(20_000, &["id", "email"]);
    files.keep("shop", &identity("7", 5), &schema, &tags(20_000, 2, "clear")).unwrap();
    assert_eq!(files.load("shop", &identity("7", 6), &schema).unwrap(), Tags::default());
}

#[test]
fn a_file_that_was_tampered_with_is_an_error_and_not_an_empty_one() {
    let (dir, files) = folder();
    let schema = customers(20_000, &["id", "email"]);
    files.keep("shop", &identity("7", 5), &schema, &tags(20_000, 2, "email")).unwrap();
    let folder = dir.path().join("keyhole.db.tags");
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    fs::write(&file, "{").unwrap();
    let found = files.load("shop", &identity("7", 5), &schema);
    assert!(matches!(found, Err(TagsError::Corrupt { .. })), "{found:?}");
}

#[test]
fn without_a_system_identifier_the_name_tells_databases_apart() {
    let nameless = |name: &str| Identity { system: None, database: 5, name: name.to_owned() };
    assert_ne!(nameless("shop").key(), nameless("crm").key());
    assert_eq!(identity("7", 5).key(), Identity { name: "x".into(), ..identity("7", 5) }.key());
}
