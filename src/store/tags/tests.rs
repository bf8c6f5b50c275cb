use std::sync::Arc;

use super::*;
use crate::analysis::sensitive::{Origin, Tag};
use crate::discovery::drift::Memory;
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

fn remembered(schema: &Snapshot) -> Memory {
    let name = RelationName::new("public", "customers");
    let columns = [("email".to_owned(), "email".to_owned())].into();
    let table = crate::catalog::Table { name, columns, subject: None, place: String::new() };
    let catalog = crate::catalog::Catalog { tables: vec![table], ..Default::default() };
    Memory::default().renewed(&catalog, schema)
}

#[test]
fn columns_are_remembered_beside_the_tags_and_by_name_in_another_database() {
    let (_dir, files) = folder();
    let schema = customers(20_000, &["id", "email"]);
    let memory = remembered(&schema);
    assert_eq!(memory.0.len(), 1);
    let here = identity("7", 5);
    assert_eq!(files.recall("shop", &here, &schema).unwrap(), Memory::default());
    files.remember("shop", &here, &memory).unwrap();
    files.keep("shop", &here, &schema, &tags(20_000, 2, "email")).unwrap();
    assert_eq!(files.recall("shop", &here, &schema).unwrap(), memory);
    assert_eq!(files.load("shop", &here, &schema).unwrap(), tags(20_000, 2, "email"));
    assert_eq!(files.recall("other", &here, &schema).unwrap(), Memory::default());

    let restored = customers(31_000, &["email", "phone", "id"]);
    let moved = files.recall("shop", &identity("8", 9), &restored).unwrap();
    let numbers: Vec<_> =
        moved.0[&31_000].columns.iter().map(|(n, was)| (*n, &*was.name)).collect();
    assert_eq!(numbers, [(1, "email"), (3, "id")]);
}

#[test]
fn a_memory_that_was_tampered_with_is_an_error_and_tags_are_read_all_the_same() {
    let (dir, files) = folder();
    let (schema, here) = (customers(20_000, &["id", "email"]), identity("7", 5));
    files.remember("shop", &here, &remembered(&schema)).unwrap();
    let folder = dir.path().join("keyhole.db.tags");
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    fs::write(&file, "{\"version\":2}").unwrap();
    let found = files.recall("shop", &here, &schema);
    assert!(matches!(found, Err(TagsError::Forgotten { .. })), "{found:?}");
    assert_eq!(files.load("shop", &here, &schema).unwrap(), Tags::default());
}
