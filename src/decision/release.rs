//! What a statement shows, and what lets it: asked again as long as it goes on.

use super::Standpoint;
use crate::grant::{Action, Claim, Counting, Cover, GrantId, Meter};
use crate::model::{ColumnId, Oid, Timestamp};

/// What is shown raw or looked up, by which grants, until when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// Columns whose values are shown.
    pub columns: Vec<ColumnId>,
    /// Columns whose values are compared with the client's.
    pub lookups: Vec<ColumnId>,
    /// With how many values they are compared.
    pub values: usize,
    pub grants: Vec<GrantId>,
    pub until: Option<Timestamp>,
    /// Limited grants among them.
    pub meters: Vec<Meter>,
    /// Grants among them whose time begins to run with this.
    pub unstarted: Vec<GrantId>,
    /// How many rows of limited grants stand in one row of the result.
    pub weight: u64,
    /// Whose values are shown, where that has to be counted.
    pub subjects: Option<Subjects>,
    /// Relations of which one row of the result may show values of several rows.
    pub mixed: Vec<Oid>,
    /// What each of the columns rests on.
    rests: Vec<Rest>,
}

/// What is done with one column, and the grants that let it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rest {
    column: ColumnId,
    action: Action,
    grants: Vec<GrantId>,
}

impl Rest {
    /// What it may rest on now: a grant without any limit, or all that it rested on. Another
    /// grant on some rows or with a budget of its own is another permission.
    fn cover(&self, standpoint: Standpoint<'_>) -> Option<Cover> {
        let free = standpoint.cover(self.column, self.action);
        free.filter(|cover| cover.rows.is_none()).or_else(|| {
            let own = standpoint.cover_among(self.column, self.action, &self.grants);
            own.filter(|cover| cover.grants == self.grants)
        })
    }
}

/// How the people are told apart whose values a result shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    /// What identifies them; the result has to show it.
    pub key: ColumnId,
    /// The columns of theirs that are shown.
    pub columns: Vec<ColumnId>,
}

static NOTHING: Release = Release {
    columns: Vec::new(),
    lookups: Vec::new(),
    values: 0,
    grants: Vec::new(),
    until: None,
    meters: Vec::new(),
    unstarted: Vec::new(),
    weight: 0,
    subjects: None,
    mixed: Vec::new(),
    rests: Vec::new(),
};

impl Release {
    /// That of a statement that shows nothing raw.
    pub fn nothing() -> &'static Self {
        &NOTHING
    }

    pub fn is_empty(&self) -> bool {
        self.columns.is_empty() && self.lookups.is_empty()
    }

    /// Adds what `cover` shows of `column`, or lets be stored.
    pub fn add(&mut self, column: ColumnId, action: Action, cover: &Cover) {
        if !self.columns.contains(&column) {
            self.columns.push(column);
        }
        self.rest_on(column, action, cover);
    }

    /// Adds a comparison of `column` with so many `values`.
    pub fn add_lookup(&mut self, column: ColumnId, values: usize, cover: &Cover) {
        if !self.lookups.contains(&column) {
            self.lookups.push(column);
        }
        self.values += values;
        self.rest_on(column, Action::Lookup, cover);
    }

    fn rest_on(&mut self, column: ColumnId, action: Action, cover: &Cover) {
        add_all(&mut self.rests, &[Rest { column, action, grants: cover.grants.clone() }]);
        add_all(&mut self.grants, &cover.grants);
        add_all(&mut self.meters, &cover.meters);
        add_all(&mut self.unstarted, &cover.unstarted);
        self.until = earlier(self.until, cover.until);
    }

    /// The grants of which a use has to be on record before anything is shown.
    fn used(&self) -> Vec<GrantId> {
        let mut grants = self.unstarted.clone();
        let used = self.meters.iter().filter(|meter| meter.0.limits().max_uses.is_some());
        add_all(&mut grants, &used.map(|meter| meter.0.grant()).collect::<Vec<_>>());
        grants
    }

    /// What has to be on record before anything of these statements is shown.
    pub fn claims<'a>(releases: impl IntoIterator<Item = &'a Self>) -> Vec<Claim> {
        let mut uses: Vec<(GrantId, u64)> = Vec::new();
        for grant in releases.into_iter().flat_map(Self::used) {
            match uses.iter_mut().find(|(known, _)| *known == grant) {
                Some((_, statements)) => *statements += 1,
                None => uses.push((grant, 1)),
            }
        }
        let claim = |(grant, statements)| Claim::Use { grant, statements };
        uses.into_iter().map(claim).collect()
    }

    /// Which grants it may go on to rest on.
    pub fn counting(&self) -> Counting {
        let free = self.meters.is_empty() && self.unstarted.is_empty();
        if free { Counting::Free } else { Counting::Paid }
    }

    pub fn merge(&mut self, other: &Self) {
        add_all(&mut self.lookups, &other.lookups);
        self.values += other.values;
        add_all(&mut self.columns, &other.columns);
        add_all(&mut self.grants, &other.grants);
        add_all(&mut self.meters, &other.meters);
        add_all(&mut self.unstarted, &other.unstarted);
        add_all(&mut self.rests, &other.rests);
        add_all(&mut self.mixed, &other.mixed);
        self.weight = self.weight.max(other.weight);
        if self.subjects.is_none() {
            self.subjects.clone_from(&other.subjects);
        }
        self.until = earlier(self.until, other.until);
    }

    /// Leaves out columns that are not shown after all.
    pub fn retain(&mut self, shows: impl Fn(ColumnId) -> bool) {
        self.columns.retain(|column| shows(*column));
        let looks_up = |rest: &Rest| rest.action == Action::Lookup;
        self.rests.retain(|rest| looks_up(rest) || shows(rest.column));
    }

    /// Whether every column of it may still be shown, stored or looked up to its full extent.
    pub fn holds(&self, standpoint: Standpoint<'_>) -> bool {
        self.rests.iter().all(|rest| rest.cover(standpoint).is_some())
    }

    /// Whether both rest on the same grants.
    pub fn rests_like(&self, other: &Self) -> bool {
        self.rests == other.rests
    }

    /// The same, resting on the grants that are live now.
    #[must_use]
    pub fn renewed(&self, standpoint: Standpoint<'_>) -> Self {
        let mut now = Self::default();
        for rest in &self.rests {
            match (rest.cover(standpoint), rest.action) {
                (None, _) => {}
                (Some(cover), Action::Lookup) => now.add_lookup(rest.column, 0, &cover),
                (Some(cover), action @ (Action::Read | Action::Write | Action::Export)) => {
                    now.add(rest.column, action, &cover);
                }
            }
        }
        let Self { values, weight, ref subjects, ref mixed, .. } = *self;
        Self { values, weight, subjects: subjects.clone(), mixed: mixed.clone(), ..now }
    }
}

fn add_all<T: PartialEq + Clone>(all: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
