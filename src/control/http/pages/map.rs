//! The map of personal data: which columns, of which class, how they are hidden, who sees them now.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};

use super::super::sign_in::SignedIn;
use super::drifted;
use super::findings;
use super::form::Fields;
use super::layout::{self, Place};
use super::parts;
use super::parts::{Tone, ago, badge, nothing, text};
use crate::audit::Kind;
use crate::audit::query::Query;
use crate::catalog::Table;
use crate::control::desk::Database;
use crate::control::explorer::{Extent, Question};
use crate::control::{Desk, show as words};
use crate::grant::{CataloguedColumn, GrantState, GrantView, Pattern};
use crate::model::{ColumnPath, Timestamp};

/// Columns that are shown of a database.
const COLUMNS_MAX: usize = 2_000;

/// Records of raw releases that are looked through for when a column was last shown.
const RELEASES_MAX: usize = 20_000;

/// Whether, and when, each column was last shown raw, as far as the log could be read.
struct LastSeen {
    by_column: HashMap<(String, String), Timestamp>,
    back_to: Option<Timestamp>,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Fields::read(query.unwrap_or_default().as_bytes());
    let filter = asked.get("q").to_lowercase();
    // Who is no operator sees what is hidden, and not what others do.
    let seen = if who.is_operator() { Some(last_seen(&desk, &who).await) } else { None };
    let mut grants = desk.approvals.grants();
    grants.retain(|view| {
        matches!(view.state, GrantState::Active | GrantState::Standing) && who.may_see_grant(view)
    });
    let databases = (desk.databases)();
    let body = html! {
        form.inline.search method="get" action="/map" role="search" {
            label.field { span { "Find" }
                input type="search" name="q" value=(asked.get("q")) placeholder="table, column or class"; }
            button.quiet { "Find" }
        }
        @for database in &databases { (one(database, &grants, seen.as_ref(), &filter, (desk.clock)())) }
        @if databases.is_empty() { (nothing("There is no database.")) }
        (findings::way(&who, &databases))
        @if let Some(LastSeen { back_to: Some(back_to), .. }) = &seen {
            p.soft { "“Last raw” is read from the audit log, back to "
                (back_to.strftime("%Y-%m-%d %H:%M")) " UTC." }
        }
    };
    layout::page(&desk, &who, Place::Map, "PII map", &body)
}

async fn last_seen(desk: &Desk, who: &SignedIn) -> LastSeen {
    let query = Query { kinds: vec![Kind::Release], ..Query::default() };
    // Without an answer, the page is still a map.
    let question = Question { query, before: None, len: RELEASES_MAX, extent: Extent::All };
    let found = desk.explorer.search(&who.user.name, question).await.unwrap_or_default();
    let mut by_column = HashMap::new();
    for record in found.records() {
        let database = record.database.as_deref().unwrap_or_default();
        for column in &record.raw_columns {
            by_column.entry((database.to_owned(), column.clone())).or_insert(record.time);
        }
    }
    LastSeen { by_column, back_to: found.back_to }
}

fn one(
    database: &Database,
    grants: &[GrantView],
    seen: Option<&LastSeen>,
    filter: &str,
    now: Timestamp,
) -> Markup {
    let columns: usize = database.catalog.tables.iter().map(|table| table.columns.len()).sum();
    let of_table = |table: &Table| rows(database, table, grants, seen, filter, now);
    let tables: Vec<_> = database
        .catalog
        .tables
        .iter()
        .scan(0, |shown, table| {
            *shown += table.columns.len();
            (*shown <= COLUMNS_MAX).then_some(table)
        })
        .map(|table| (table, of_table(table)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    html! {
        section {
            header.row {
                h2 { (database.name) }
                span.soft { (database.upstream) ", " (columns) " columns of "
                    (database.catalog.tables.len()) " tables" }
                @if database.world.is_none() { (badge(Tone::Bad, "its schema is not known")) }
            }
            @if seen.is_some() {
                @for drifted in &database.drift { (drifted::section(drifted, now)) }
            }
            @if tables.is_empty() { (nothing("Nothing here is catalogued, or nothing fits.")) }
            @for (table, rows) in &tables {
                h3 { (table.name) }
                (parts::table(&format!("Columns of {} in {}", table.name, database.name),
                    heads(seen), rows))
            }
            @if columns > COLUMNS_MAX { p.soft { "The first " (COLUMNS_MAX) " columns are looked at." } }
        }
    }
}

fn heads(seen: Option<&LastSeen>) -> &'static [&'static str] {
    const ALL: [&str; 5] = ["Column", "Class", "Hidden as", "Who sees it now", "Last raw"];
    if seen.is_some() { &ALL } else { &ALL[..4] }
}

fn rows(
    database: &Database,
    table: &Table,
    grants: &[GrantView],
    seen: Option<&LastSeen>,
    filter: &str,
    now: Timestamp,
) -> Vec<Vec<Markup>> {
    let relation =
        database.schema().map(|schema| schema.find(&table.name.schema, &table.name.name));
    let mut rows = Vec::new();
    for (name, class_name) in &table.columns {
        let path = ColumnPath { relation: table.name.clone(), column: name.clone() };
        let fits = [database.name.as_str(), &path.to_string(), class_name]
            .iter()
            .any(|text| text.to_lowercase().contains(filter));
        if !fits {
            continue;
        }
        let class = database.catalog.classes.get(class_name);
        let is_missing = relation.is_some_and(|it| it.and_then(|it| it.column(name)).is_none());
        let column = CataloguedColumn { path, class: class_name.clone() };
        let sensitivity = class.and_then(|class| class.sensitivity.as_deref());
        let mut row = vec![
            html! { code { (name) } @if is_missing { " " (badge(Tone::Bad, "missing")) } },
            html! { (class_name) @if let Some(word) = sensitivity { " " span.badge { (word) } } },
            text(&class.map(words::hiding).unwrap_or_default()),
            who_sees(&database.name, &column, grants),
        ];
        if let Some(seen) = seen {
            let last = seen.by_column.get(&(database.name.clone(), column.path.to_string()));
            row.push(html! { @if let Some(at) = last { (ago(*at, now)) } @else { "–" } });
        }
        rows.push(row);
    }
    rows
}

/// Grants that show the column, as links.
pub(super) fn who_sees(database: &str, column: &CataloguedColumn, grants: &[GrantView]) -> Markup {
    let shows = |view: &&GrantView| {
        let grant = &view.grant;
        let resource = grant.resource.clone();
        let pattern = Pattern { database: None, resource };
        grant.database.as_deref().is_none_or(|own| own == database) && pattern.is_of(column)
    };
    let found: Vec<_> = grants.iter().filter(shows).collect();
    html! {
        @if found.is_empty() { span.soft { "nobody" } }
        @for (at, view) in found.iter().enumerate() {
            @if at > 0 { ", " }
            a href=(format!("/grants/{}", view.grant.id)) { (view.grant.subject) }
            @if view.grant.rows.is_some() { span.soft { " (some rows)" } }
        }
    }
}
