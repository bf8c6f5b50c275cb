//! Reads a catalog file as far as these tests need it.

use std::collections::BTreeMap;

use keyhole::catalog::{Catalog, Class, Hiding, MaskSpec, Table};
use keyhole::model::RelationName;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    class: Vec<ClassEntry>,
    table: Vec<TableEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassEntry {
    name: String,
    mask: MaskSpec,
    sensitivity: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableEntry {
    name: String,
    columns: BTreeMap<String, String>,
}

pub(crate) fn read(text: &str) -> Catalog {
    let file: File = toml::from_str(text).expect("a catalog");
    let classes = file.class.into_iter().map(|entry| {
        let ClassEntry { name, mask, sensitivity } = entry;
        (name.clone(), Class { name, hiding: Hiding::Mask(mask), sensitivity })
    });
    let tables = file.table.into_iter().map(|entry| {
        let (schema, name) = entry.name.split_once('.').expect("schema.table");
        let place = format!("traps_catalog.toml: {}", entry.name);
        Table {
            name: RelationName::new(schema, name.trim_matches('"')),
            columns: entry.columns,
            subject: None,
            place,
        }
    });
    Catalog { classes: classes.collect(), tables: tables.collect(), ..Catalog::default() }
}
