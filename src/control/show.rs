//! The tables of `SHOW`.

mod drift;
mod policies;
mod sinks;

use super::desk::{Database, Desk};
use super::grammar::{HELP, Topic};
use super::table::{Cell, Column, Table, postgres_text};
use crate::catalog::{Class, DatePrecision, Hiding, MaskSpec};
use crate::grant::{
    Actions, Grant, GrantView, Network, Pattern, Request, Restricted, Subject, Urgency,
};
use crate::model::receipt::Challenge;
use crate::model::{ColumnPath, RelationName, show_duration};
use crate::telemetry::sessions::Session;

/// What `SELECT version()` answers: drivers look for PostgreSQL's name and number.
pub(super) const VERSION_LINE: &str =
    concat!("PostgreSQL 14.0 (keyhole ", env!("CARGO_PKG_VERSION"), ", control console)");

const VERSION: &str = concat!("keyhole ", env!("CARGO_PKG_VERSION"));

const HELP_COLUMNS: &[Column] = &[Column::text("command"), Column::text("description")];

const VERSION_COLUMNS: &[Column] = &[Column::text("version")];

const GRANT_COLUMNS: &[Column] = &[
    Column::int("id"),
    Column::text("state"),
    Column::text("subject"),
    Column::text("database"),
    Column::text("resource"),
    Column::text("actions"),
    Column::text("rows"),
    Column::text("networks"),
    Column::time("not_before"),
    Column::time("expires_at"),
    Column::text("reason"),
    Column::text("ticket"),
    Column::text("requester"),
    Column::text("approvers"),
    Column::int("request"),
    Column::text("policy"),
    Column::time("ended_at"),
    Column::text("ended_by"),
    Column::text("conditions"),
    Column::text("limits"),
    Column::text("used"),
    Column::text("review"),
];

const REQUEST_COLUMNS: &[Column] = &[
    Column::int("id"),
    Column::text("state"),
    Column::text("requester"),
    Column::text("groups"),
    Column::text("database"),
    Column::text("resource"),
    Column::text("actions"),
    Column::text("rows"),
    Column::text("duration"),
    Column::time("not_before"),
    Column::text("reason"),
    Column::text("ticket"),
    Column::text("policy"),
    Column::time("requested_at"),
    Column::int("approvals_needed"),
    Column::text("approvers"),
    Column::text("approved_by"),
    Column::time("decided_at"),
    Column::text("closed_by"),
    Column::text("closed_reason"),
    Column::int("grant"),
    Column::time("decide_by"),
    Column::int("extends"),
    Column::text("conditions"),
    Column::text("limits"),
    Column::text("urgency"),
];

/// What an approver is about to sign, and what it stands for.
pub(super) const CHALLENGE_COLUMNS: &[Column] = &[
    Column::int("request"),
    Column::text("challenge"),
    Column::text("requester"),
    Column::text("database"),
    Column::text("resource"),
    Column::text("actions"),
    Column::text("rows"),
    Column::text("duration"),
    Column::time("not_before"),
    Column::text("reason"),
    Column::text("ticket"),
];

const SESSION_COLUMNS: &[Column] = &[
    Column::int("id"),
    Column::text("user"),
    Column::text("database"),
    Column::text("address"),
    Column::text("application"),
    Column::text("state"),
    Column::time("since"),
    Column::int("statements"),
    Column::text("raw_columns"),
    Column::text("grants"),
];

const CATALOG_COLUMNS: &[Column] = &[
    Column::text("database"),
    Column::text("schema"),
    Column::text("table"),
    Column::text("column"),
    Column::text("class"),
    Column::text("hiding"),
    Column::text("sensitivity"),
    Column::text("upstream"),
];

const DATABASE_COLUMNS: &[Column] = &[
    Column::text("name"),
    Column::text("upstream"),
    Column::int("server_version"),
    Column::int("catalogued_columns"),
    Column::int("relations"),
    Column::int("schema_epoch"),
    Column::int("sessions"),
];

const RESTRICTION_COLUMNS: &[Column] = &[
    Column::text("user"),
    Column::text("restriction"),
    Column::time("since"),
    Column::time("until"),
    Column::text("by"),
    Column::text("reason"),
];

const STATS_COLUMNS: &[Column] =
    &[Column::text("name"), Column::text("labels"), Column::int("value")];

pub(super) fn columns(topic: Topic) -> &'static [Column] {
    match topic {
        Topic::Help => HELP_COLUMNS,
        Topic::Version => VERSION_COLUMNS,
        Topic::Grants => GRANT_COLUMNS,
        Topic::Requests => REQUEST_COLUMNS,
        Topic::Sessions => SESSION_COLUMNS,
        Topic::Catalog => CATALOG_COLUMNS,
        Topic::Policies => policies::COLUMNS,
        Topic::Databases => DATABASE_COLUMNS,
        Topic::Drift => drift::COLUMNS,
        Topic::Sinks => sinks::COLUMNS,
        Topic::Restrictions => RESTRICTION_COLUMNS,
        Topic::Stats => STATS_COLUMNS,
    }
}

/// The table as it is now.
pub(super) fn table(desk: &Desk, topic: Topic) -> Table {
    let rows = match topic {
        Topic::Help => {
            HELP.iter().map(|(form, about)| vec![(*form).into(), (*about).into()]).collect()
        }
        Topic::Version => vec![vec![VERSION.into()]],
        Topic::Grants => desk.approvals.grants().iter().map(grant_row).collect(),
        Topic::Requests => desk.approvals.requests().iter().map(request_row).collect(),
        Topic::Sessions => desk.sessions.list().iter().map(|s| session_row(s)).collect(),
        Topic::Catalog => (desk.databases)().iter().flat_map(catalog_rows).collect(),
        Topic::Policies => policies::rows(&(desk.policies)()),
        Topic::Databases => {
            let sessions = desk.sessions.list();
            (desk.databases)().iter().map(|database| database_row(database, &sessions)).collect()
        }
        Topic::Drift => (desk.databases)().iter().flat_map(drift::rows).collect(),
        Topic::Sinks => sinks::rows((desk.sinks)()),
        Topic::Restrictions => desk.approvals.restrictions().iter().map(restriction_row).collect(),
        Topic::Stats => {
            desk.take_stock();
            let row = |(name, labels, value): (String, String, i64)| {
                vec![name.into(), labels.into(), Cell::Int(value)]
            };
            desk.metrics.rows().into_iter().map(row).collect()
        }
    };
    Table { columns: columns(topic), rows }
}

/// The resource with its database, as it can be written in a GRANT.
pub(super) fn resource(grant: &Grant) -> String {
    Pattern { database: grant.database.clone(), resource: grant.resource.clone() }.to_string()
}

fn grant_row(view: &GrantView) -> Vec<Cell> {
    let grant = &view.grant;
    vec![
        grant.id.into(),
        view.state.as_str().into(),
        grant.subject.to_string().into(),
        grant.database.clone().into(),
        grant.resource.to_string().into(),
        actions(grant.actions),
        grant.rows.as_ref().map(|rows| rows.shown.clone()).into(),
        list(&grant.conditions.networks, Network::to_string),
        grant.not_before.into(),
        grant.expires_at.into(),
        grant.reason.clone().into(),
        grant.ticket.clone().into(),
        grant.requester.clone().into(),
        list(&grant.approvers, String::clone),
        grant.request.into(),
        grant.policy.clone().into(),
        view.ended_at.into(),
        view.ended_by.clone().into(),
        words(&grant.conditions),
        words(&grant.limits),
        view.used
            .map(|used| {
                format!("{} rows, {} uses, {} subjects", used.rows, used.uses, used.subjects)
            })
            .into(),
        review(view).into(),
    ]
}

fn review(view: &GrantView) -> Option<String> {
    let review = view.grant.review.as_ref()?;
    Some(match &view.reviewed_by {
        Some(name) => format!("reviewed by {name}"),
        None => {
            let reviewers: Vec<_> = review.reviewers.iter().map(Subject::to_string).collect();
            format!("due {} by {}", postgres_text(review.due), reviewers.join(", "))
        }
    })
}

/// NULL for nothing.
fn words(words: &impl ToString) -> Cell {
    let words = words.to_string();
    if words.is_empty() { Cell::Null } else { words.into() }
}

fn request_row(request: &Request) -> Vec<Cell> {
    let terms = &request.terms;
    vec![
        request.id.into(),
        request.state.as_str().into(),
        request.requester.clone().into(),
        list(&request.groups, String::clone),
        terms.database.clone().into(),
        terms.resource.to_string().into(),
        actions(terms.actions),
        terms.rows.as_ref().map(|rows| rows.shown.clone()).into(),
        show_duration(terms.duration).into(),
        terms.not_before.into(),
        terms.reason.clone().into(),
        terms.ticket.clone().into(),
        request.policy.clone().into(),
        request.requested_at.into(),
        u64::from(request.approvals_needed).into(),
        list(&request.approvers, Subject::to_string),
        list(&request.approved_by, String::clone),
        request.decided_at.into(),
        request.closed_by.clone().into(),
        request.closed_reason.clone().into(),
        request.grant.into(),
        request.decide_by.into(),
        request.extends.into(),
        words(&request.conditions),
        words(&terms.limits),
        match terms.urgency {
            Urgency::Ordinary => "ordinary",
            Urgency::BreakGlass => "break-glass",
        }
        .into(),
    ]
}

pub(super) fn challenge(request: &Request, challenge: &Challenge) -> Table {
    let terms = &request.terms;
    let row = vec![
        request.id.into(),
        challenge.as_str().into(),
        request.requester.clone().into(),
        terms.database.clone().into(),
        terms.resource.to_string().into(),
        actions(terms.actions),
        terms.rows.as_ref().map(|rows| rows.shown.clone()).into(),
        show_duration(terms.duration).into(),
        terms.not_before.into(),
        terms.reason.clone().into(),
        terms.ticket.clone().into(),
    ];
    Table { columns: CHALLENGE_COLUMNS, rows: vec![row] }
}

fn session_row(session: &Session) -> Vec<Cell> {
    let facts = &session.facts;
    let exposure = session.exposure();
    vec![
        session.id.into(),
        facts.user.to_string().into(),
        facts.database.to_string().into(),
        facts.address.map(|address| address.to_string()).into(),
        facts.application.to_string().into(),
        session.state().as_str().into(),
        facts.since.into(),
        session.statements().into(),
        list(&exposure.columns, ColumnPath::to_string),
        list(&exposure.grants, u64::to_string),
    ]
}

fn catalog_rows(database: &Database) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for table in &database.catalog.tables {
        for (column, class_name) in &table.columns {
            let class = database.catalog.classes.get(class_name);
            rows.push(vec![
                database.name.clone().into(),
                table.name.schema.clone().into(),
                table.name.name.clone().into(),
                column.clone().into(),
                class_name.clone().into(),
                class.map(hiding).into(),
                class.and_then(|class| class.sensitivity.clone()).into(),
                upstream(database, &table.name, column).into(),
            ]);
        }
    }
    rows
}

/// Whether a column of the catalog is there.
pub(super) fn upstream(database: &Database, table: &RelationName, column: &str) -> &'static str {
    match database.schema().map(|schema| schema.find(&table.schema, &table.name)) {
        None => "unknown",
        Some(Some(relation)) if relation.column(column).is_some() => "exists",
        Some(_) => "missing",
    }
}

/// How it is hidden, in words.
pub(super) fn hiding(class: &Class) -> String {
    match &class.hiding {
        Hiding::Deny => "deny".to_owned(),
        Hiding::Mask(MaskSpec::Redact) => "redact".to_owned(),
        Hiding::Mask(MaskSpec::Null) => "null".to_owned(),
        Hiding::Mask(MaskSpec::Constant { value }) => format!("constant '{value}'"),
        Hiding::Mask(MaskSpec::Partial { keep_first, keep_last }) => {
            format!("partial, first {keep_first} and last {keep_last} kept")
        }
        Hiding::Mask(MaskSpec::Email) => "email".to_owned(),
        Hiding::Mask(MaskSpec::Date { to: DatePrecision::Year }) => "date to year".to_owned(),
        Hiding::Mask(MaskSpec::Date { to: DatePrecision::Month }) => "date to month".to_owned(),
        Hiding::Mask(MaskSpec::Bucket { size }) => format!("bucket of {size}"),
        Hiding::Mask(MaskSpec::Ip { v4_prefix, v6_prefix }) => {
            format!("ip to /{v4_prefix} and /{v6_prefix}")
        }
    }
}

fn database_row(database: &Database, sessions: &[std::sync::Arc<Session>]) -> Vec<Cell> {
    let schema = database.schema();
    let columns: usize = database.catalog.tables.iter().map(|table| table.columns.len()).sum();
    let here = sessions.iter().filter(|session| *session.facts.database == *database.name).count();
    vec![
        database.name.clone().into(),
        database.upstream.clone().into(),
        schema.map(|schema| u64::from(schema.server_version)).into(),
        (columns as u64).into(),
        schema.map(|schema| schema.relations.len() as u64).into(),
        schema.map(|schema| schema.epoch.0).into(),
        (here as u64).into(),
    ]
}

fn restriction_row(restricted: &Restricted) -> Vec<Cell> {
    vec![
        restricted.user.clone().into(),
        restricted.restriction.as_str().into(),
        restricted.since.into(),
        restricted.until.into(),
        restricted.by.clone().into(),
        restricted.reason.clone().into(),
    ]
}

fn actions(actions: Actions) -> Cell {
    actions.to_string().into()
}

/// The parts with commas between them; NULL when there are none.
fn list<T>(parts: &[T], show: impl Fn(&T) -> String) -> Cell {
    let shown: Vec<_> = parts.iter().map(show).collect();
    if shown.is_empty() { Cell::Null } else { shown.join(", ").into() }
}
