//! Code that is given personal data without reading any: by triggers, checks, defaults, generated
//! columns, indexes, policies, rules and views. Whoever made a relation of a name that it uses, in
//! front of the one that is meant, would get what it writes there.

use std::collections::{BTreeSet, HashSet};

use super::Reach;
use super::bodies::Bodies;
use crate::model::{ByNumber, Oid};
use crate::schema::{Relation, Snapshot};

/// The names of such functions, and of what their bodies name. A definition that mentions one needs
/// the role that definitions over personal data need.
pub(super) fn names<'a>(
    schema: &'a Snapshot,
    bodies: &Bodies<'a>,
    relations: &ByNumber<Oid, Reach>,
) -> BTreeSet<&'a str> {
    let holders = relations.iter().filter(|(_, reach)| match reach {
        Reach::Table | Reach::Stored | Reach::View { .. } => true,
        Reach::Carrier(_) | Reach::SideDoor => false,
    });
    let holders = holders.filter_map(|(oid, _)| schema.relation(*oid));
    let mut given: HashSet<Oid> = holders.flat_map(|relation| called(schema, relation)).collect();
    let mut named: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = (given.len(), named.len());
        for function in &schema.functions {
            let name = function.name.name.as_str();
            if !given.contains(&function.oid) && !named.contains(name) {
                continue;
            }
            named.insert(name);
            given.extend(&function.runs);
            let body = bodies.by_function.get(&function.oid);
            named.extend(body.into_iter().flat_map(|body| body.names.iter().copied()));
        }
        if (given.len(), named.len()) == before {
            break;
        }
    }
    named
}

fn called(schema: &Snapshot, relation: &Relation) -> HashSet<Oid> {
    let types = schema
        .types
        .iter()
        .filter(|code| relation.columns.iter().any(|column| column.type_oid == code.oid));
    let by_types = types.flat_map(|code| code.calls.iter());
    [&relation.on_write.calls, &relation.policies.calls, &relation.triggers, &relation.calls]
        .into_iter()
        .flatten()
        .chain(by_types)
        .copied()
        .collect()
}
