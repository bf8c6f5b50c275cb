use super::Ledger;
use crate::grant::{Grant, GrantEvent, Standing};

/// Who grants and ends standing grants.
pub(super) const CONFIGURATION: &str = "configuration";

impl Ledger {
    /// What has to happen so that exactly these standing grants are open. One that stays as it
    /// is keeps its id; each resource is a grant of its own.
    pub fn reconcile(&self, standing: &[Standing]) -> Vec<GrantEvent> {
        let open: Vec<&Grant> =
            self.open_grants().map(|g| &**g).filter(|g| g.expires_at.is_none()).collect();
        let wanted: Vec<Grant> = standing.iter().flat_map(grants).collect();
        let removed = open
            .iter()
            .filter(|grant| !wanted.iter().any(|other| same(grant, other)))
            .map(|grant| GrantEvent::StandingRemoved { grant: grant.id });
        let mut added: Vec<Grant> = Vec::new();
        for grant in &wanted {
            let there = open.iter().copied().chain(&added).any(|other| same(grant, other));
            if !there {
                let id = self.grant_last + 1 + added.len() as u64;
                added.push(Grant { id, ..grant.clone() });
            }
        }
        let added = added
            .into_iter()
            .map(|grant| GrantEvent::StandingAdded { grant: Box::new(grant), receipt: None });
        removed.chain(added).collect()
    }
}

fn grants(standing: &Standing) -> impl Iterator<Item = Grant> {
    // No beginning: a clock that is set back must not suspend it.
    standing.resources.iter().map(move |pattern| Grant {
        database: pattern.database.clone(),
        conditions: standing.conditions.clone(),
        reason: standing.reason.clone(),
        requester: CONFIGURATION.to_owned(),
        ..Grant::boundless(standing.subject.clone(), pattern.resource.clone(), standing.actions)
    })
}

/// The same grant but for its number.
fn same(one: &Grant, other: &Grant) -> bool {
    Grant { id: 0, ..one.clone() } == Grant { id: 0, ..other.clone() }
}
