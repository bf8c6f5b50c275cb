//! The sum of what would change, by person, application, database and column.

use std::collections::BTreeMap;

use serde::Serialize;

use super::asks::Asked;
use super::book::{Entry, Who};
use super::change::{Agreement, Change, Kind, agreement, changes};
use super::restore::Lost;
use super::side::{Both, Pair};

/// Examples of statements of which the log says something else.
const DIFFERENT_MAX: usize = 20;

/// Changes that are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: Kind,
    column: String,
    class: String,
    detail: String,
    user: String,
    application: String,
    database: String,
}

#[derive(Clone, Debug, Default)]
struct Sum {
    statements: u64,
    shapes: u64,
    example: String,
}

/// What was found, put together as entries come.
#[derive(Debug, Default)]
pub(super) struct Account {
    sums: BTreeMap<Key, Sum>,
    replayed: u64,
    shapes: u64,
    unchanged: u64,
    lost: BTreeMap<(Lost, String, String), u64>,
    same: u64,
    different: u64,
    differing: Vec<Differing>,
}

/// One line of the account.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) change: Kind,
    pub(super) user: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) application: String,
    pub(super) database: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) column: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) class: String,
    /// From what to what, or why.
    pub(super) detail: String,
    pub(super) statements: u64,
    /// Different ones.
    pub(super) shapes: u64,
    /// One of them, without constants.
    pub(super) example: String,
}

/// Requests that would be decided otherwise.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RequestRow {
    pub(super) user: String,
    pub(super) database: String,
    pub(super) resource: String,
    pub(super) actions: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) requests: u64,
    #[serde(skip)]
    pub(super) worse: bool,
}

/// Statements that are not replayed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LostRow {
    pub(super) why: String,
    pub(super) user: String,
    pub(super) application: String,
    pub(super) statements: u64,
}

/// A statement of which the log says something else than the configuration as it is.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Differing {
    pub(super) user: String,
    pub(super) example: String,
    /// What the log says, and the columns that are hidden there, or touched in mode observe.
    pub(super) log: String,
    pub(super) simulated: String,
    pub(super) statements: u64,
}

/// Everything, as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether something would change in a way that was asked to be told of by the exit code.
    pub(super) worse: bool,
    /// Records read; of a file, statements.
    pub(super) read: u64,
    /// Records that this version cannot read.
    pub(super) unread: u64,
    pub(super) replayed: u64,
    /// Different statements of one person and application.
    pub(super) shapes: u64,
    /// Statements of which nothing would change.
    pub(super) unchanged: u64,
    pub(super) changes: Vec<Row>,
    /// Requests that were asked again.
    pub(super) requests: u64,
    pub(super) requests_changed: Vec<RequestRow>,
    /// Statements that were shown something by grants that the log does not have.
    pub(super) grants_unknown: u64,
    pub(super) not_replayed: Vec<LostRow>,
    /// Statements of which the log and the configuration as it is say the same; and not.
    pub(super) log_agrees: u64,
    pub(super) log_differs: u64,
    pub(super) differing: Vec<Differing>,
}

impl Account {
    /// Counts an entry's statements.
    pub(super) fn add(&mut self, entry: &Entry, count: u64, both: &Both, pair: &Pair<'_>) {
        self.replayed += count;
        self.shapes += 1;
        self.compare(entry, count, both, pair);
        let changes = changes(both);
        if changes.is_empty() {
            self.unchanged += count;
        }
        let Who { user, application, database, .. } = &*entry.who;
        for Change { kind, column, class, detail } in changes {
            let (user, application) = (user.clone(), application.clone());
            let database = database.clone();
            let key = Key { kind, column, class, detail, user, application, database };
            let sum = self.sums.entry(key).or_default();
            sum.statements += count;
            sum.shapes += 1;
            // Of several, the same one is told whatever the order is.
            if sum.example.is_empty() || entry.shape.text < sum.example {
                sum.example.clone_from(&entry.shape.text);
            }
        }
    }

    /// Holds the log against the configuration as it is.
    fn compare(&mut self, entry: &Entry, count: u64, both: &Both, pair: &Pair<'_>) {
        let Some(told) = &entry.told else { return };
        match agreement(told, &both.before, pair.before.mode()) {
            Agreement::Unknown => {}
            Agreement::Same => self.same += count,
            Agreement::Different => {
                self.different += count;
                if self.differing.len() < DIFFERENT_MAX {
                    let log = format!("{:?}", told.decision).to_ascii_lowercase();
                    let shown = if told.masked.is_empty() { &told.touched } else { &told.masked };
                    let columns: Vec<&str> =
                        both.before.columns.keys().map(String::as_str).collect();
                    self.differing.push(Differing {
                        user: entry.who.user.clone(),
                        example: entry.shape.text.clone(),
                        log: format!("{log} {}", shown.join(", ")).trim_end().to_owned(),
                        simulated: format!("{} {}", both.before.way.as_str(), columns.join(", "))
                            .trim_end()
                            .to_owned(),
                        statements: count,
                    });
                }
            }
        }
    }

    /// Counts statements that are not replayed.
    pub(super) fn lose(&mut self, lost: Lost, who: &Who, count: u64) {
        self.lose_all(lost, &who.user, &who.application, count);
    }

    pub(super) fn lose_all(&mut self, lost: Lost, user: &str, application: &str, count: u64) {
        *self.lost.entry((lost, user.to_owned(), application.to_owned())).or_default() += count;
    }

    /// Takes over what another has.
    pub(super) fn merge(&mut self, other: Self) {
        let Self { sums, replayed, shapes, unchanged, lost, same, different, differing } = other;
        for (key, sum) in sums {
            let own = self.sums.entry(key).or_default();
            own.statements += sum.statements;
            own.shapes += sum.shapes;
            if own.example.is_empty() || sum.example < own.example {
                own.example = sum.example;
            }
        }
        for (key, count) in lost {
            *self.lost.entry(key).or_default() += count;
        }
        self.replayed += replayed;
        self.shapes += shapes;
        self.unchanged += unchanged;
        self.same += same;
        self.different += different;
        let room = DIFFERENT_MAX.saturating_sub(self.differing.len());
        self.differing.extend(differing.into_iter().take(room));
    }

    /// The account as it is printed; `worse` are the kinds of change that make it one.
    pub(super) fn report(self, asked: &BTreeMap<Asked, u64>, worse: &[Kind]) -> Report {
        let changes: Vec<Row> = self.sums.into_iter().map(|(key, sum)| row(key, sum)).collect();
        let requests_changed: Vec<RequestRow> =
            asked.iter().filter(|(asked, _)| asked.before != asked.after).map(request).collect();
        let by_change = changes.iter().any(|row| worse.contains(&row.change));
        let by_request =
            worse.contains(&Kind::Requests) && requests_changed.iter().any(|row| row.worse);
        Report {
            worse: by_change || by_request,
            read: 0,
            unread: 0,
            replayed: self.replayed,
            shapes: self.shapes,
            unchanged: self.unchanged,
            changes,
            requests: asked.values().sum(),
            requests_changed,
            grants_unknown: 0,
            not_replayed: self.lost.into_iter().map(lost_row).collect(),
            log_agrees: self.same,
            log_differs: self.different,
            differing: self.differing,
        }
    }
}

fn row(key: Key, sum: Sum) -> Row {
    let Key { kind, column, class, detail, user, application, database } = key;
    let Sum { statements, shapes, example } = sum;
    Row {
        change: kind,
        user,
        application,
        database,
        column,
        class,
        detail,
        statements,
        shapes,
        example,
    }
}

fn request((asked, count): (&Asked, &u64)) -> RequestRow {
    RequestRow {
        user: asked.user.clone(),
        database: asked.database.clone(),
        resource: asked.resource.clone(),
        actions: asked.actions.clone(),
        before: asked.before.to_string(),
        after: asked.after.to_string(),
        requests: *count,
        worse: asked.after > asked.before,
    }
}

fn lost_row(((why, user, application), statements): ((Lost, String, String), u64)) -> LostRow {
    LostRow { why: why.to_string(), user, application, statements }
}
