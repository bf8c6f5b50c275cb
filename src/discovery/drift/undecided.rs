//! What derives personal data, so that all of it is hidden or refused until the catalog says what
//! comes out.

use std::collections::{BTreeMap, HashMap};

use super::{Drift, DriftKind, Severity, Sides};
use crate::analysis::sensitive::{CLASS_DERIVED, FunctionReach, Opaque, Reach, Why};
use crate::model::{Oid, RelationName};
use crate::schema::{Function, Relation};

/// What `RETURNS trigger` and `RETURNS event_trigger` are: nobody calls such functions.
const TRIGGER: Oid = 2279;
const EVENT_TRIGGER: Oid = 3838;

/// Names that are told of one view.
const NAMES_MAX: usize = 5;

pub(super) fn find(sides: Sides<'_>) -> Vec<Drift> {
    let functions: HashMap<Oid, &Function> =
        sides.schema.functions.iter().map(|function| (function.oid, function)).collect();
    let mut found = stored(sides);
    found.extend(views(sides, &functions));
    found.extend(called(sides, &functions));
    found
}

/// Columns that hold what is computed from personal data.
fn stored(sides: Sides<'_>) -> Vec<Drift> {
    let tables = sides.tables();
    let mut derived: BTreeMap<&RelationName, (&Relation, Vec<&str>)> = BTreeMap::new();
    for (id, pii) in &sides.sensitive.columns {
        let Some(relation) = sides.schema.relation(id.relation) else { continue };
        let Some(column) = relation.column_numbered(id.number) else { continue };
        let is_own = pii.path.relation == relation.name;
        let named = tables.get(&relation.name).and_then(|table| table.columns.get(&column.name));
        if &*pii.class == CLASS_DERIVED && is_own && named.is_none() {
            let (_, columns) = derived.entry(&relation.name).or_insert((relation, Vec::new()));
            columns.push(&column.name);
        }
    }
    let told = |(relation, mut columns): (&Relation, Vec<&str>)| {
        columns.sort_unstable();
        let only = if let [only] = columns.as_slice() { Some((*only).to_owned()) } else { None };
        Drift {
            severity: Severity::Warning,
            kind: DriftKind::Undecided,
            table: Some(relation.name.clone()),
            column: only,
            place: tables.get(&relation.name).map_or("", |table| &table.place).to_owned(),
            words: format!(
                "{} stores what is computed from personal data ({}): hidden by redact until the \
                 catalog names it",
                relation.name,
                some(&columns)
            ),
        }
    };
    derived.into_values().map(told).collect()
}

/// Views over functions and side doors, below which no mask can be put.
fn views(sides: Sides<'_>, functions: &HashMap<Oid, &Function>) -> Vec<Drift> {
    let mut found = Vec::new();
    for (oid, reach) in &sides.sensitive.relations {
        let (Reach::View { columns: _, opaque }, Some(view)) = (reach, sides.schema.relation(*oid))
        else {
            continue;
        };
        if opaque.is_empty() || view.is_system() {
            continue;
        }
        let reads = |oid: &Oid| {
            let function = sides.sensitive.functions.get(oid);
            function.is_some_and(|function| severity(function) == Severity::Warning)
        };
        let mut names: Vec<&str> = opaque
            .iter()
            .filter_map(|oid| functions.get(oid).map(|function| &*function.signature))
            .collect();
        names.sort_unstable();
        let over =
            if names.is_empty() { "what cannot be looked into".into() } else { some(&names) };
        found.push(Drift {
            severity: if opaque.iter().any(reads) { Severity::Warning } else { Severity::Note },
            kind: DriftKind::Undecided,
            table: Some(view.name.clone()),
            column: None,
            place: String::new(),
            words: format!(
                "view {} may show personal data by way of {over}: refused until the catalog \
                 declares it",
                view.name
            ),
        });
    }
    found
}

/// Functions that read personal data, or of which nobody can tell; extensions are told as one.
fn called(sides: Sides<'_>, functions: &HashMap<Oid, &Function>) -> Vec<Drift> {
    let mut found = Vec::new();
    let mut of_extensions: BTreeMap<&str, usize> = BTreeMap::new();
    for (oid, reach) in &sides.sensitive.functions {
        let Some(function) = functions.get(oid) else { continue };
        if reach.declared.is_some() || [TRIGGER, EVENT_TRIGGER].contains(&function.return_type) {
            continue;
        }
        if let Some(extension) = &function.extension {
            *of_extensions.entry(extension).or_default() += 1;
            continue;
        }
        let signature = &function.signature;
        let words =
            format!("function {signature} {}: refused until the catalog declares it", why(reach));
        found.push(undeclared(severity(reach), words));
    }
    found.extend(of_extensions.into_iter().map(|(extension, count)| {
        let words = format!(
            "{count} functions of extension {extension} cannot be looked into: refused until the \
             catalog declares them"
        );
        undeclared(Severity::Note, words)
    }));
    found
}

fn undeclared(severity: Severity, words: String) -> Drift {
    let (table, column, place) = (None, None, String::new());
    Drift { severity, kind: DriftKind::Undecided, table, column, place, words }
}

/// What is known to read personal data was made for it.
fn severity(function: &FunctionReach) -> Severity {
    match (&function.declared, &function.why) {
        (None, Why::Mentions(_) | Why::RowOf(_)) => Severity::Warning,
        (None, Why::Opaque(_) | Why::Declared) | (Some(_), _) => Severity::Note,
    }
}

fn why(function: &FunctionReach) -> String {
    match &function.why {
        Why::Mentions(name) => format!("reads {name}"),
        Why::RowOf(relation) => format!("works on rows of {relation}"),
        Why::Opaque(Opaque::DynamicSql) => "runs SQL that it makes up".to_owned(),
        Why::Opaque(Opaque::UnicodeEscapes) => "spells names in escapes".to_owned(),
        Why::Opaque(Opaque::Language) => "is in a language that is not read".to_owned(),
        Why::Declared => "has a class that does not exist".to_owned(),
    }
}

fn some(names: &[&str]) -> String {
    let shown = names.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
