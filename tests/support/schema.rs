//! Whether the records of a log are as `keyhole audit schema` says, strictly.

use std::collections::HashMap;
use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use keyhole::audit::Kind;
use keyhole::audit::schema::SCHEMA;
use serde_json::Value;

/// Records that are looked at of one log: the first ones.
const RECORDS_MAX: usize = 2_000;

struct Validators {
    schemas: Schemas,
    /// By kind: the whole tries every kind for every record.
    kinds: HashMap<&'static str, SchemaIndex>,
}

static VALIDATORS: LazyLock<Validators> = LazyLock::new(|| {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let document: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    compiler.add_resource("mem:///schema.json", document).expect("it is a document");
    let kinds = Kind::words().map(|(word, _)| {
        let place = format!("mem:///schema.json#/$defs/{word}_record");
        (word, compiler.compile(&place, &mut schemas).expect("the kind is described"))
    });
    let kinds = kinds.collect();
    Validators { schemas, kinds }
});

/// Panics at a record that is not as described. What is no JSON at all, a crash has cut short.
#[track_caller]
pub(crate) fn check(log: &str) {
    for line in log.lines().take(RECORDS_MAX) {
        let Ok(record) = serde_json::from_str::<Value>(line) else { continue };
        let kind = record["kind"].as_str().unwrap_or_default();
        let described = VALIDATORS.kinds.get(kind);
        let described = described.unwrap_or_else(|| panic!("no kind of record: {line}"));
        if let Err(error) = VALIDATORS.schemas.validate(&record, *described) {
            panic!("{line}\nis not as the schema says: {error:#}");
        }
    }
}
