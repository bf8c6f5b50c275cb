use std::collections::HashMap;
use std::sync::Arc;

use super::{Action, Cover, Grant, Resource, Subject};
use crate::model::{Client, ColumnPath, Epoch, RelationName, Timestamp};

/// Every grant that may be live, published whole. Ask it anew for every statement: a table that
/// was kept ends by itself at [`LiveTable::valid_until`].
///
/// Finding what covers a column takes a few hash lookups per group of the client, whatever the
/// number of grants; what remains is linear in the grants of one subject on one resource, which
/// `grant::ledger` limits.
#[derive(Clone, Debug, Default)]
pub struct LiveTable {
    pub epoch: Epoch,
    /// The first moment at which nothing counts any more because the store may be out of reach;
    /// None: no such moment.
    pub valid_until: Option<Timestamp>,
    users: Arc<HashMap<Arc<str>, Arc<Held>>>,
    groups: Arc<HashMap<Arc<str>, Arc<Held>>>,
    anyone: Arc<Held>,
}

/// The grants of one subject.
#[derive(Clone, Debug, Default)]
struct Held {
    columns: HashMap<ColumnPath, Vec<Arc<Grant>>>,
    tables: HashMap<RelationName, Vec<Arc<Grant>>>,
    classes: HashMap<Arc<str>, Vec<Arc<Grant>>>,
    all: Vec<Arc<Grant>>,
}

impl LiveTable {
    /// The table of these grants. A grant counts in `[not_before, expires_at)`.
    pub fn new(epoch: Epoch, grants: impl IntoIterator<Item = Arc<Grant>>) -> Self {
        let mut table = Self { epoch, ..Self::default() };
        for grant in grants {
            table.insert(grant);
        }
        table
    }

    /// Adds a grant. On a copy of a published table this copies what the grant's subject holds
    /// and leaves the rest shared.
    pub(crate) fn insert(&mut self, grant: Arc<Grant>) {
        let list = self.held_mut(&grant.subject).list_mut(&grant.resource);
        list.push(grant);
    }

    /// Takes a grant out.
    pub(crate) fn remove(&mut self, grant: &Grant) {
        let held = self.held_mut(&grant.subject);
        held.list_mut(&grant.resource).retain(|other| other.id != grant.id);
        held.drop_empty();
        let empty = held.is_empty();
        match &grant.subject {
            Subject::User(name) if empty => {
                Arc::make_mut(&mut self.users).remove(&**name);
            }
            Subject::Group(name) if empty => {
                Arc::make_mut(&mut self.groups).remove(&**name);
            }
            Subject::User(_) | Subject::Group(_) | Subject::Anyone => {}
        }
    }

    fn held_mut(&mut self, subject: &Subject) -> &mut Held {
        let held = match subject {
            Subject::User(name) => {
                Arc::make_mut(&mut self.users).entry(name.as_str().into()).or_default()
            }
            Subject::Group(name) => {
                Arc::make_mut(&mut self.groups).entry(name.as_str().into()).or_default()
            }
            Subject::Anyone => &mut self.anyone,
        };
        Arc::make_mut(held)
    }

    /// Why `client` may do `action` with the column, or None. Takes no lock, does no I/O, and
    /// allocates only when something covers.
    ///
    /// A grant on every row beats those on some rows; among several, the one that lasts longest
    /// is taken. Grants on some rows are combined with OR, until the first of them ends.
    pub fn cover(
        &self,
        client: &Client,
        column: &ColumnPath,
        class: &str,
        action: Action,
        now: Timestamp,
    ) -> Option<Cover> {
        if self.valid_until.is_some_and(|until| now >= until) {
            return None;
        }
        let user = self.users.get(&*client.user.name);
        let groups = client.user.groups.iter().filter_map(|group| self.groups.get(group.as_str()));
        let mut every_row: Option<&Grant> = None;
        let mut some_rows: Vec<&Grant> = Vec::new();
        for held in user.into_iter().chain(groups).chain([&self.anyone]) {
            for grant in held.on(column, class).filter(|g| counts(g, client, action, now)) {
                if grant.rows.is_some() {
                    some_rows.push(grant);
                } else if every_row.is_none_or(|best| outlives(grant, best)) {
                    every_row = Some(grant);
                }
            }
        }
        match every_row {
            Some(grant) => {
                Some(Cover { grants: vec![grant.id], until: grant.expires_at, rows: None })
            }
            None => combine(some_rows),
        }
    }
}

/// Whether the grant speaks of this action by this client at this moment.
fn counts(grant: &Grant, client: &Client, action: Action, now: Timestamp) -> bool {
    let database = grant.database.as_deref().is_none_or(|name| name == &*client.database);
    let network = grant.networks.is_empty()
        || client.address.is_some_and(|from| grant.networks.iter().any(|net| net.contains(from)));
    database
        && network
        && grant.actions.contains(action)
        && grant.not_before <= now
        && grant.expires_at.is_none_or(|end| now < end)
}

/// Whether `one` ends after `other`; the older grant wins a tie.
fn outlives(one: &Grant, other: &Grant) -> bool {
    match (one.expires_at, other.expires_at) {
        (None, None) => one.id < other.id,
        (None, Some(_)) => true,
        (Some(_), None) => false,
        (Some(a), Some(b)) => a > b || (a == b && one.id < other.id),
    }
}

/// One cover of grants that show some rows each; of those with the same rows, the longest.
fn combine(grants: Vec<&Grant>) -> Option<Cover> {
    let mut chosen: Vec<(&Grant, &Arc<str>)> = Vec::new();
    for grant in grants {
        let Some(rows) = grant.rows.as_ref().map(|rows| &rows.sql) else { continue };
        match chosen.iter_mut().find(|(_, other)| *other == rows) {
            Some(same) if outlives(grant, same.0) => same.0 = grant,
            Some(_) => {}
            None => chosen.push((grant, rows)),
        }
    }
    chosen.sort_by_key(|(grant, _)| grant.id);
    let rows = match chosen.as_slice() {
        [] => return None,
        [(_, only)] => Arc::clone(only),
        several => {
            let parts: Vec<&str> = several.iter().map(|(_, rows)| &***rows).collect();
            format!("({})", parts.join(" OR ")).into()
        }
    };
    Some(Cover {
        grants: chosen.iter().map(|(grant, _)| grant.id).collect(),
        until: chosen.iter().filter_map(|(grant, _)| grant.expires_at).min(),
        rows: Some(rows),
    })
}

impl Held {
    /// The grants that speak of this column.
    fn on(&self, column: &ColumnPath, class: &str) -> impl Iterator<Item = &Grant> {
        let lists = [
            self.columns.get(column),
            self.tables.get(&column.relation),
            self.classes.get(class),
            Some(&self.all),
        ];
        lists.into_iter().flatten().flatten().map(Arc::as_ref)
    }

    fn list_mut(&mut self, resource: &Resource) -> &mut Vec<Arc<Grant>> {
        match resource {
            Resource::Column(path) => self.columns.entry(path.clone()).or_default(),
            Resource::Table(relation) => self.tables.entry(relation.clone()).or_default(),
            Resource::Class(class) => self.classes.entry(class.as_str().into()).or_default(),
            Resource::All => &mut self.all,
        }
    }

    fn drop_empty(&mut self) {
        self.columns.retain(|_, list| !list.is_empty());
        self.tables.retain(|_, list| !list.is_empty());
        self.classes.retain(|_, list| !list.is_empty());
    }

    fn is_empty(&self) -> bool {
        self.columns.is_empty()
            && self.tables.is_empty()
            && self.classes.is_empty()
            && self.all.is_empty()
    }
}

#[cfg(test)]
mod tests;
