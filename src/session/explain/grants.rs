//! The smallest grant under which a statement would run with nothing hidden, found by trying: the
//! decision itself is asked about grants that nobody has.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::analysis::facts::Analysis;
use crate::analysis::sensitive::Reach;
use crate::decision::{Standpoint, Way, decide};
use crate::grant::{Action, Actions, Grant, Resource, Subject};
use crate::model::{ColumnId, Oid};
use crate::session::plan::masked;

/// What has to be granted on one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Needed {
    /// As one writes it in a request.
    pub resource: String,
    #[schema(value_type = Vec<String>)]
    pub actions: Actions,
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.actions, self.resource)
    }
}

/// More columns are taken by their tables, more tables together: each candidate costs a decision.
const RESOURCES_MAX: usize = 100;

const ACTIONS: [Action; 3] = [Action::Write, Action::Read, Action::Export];

type Candidate = (Action, Resource);

/// None if no grant is enough.
pub(super) fn smallest(analyses: &[Analysis], standpoint: Standpoint<'_>) -> Option<Vec<Needed>> {
    if suffices(&[], analyses, standpoint) {
        return Some(Vec::new());
    }
    let resources = resources(analyses, standpoint);
    let each = |action| resources.iter().map(move |resource| (action, resource.clone()));
    let mut wanted: Vec<Candidate> = ACTIONS.into_iter().flat_map(each).collect();
    if !suffices(&wanted, analyses, standpoint) {
        return None;
    }
    // Export goes first, then read where write is enough: all at once, then one by one.
    for action in ACTIONS.into_iter().rev() {
        let others = wanted.iter().filter(|(own, _)| *own != action).cloned().collect::<Vec<_>>();
        if suffices(&others, analyses, standpoint) {
            wanted = others;
        }
    }
    for index in (0..wanted.len()).rev() {
        let without = wanted.remove(index);
        if !suffices(&wanted, analyses, standpoint) {
            wanted.insert(index, without);
        }
    }
    wanted.sort_by(|one, other| one.1.cmp(&other.1));
    let mut needed: Vec<Needed> = Vec::new();
    for (action, resource) in wanted {
        let resource = resource.to_string();
        match needed.last_mut().filter(|last| last.resource == resource) {
            Some(last) => last.actions = last.actions.iter().chain([action]).collect(),
            None => needed.push(Needed { resource, actions: [action].into_iter().collect() }),
        }
    }
    Some(needed)
}

/// What could be granted of all that the statements reach.
fn resources(analyses: &[Analysis], standpoint: Standpoint<'_>) -> BTreeSet<Resource> {
    let references = analyses.iter().flat_map(|analysis| &analysis.references);
    let relations: BTreeSet<Oid> = references.map(|reference| reference.relation).collect();
    let columns: BTreeSet<ColumnId> =
        relations.iter().flat_map(|relation| columns(*relation, standpoint)).collect();
    let calls = analyses.iter().flat_map(|analysis| &analysis.classed);
    let classes = calls.map(|call| Resource::Class(call.class.clone()));
    let mut resources: BTreeSet<Resource> = classes.collect();
    let tables = |column: &ColumnId| table(*column, standpoint);
    if columns.len() <= RESOURCES_MAX {
        resources.extend(columns.iter().filter_map(|column| resource(*column, standpoint)));
    } else {
        resources.extend(columns.iter().filter_map(tables));
    }
    if resources.len() > RESOURCES_MAX { [Resource::All].into() } else { resources }
}

fn columns(relation: Oid, standpoint: Standpoint<'_>) -> Vec<ColumnId> {
    let sensitive = &standpoint.world.sensitive;
    match sensitive.reach(relation) {
        Some(Reach::View { columns, .. }) => columns.iter().copied().collect(),
        Some(Reach::Table | Reach::Stored | Reach::Carrier(_) | Reach::SideDoor) | None => {
            sensitive.columns_of(relation).map(|(n, _)| ColumnId { relation, number: n }).collect()
        }
    }
}

/// The narrowest resource that covers the column and can be asked for: columns that the catalog
/// does not name go by their class or their table.
fn resource(column: ColumnId, standpoint: Standpoint<'_>) -> Option<Resource> {
    let pii = standpoint.world.sensitive.column(column)?;
    let view = &standpoint.world.view;
    if view.class(&pii.path).is_some() {
        return Some(Resource::Column((*pii.path).clone()));
    }
    view.resolve(&format!("class:{}", pii.class)).ok().or_else(|| table(column, standpoint))
}

fn table(column: ColumnId, standpoint: Standpoint<'_>) -> Option<Resource> {
    let pii = standpoint.world.sensitive.column(column)?;
    let found = standpoint.world.view.resolve(&pii.path.relation.quoted());
    Some(found.unwrap_or(Resource::All))
}

fn suffices(candidates: &[Candidate], analyses: &[Analysis], standpoint: Standpoint<'_>) -> bool {
    let mut grants = standpoint.grants.clone();
    for (id, (action, resource)) in (0..).zip(candidates) {
        let subject = Subject::User(standpoint.client.user.name.to_string());
        let actions = [*action].into_iter().collect();
        let grant = Grant { id, ..Grant::boundless(subject, resource.clone(), actions) };
        grants.insert(Arc::new(grant).into());
    }
    let standpoint = Standpoint { grants: &grants, ..standpoint };
    analyses.iter().all(|analysis| {
        let decision = decide(analysis, standpoint);
        !matches!(decision.way, Way::Refuse(_))
            && decision.guarded.is_empty()
            && masked(analysis, &decision).is_empty()
    })
}
