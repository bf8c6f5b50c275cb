//! Functions of which the catalog says what they return.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CLASS_CLEAR, DeclaredResult, Problem, ProblemKind};
use crate::catalog::{Catalog, DeclaredFunction};
use crate::model::Oid;
use crate::schema::Snapshot;

/// Short names of types and what PostgreSQL calls them in a signature.
const TYPE_ALIASES: &[(&str, &str)] = &[
    ("int", "integer"),
    ("int2", "smallint"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("bool", "boolean"),
    ("varchar", "character varying"),
    ("char", "character"),
    ("decimal", "numeric"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
    ("time", "time without time zone"),
];

/// Declared functions that exist. Without a class that exists a function stays refused (None).
pub(super) fn find(
    schema: &Snapshot,
    catalog: &Catalog,
    problems: &mut Vec<Problem>,
) -> BTreeMap<Oid, Option<DeclaredResult>> {
    let mut found = BTreeMap::new();
    if catalog.functions.is_empty() {
        return found;
    }
    let by_signature: BTreeMap<String, Oid> =
        schema.functions.iter().map(|f| (normal(&f.signature), f.oid)).collect();
    for declared in &catalog.functions {
        let place = declared.place.clone();
        let Some(oid) = by_signature.get(&normal(&declared.signature)) else {
            let kind = ProblemKind::NoFunction(declared.signature.clone());
            problems.push(Problem { place, kind });
            continue;
        };
        let result = result(declared, catalog);
        if result.is_none() {
            let (signature, class) = (declared.signature.clone(), declared.class.clone());
            let kind = ProblemKind::NoFunctionClass { signature, class };
            problems.push(Problem { place, kind });
        }
        found.insert(*oid, result);
    }
    found
}

fn result(declared: &DeclaredFunction, catalog: &Catalog) -> Option<DeclaredResult> {
    if let Some(class) = catalog.classes.get(&declared.class) {
        let (class, hiding) = (Arc::from(class.name.as_str()), class.hiding.clone());
        return Some(DeclaredResult::Pii { class, hiding });
    }
    (declared.class == CLASS_CLEAR).then_some(DeclaredResult::Clear)
}

/// One spelling for each signature: no spaces beside commas and parentheses, types by their long
/// names. Quoted names are kept as they are.
fn normal(signature: &str) -> String {
    let signature = signature.trim();
    let Some((name, arguments)) =
        signature.strip_suffix(')').and_then(|signature| signature.split_once('('))
    else {
        return signature.to_owned();
    };
    let arguments: Vec<String> = arguments
        .split(',')
        .map(|argument| {
            let argument = argument.trim();
            let (element, array) =
                argument.strip_suffix("[]").map_or((argument, ""), |element| (element, "[]"));
            let alias = TYPE_ALIASES.iter().find(|(short, _)| *short == element);
            format!("{}{array}", alias.map_or(element, |(_, long)| long))
        })
        .collect();
    format!("{}({})", name.trim(), arguments.join(","))
}
