mod shelf;
mod suspended;

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Action, Actions, Cover, Grant, GrantId, Holds, Live, Meter, Resource, Subject};
use crate::model::{Client, ColumnPath, Epoch, RelationName, Timestamp, User};
use shelf::Shelf;

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
    users: Shelf,
    groups: Shelf,
    anyone: Arc<Held>,
    /// For whom no grant counts, and until when; None: until they resume.
    suspended: Arc<Map<Arc<str>, Option<Timestamp>>>,
    /// Each column once, so that comparing names does not reach for a copy per grant.
    paths: Arc<Set<Arc<ColumnPath>>>,
    /// Each database once, for the same reason.
    databases: Arc<Set<Arc<str>>>,
}

/// Names come from configuration, catalog and logins, so a quick hash will do: it is asked several
/// times for each column of a statement.
type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

type Set<T> = std::collections::HashSet<T, foldhash::fast::RandomState>;

/// The grants of one subject.
#[derive(Clone, Debug, Default)]
struct Held {
    columns: Map<Arc<ColumnPath>, Vec<Entry>>,
    tables: Map<RelationName, Vec<Entry>>,
    classes: Map<Arc<str>, Vec<Entry>>,
    all: Vec<Entry>,
}

/// A grant with what every question looks at beside it: the grant itself is somewhere in memory,
/// and among a million of them never where the processor has it at hand.
#[derive(Clone, Debug)]
struct Entry {
    live: Live,
    id: GrantId,
    actions: Actions,
    database: Option<Arc<str>>,
    not_before: Timestamp,
    expires_at: Option<Timestamp>,
    terms: Fine,
}

/// Whether a grant says more than what an [`Entry`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fine {
    Plain,
    /// Rows, conditions, a first use that is to come.
    Print,
}

impl Entry {
    fn new(live: Live, database: Option<Arc<str>>) -> Self {
        let grant = &live.grant;
        let is_plain =
            grant.rows.is_none() && grant.conditions.is_none() && grant.from_first_use.is_none();
        Self {
            id: grant.id,
            actions: grant.actions,
            database,
            not_before: grant.not_before,
            expires_at: grant.expires_at,
            terms: if is_plain { Fine::Plain } else { Fine::Print },
            live,
        }
    }

    /// The grant, if there is more to know of it.
    fn fine_print(&self) -> Option<&Grant> {
        match self.terms {
            Fine::Plain => None,
            Fine::Print => Some(&self.live.grant),
        }
    }

    fn awaits_use(&self) -> bool {
        self.fine_print().is_some_and(|grant| grant.from_first_use.is_some())
    }
}

impl LiveTable {
    /// The table of these grants. A grant counts in `[not_before, expires_at)`.
    pub fn new(epoch: Epoch, grants: impl IntoIterator<Item = Arc<Grant>>) -> Self {
        Self::of(epoch, grants.into_iter().map(Live::from))
    }

    /// The same, with what is left of them.
    pub fn of(epoch: Epoch, grants: impl IntoIterator<Item = Live>) -> Self {
        let mut table = Self { epoch, ..Self::default() };
        for live in grants {
            table.insert(live);
        }
        table
    }

    /// Adds a grant. On a copy of a published table this copies what the grant's subject holds
    /// and leaves the rest shared.
    pub fn insert(&mut self, live: Live) {
        let path = self.path(&live.grant.resource);
        let database = live.grant.database.as_deref().map(|name| self.database(name));
        let held = self.held_mut(&live.grant.subject);
        let list = match path {
            Some(path) => held.columns.entry(path).or_default(),
            None => held.list_mut(&live.grant.resource),
        };
        if list.is_empty() {
            // Mostly it stays the only one.
            list.reserve_exact(1);
        }
        list.push(Entry::new(live, database));
    }

    fn database(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.databases.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        Arc::make_mut(&mut self.databases).insert(Arc::clone(&name));
        name
    }

    /// The column of a resource, as it is kept here.
    fn path(&mut self, resource: &Resource) -> Option<Arc<ColumnPath>> {
        let Resource::Column(path) = resource else { return None };
        if let Some(known) = self.paths.get(path) {
            return Some(Arc::clone(known));
        }
        let path = Arc::new(path.clone());
        Arc::make_mut(&mut self.paths).insert(Arc::clone(&path));
        Some(path)
    }

    /// Takes a grant out.
    pub fn remove(&mut self, grant: &Grant) {
        let held = self.held_mut(&grant.subject);
        held.list_mut(&grant.resource).retain(|other| other.id != grant.id);
        held.drop_empty();
        let empty = held.is_empty();
        match &grant.subject {
            Subject::User(name) if empty => self.users.remove(name),
            Subject::Group(name) if empty => self.groups.remove(name),
            Subject::User(_) | Subject::Group(_) | Subject::Anyone => {}
        }
    }

    fn held_mut(&mut self, subject: &Subject) -> &mut Held {
        let held = match subject {
            Subject::User(name) => self.users.entry(name),
            Subject::Group(name) => self.groups.entry(name),
            Subject::Anyone => &mut self.anyone,
        };
        Arc::make_mut(held)
    }

    /// Whether any grant of the table may ever let `client` do anything: what is decided for
    /// whoever no grant is about depends neither on time nor on budgets.
    pub fn is_about(&self, client: &Client) -> bool {
        let User { name, groups, .. } = &client.user;
        !self.anyone.is_empty()
            || self.users.get(name).is_some()
            || groups.iter().any(|group| self.groups.get(group).is_some())
    }

    /// Why `client` may do `action` with the column, or None. Takes no lock, does no I/O, and
    /// allocates only when something covers.
    ///
    /// A grant on every row beats those on some rows; among several, one without limits, then one
    /// whose time runs already, then the one that lasts longest. Grants on some rows are combined
    /// with OR, until the first of them ends.
    pub fn cover(
        &self,
        client: &Client,
        column: &ColumnPath,
        class: &str,
        asked: Asked,
    ) -> Option<Cover> {
        self.cover_by(client, column, class, asked, |_| true)
    }

    /// The same, by no other grants than these.
    pub fn cover_among(
        &self,
        client: &Client,
        column: &ColumnPath,
        class: &str,
        asked: Asked,
        among: &[GrantId],
    ) -> Option<Cover> {
        self.cover_by(client, column, class, asked, |id| among.contains(&id))
    }

    fn cover_by(
        &self,
        client: &Client,
        column: &ColumnPath,
        class: &str,
        asked: Asked,
        counts: impl Fn(GrantId) -> bool,
    ) -> Option<Cover> {
        if self.valid_until.is_some_and(|until| asked.now >= until)
            || self.is_suspended(&client.user.name, asked.now)
        {
            return None;
        }
        let user = self.users.get(&client.user.name);
        let groups = client.user.groups.iter().filter_map(|group| self.groups.get(group));
        let mut every_row: Option<Counts<'_>> = None;
        let mut some_rows: Vec<Counts<'_>> = Vec::new();
        for held in user.into_iter().chain(groups).chain([&self.anyone]) {
            for entry in held.on(column, class).filter(|entry| counts(entry.id)) {
                let Some(found) = Counts::now(entry, client, asked) else { continue };
                if entry.fine_print().is_some_and(|grant| grant.rows.is_some()) {
                    some_rows.push(found);
                } else if every_row.is_none_or(|best| found.beats(best)) {
                    every_row = Some(found);
                }
            }
        }
        match every_row {
            Some(found) => Some(Cover {
                grants: vec![found.entry.id],
                until: found.until,
                rows: None,
                meters: found.meter().into_iter().collect(),
                unstarted: found.unstarted().into_iter().collect(),
            }),
            None => combine(some_rows),
        }
    }
}

/// What is asked of the table.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub action: Action,
    pub now: Timestamp,
    pub counting: Counting,
}

/// Which limited grants are of use to a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Nobody counts or records its use: only grants without limits whose time runs already.
    Free,
    /// Its use is recorded, but its values go elsewhere than into rows that can be counted: no
    /// grants with limits of rows and subjects.
    Uses,
    /// Every raw value stands in a row of its result.
    Rows,
    /// And each row tells whose values they are.
    Subjects,
    /// It has been counted: what is used up may be used up by it.
    Paid,
}

/// A grant that speaks of what is asked.
#[derive(Clone, Copy)]
struct Counts<'a> {
    entry: &'a Entry,
    until: Option<Timestamp>,
}

impl<'a> Counts<'a> {
    /// The grant if it speaks of this action by this client at this moment.
    fn now(entry: &'a Entry, client: &Client, asked: Asked) -> Option<Self> {
        let Asked { action, now, counting } = asked;
        let database = entry.database.as_deref().is_none_or(|name| name == &*client.database);
        let lives = entry.not_before <= now && entry.expires_at.is_none_or(|end| now < end);
        let affordable = entry.live.budget.as_ref().is_none_or(|budget| {
            let limits = budget.limits();
            let (rows, subjects) = (limits.max_rows.is_some(), limits.max_subjects.is_some());
            match counting {
                Counting::Free => false,
                Counting::Uses => !rows && !subjects && !budget.is_spent(),
                Counting::Rows => !subjects && !budget.is_spent(),
                Counting::Subjects => !budget.is_spent(),
                Counting::Paid => true,
            }
        });
        let free = counting != Counting::Free || !entry.awaits_use();
        if !(database && lives && affordable && free && entry.actions.contains(action)) {
            return None;
        }
        let holds = match entry.fine_print() {
            Some(grant) => grant.conditions.hold(client, now)?,
            None => Holds::Always,
        };
        let until = match holds {
            Holds::Always => entry.expires_at,
            Holds::Until(end) => Some(entry.expires_at.map_or(end, |expires| expires.min(end))),
        };
        Some(Self { entry, until })
    }

    /// Whether it is the better one of two; the older grant wins a tie.
    fn beats(self, other: Self) -> bool {
        let rank = |found: Self| {
            let Counts { entry, until } = found;
            let end = until.map_or(Timestamp::MAX, |end| end);
            (entry.live.budget.is_some(), entry.awaits_use(), Reverse(end), entry.id)
        };
        rank(self) < rank(other)
    }

    fn meter(self) -> Option<Meter> {
        self.entry.live.budget.clone().map(Meter)
    }

    fn unstarted(self) -> Option<GrantId> {
        self.entry.awaits_use().then_some(self.entry.id)
    }
}

/// One cover of grants that show some rows each; of those with the same rows, the best.
fn combine(grants: Vec<Counts<'_>>) -> Option<Cover> {
    let mut chosen: Vec<(Counts<'_>, &Arc<str>)> = Vec::new();
    for found in grants {
        let Some(rows) = found.entry.live.grant.rows.as_ref().map(|rows| &rows.sql) else {
            continue;
        };
        match chosen.iter_mut().find(|(_, other)| *other == rows) {
            Some(same) if found.beats(same.0) => same.0 = found,
            Some(_) => {}
            None => chosen.push((found, rows)),
        }
    }
    chosen.sort_by_key(|(found, _)| found.entry.id);
    let rows = match chosen.as_slice() {
        [] => return None,
        [(_, only)] => Arc::clone(only),
        several => {
            let parts: Vec<&str> = several.iter().map(|(_, rows)| &***rows).collect();
            format!("({})", parts.join(" OR ")).into()
        }
    };
    Some(Cover {
        grants: chosen.iter().map(|(found, _)| found.entry.id).collect(),
        until: chosen.iter().filter_map(|(found, _)| found.until).min(),
        rows: Some(rows),
        meters: chosen.iter().filter_map(|(found, _)| found.meter()).collect(),
        unstarted: chosen.iter().filter_map(|(found, _)| found.unstarted()).collect(),
    })
}

impl Held {
    /// The grants that speak of this column.
    fn on(&self, column: &ColumnPath, class: &str) -> impl Iterator<Item = &Entry> {
        let lists = [
            self.columns.get(column),
            self.tables.get(&column.relation),
            self.classes.get(class),
            Some(&self.all),
        ];
        lists.into_iter().flatten().flatten()
    }

    fn list_mut(&mut self, resource: &Resource) -> &mut Vec<Entry> {
        match resource {
            Resource::Column(path) => self.columns.entry(Arc::new(path.clone())).or_default(),
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
