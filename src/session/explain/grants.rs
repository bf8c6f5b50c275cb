//! The smallest grant under which a statement would run with nothing hidden, found by trying: the
//! decision itself is asked about grants that nobody has.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::analysis::facts::Analysis;
use crate::analysis::sensitive::Reach;
use crate::decision::{Standpoint, Way, decide};
use crate::grant::{Action, Actions, Grant, GrantId, Resource, Subject};
use crate::model::{ColumnId, Timestamp};
use crate::session::plan::masked;

/// What has to be granted on one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Needed {
    /// As one writes it in a request.
    pub resource: String,
    pub actions: Actions,
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.actions, self.resource)
    }
}

/// More candidates are not tried one by one: each costs a decision.
const CANDIDATES_MAX: usize = 600;

type Candidate = (Action, Resource);

/// None if no grant is enough, or there is too much to try.
pub(super) fn smallest(analyses: &[Analysis], standpoint: Standpoint<'_>) -> Option<Vec<Needed>> {
    if suffices(&[], analyses, standpoint) {
        return Some(Vec::new());
    }
    let mut wanted = candidates(analyses, standpoint);
    if wanted.len() > CANDIDATES_MAX || !suffices(&wanted, analyses, standpoint) {
        return None;
    }
    // From the end: export goes first, then read where write is enough.
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

/// Everything that could be granted on what the statements reach: writes first, exports last.
fn candidates(analyses: &[Analysis], standpoint: Standpoint<'_>) -> Vec<Candidate> {
    let mut resources = BTreeSet::new();
    for analysis in analyses {
        for reference in &analysis.references {
            for column in columns(reference.relation, standpoint) {
                resources.extend(resource(column, standpoint));
            }
        }
        resources.extend(analysis.classed.iter().map(|call| Resource::Class(call.class.clone())));
    }
    let actions = [Action::Write, Action::Read, Action::Export];
    let each = |action| resources.iter().map(move |resource| (action, resource.clone()));
    actions.into_iter().flat_map(each).collect()
}

fn columns(relation: crate::model::Oid, standpoint: Standpoint<'_>) -> Vec<ColumnId> {
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
    let path = &*pii.path;
    let wider = [format!("class:{}", pii.class), path.relation.to_string()];
    if view.class(path).is_some() {
        return Some(Resource::Column(path.clone()));
    }
    let found = wider.iter().find_map(|text| view.resolve(text).ok());
    Some(found.unwrap_or(Resource::All))
}

fn suffices(candidates: &[Candidate], analyses: &[Analysis], standpoint: Standpoint<'_>) -> bool {
    let mut grants = standpoint.grants.clone();
    for (id, (action, resource)) in (0..).zip(candidates) {
        grants.insert(Arc::new(hypothetical(id, *action, resource.clone(), standpoint)));
    }
    let standpoint = Standpoint { grants: &grants, ..standpoint };
    analyses.iter().all(|analysis| {
        let decision = decide(analysis, standpoint);
        !matches!(decision.way, Way::Refuse(_)) && masked(analysis, &decision).is_empty()
    })
}

fn hypothetical(
    id: GrantId,
    action: Action,
    resource: Resource,
    standpoint: Standpoint<'_>,
) -> Grant {
    Grant {
        id,
        subject: Subject::User(standpoint.client.user.name.to_string()),
        database: None,
        resource,
        actions: [action].into_iter().collect(),
        rows: None,
        networks: Vec::new(),
        not_before: Timestamp::UNIX_EPOCH,
        expires_at: None,
        reason: String::new(),
        ticket: None,
        requester: String::new(),
        approvers: Vec::new(),
        request: None,
        policy: None,
    }
}
