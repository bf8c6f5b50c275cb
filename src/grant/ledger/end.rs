//! Ending grants before their time.

use std::sync::Arc;

use super::{Entry, Ledger, invalid, needs_control};
use crate::grant::{Grant, GrantEvent, GrantId, GrantState, Resource, Subject};
use crate::model::{Report, Timestamp, User};

/// Which grants are ended at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Everything,
    /// What was granted to this subject itself.
    Of(Subject),
    /// Whatever lets somebody at something of the resource, in that database.
    On {
        database: String,
        resource: Resource,
        /// Of the columns that the resource stands for.
        classes: Vec<String>,
    },
}

impl Ledger {
    /// Ends a grant: whoever has the role `control` may, its subject, and who approved it.
    ///
    /// # Errors
    /// Unknown, over already, standing, or not allowed.
    pub fn revoke(
        &self,
        by: &User,
        id: GrantId,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        let entry = self.entry(id)?;
        let grant = &entry.live.grant;
        let own = matches!(&grant.subject, Subject::User(name) if **name == *by.name);
        let approved = grant.approvers.iter().any(|name| **name == *by.name);
        if !(own || approved) {
            needs_control(by)?;
        }
        match entry.view(now).state {
            GrantState::Active | GrantState::Scheduled | GrantState::Exhausted => {
                Ok(vec![revoked(entry, by)])
            }
            GrantState::Standing => Err(invalid(format!("grant {id} stands in the configuration"))
                .hint("Take it out of proxy.toml and reload.")),
            state @ (GrantState::Expired | GrantState::Revoked) => {
                Err(invalid(format!("grant {id} is over: {}", state.as_str())))
            }
        }
    }

    /// Ends every grant of the scope that is not standing.
    ///
    /// # Errors
    /// Needs the role `control`.
    pub fn revoke_all(
        &self,
        by: &User,
        scope: &Scope,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        needs_control(by)?;
        Ok(self.ends(by, scope, now))
    }

    /// Ends every grant that is not standing because the clock cannot be trusted.
    pub fn revoke_for_clock(&self, now: Timestamp) -> Vec<GrantEvent> {
        let clock = User { name: "the clock".into(), groups: Arc::new([]), roles: Arc::new([]) };
        self.ends(&clock, &Scope::Everything, now)
    }

    fn ends(&self, by: &User, scope: &Scope, now: Timestamp) -> Vec<GrantEvent> {
        let open = |entry: &&Entry| {
            matches!(
                entry.view(now).state,
                GrantState::Active | GrantState::Scheduled | GrantState::Exhausted
            ) && entry.ended.is_none()
        };
        let within = |entry: &&Entry| scope.includes(&entry.live.grant);
        self.grants.values().filter(open).filter(within).map(|entry| revoked(entry, by)).collect()
    }
}

impl Scope {
    fn includes(&self, grant: &Grant) -> bool {
        match self {
            Self::Everything => true,
            Self::Of(subject) => grant.subject == *subject,
            Self::On { database, resource, classes } => {
                grant.database.as_deref().is_none_or(|name| name == database)
                    && overlap(&grant.resource, resource, classes)
            }
        }
    }
}

/// Whether a grant on `granted` lets anybody at something of `meant`.
fn overlap(granted: &Resource, meant: &Resource, classes: &[String]) -> bool {
    match (granted, meant) {
        (Resource::All, _) | (_, Resource::All) => true,
        (Resource::Class(class), _) => classes.contains(class),
        (Resource::Column(path), Resource::Column(other)) => path == other,
        (Resource::Column(path), Resource::Table(relation)) => path.relation == *relation,
        (Resource::Table(relation), Resource::Column(path)) => path.relation == *relation,
        (Resource::Table(relation), Resource::Table(other)) => relation == other,
        // Which columns are of a class may change; whoever holds one of its tables may read it.
        (Resource::Column(_) | Resource::Table(_), Resource::Class(_)) => true,
    }
}

fn revoked(entry: &Entry, by: &User) -> GrantEvent {
    GrantEvent::Revoked { grant: entry.live.grant.id, by: by.name.to_string() }
}
