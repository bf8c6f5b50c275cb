//! The audit log, asked: a form, charts of what was found over time, and the newest records.

mod question;
mod rows;

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};

use super::super::problem::Problem;
use super::super::sign_in::SignedIn;
use super::chart::{self, Span};
use super::form::Fields;
use super::layout::{self, Place};
use super::operators_only;
use super::parts::{field, nothing, trouble};
use crate::control::desk::{Asked, Deed};
use crate::control::explorer::{Extent, Findings, HOUR_SECS, Question, Stopped};
use crate::control::{Desk, answer};
use crate::model::Timestamp;
use question::{DECISIONS, KINDS, PERIODS};
pub(super) use rows::decision;

/// Records that are shown.
const ROWS_MAX: usize = 200;

const DAY_SECS: i64 = 24 * HOUR_SECS;

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    RawQuery(query): RawQuery,
) -> Response {
    if !who.is_operator() {
        return layout::problem(&operators_only());
    }
    let asked = Fields::read(query.unwrap_or_default().as_bytes());
    let now = (desk.clock)();
    let found = match question::read(&asked, &(desk.databases)(), now) {
        Ok(query) => {
            // Who looks at what others did is on record, too: that they did, and by which fields.
            let filled = Asked::of(|name| asked.some(name).is_some());
            answer::record(&desk, &who.operator(), Deed::Explore(filled), None);
            let question = Question { query, before: None, len: ROWS_MAX, extent: Extent::All };
            desk.explorer.search(&who.user.name, question).await.map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    let body = html! {
        (ask(&asked))
        @match &found {
            Ok(found) => (results(found, now)),
            Err(problem) => (trouble(&problem.words())),
        }
    };
    let page = layout::page(&desk, &who, Place::Audit, "Audit", &body);
    match found {
        Ok(_) => page,
        Err(problem) => layout::with_status(page, problem.status),
    }
}

fn ask(asked: &Fields) -> Markup {
    html! {
        form.card.search method="get" action="/audit" role="search" aria-label="Audit log" {
            div.grid {
                (field("User", "user", asked.get("user"), "alice"))
                (field("Column", "column", asked.get("column"), "customers.email"))
                (field("Table", "table", asked.get("table"), "customers"))
                (choice("Kind", "kind", KINDS, asked))
                (choice("Decision", "decision", DECISIONS, asked))
                (choice("Period", "period", PERIODS, asked))
                label.field { span { "From (UTC)" }
                    input type="datetime-local" name="since" value=(asked.get("since")); }
                label.field { span { "Until (UTC)" }
                    input type="datetime-local" name="until" value=(asked.get("until")); }
            }
            details open[question::is_fine(asked)] {
                summary { "More" }
                div.grid {
                    (field("Group", "group", asked.get("group"), "support"))
                    (field("Class", "class", asked.get("class"), "email"))
                    (field("Database", "database", asked.get("database"), "shop"))
                    (field("Address", "address", asked.get("address"), "10.1.0.0/16"))
                    (field("Application", "application", asked.get("application"), "psql"))
                    (field("Grant", "grant", asked.get("grant"), "7"))
                    (field("Request", "request", asked.get("request"), "12"))
                    (field("Session", "session", asked.get("session"), "3"))
                    (field("Words", "words", asked.get("words"), "in text or reason"))
                }
            }
            div.actions { button { "Search" } a.button.quiet href="/audit" { "Clear" } }
        }
    }
}

fn choice(label: &str, name: &str, choices: &[(&str, &str)], asked: &Fields) -> Markup {
    html! {
        label.field {
            span { (label) }
            select name=(name) {
                @for (value, word) in choices {
                    option value=(value) selected[asked.get(name) == *value] { (word) }
                }
            }
        }
    }
}

fn results(found: &Findings, now: Timestamp) -> Markup {
    let begin = |secs: i64| now.as_second().div_euclid(secs) * secs;
    let hours = Span { last: begin(HOUR_SECS), bars: 48, secs: HOUR_SECS };
    let days = Span { last: begin(DAY_SECS), bars: 30, secs: DAY_SECS };
    html! {
        section aria-labelledby="activity" {
            header.row { h2 id="activity" { "Activity" } (chart::legend()) }
            div.charts {
                (chart::bars("By hour, two days", &found.activity, hours, "%m-%d %H:00"))
                (chart::bars("By day, thirty days", &found.activity, days, "%Y-%m-%d"))
            }
        }
        section aria-labelledby="records" {
            h2 id="records" { (found.found) " records" }
            (reach(found, ROWS_MAX))
            @if found.hits.is_empty() { (nothing("Nothing was found.")) }
            @else { (rows::table(found.records())) }
        }
    }
}

/// How far the search came.
pub(super) fn reach(found: &Findings, shown: usize) -> Markup {
    html! {
        p.soft {
            @if found.found > shown as u64 { "The newest " (shown) " are shown. " }
            (found.lines) " lines were read"
            @if let Some(back_to) = found.back_to {
                ", back to " (back_to.strftime("%Y-%m-%d %H:%M")) " UTC"
            }
            "."
        }
        @match found.stopped {
            None => {},
            Some(Stopped::Time) => (stopped("the time for a page was over")),
            Some(Stopped::Lines) => (stopped("a page reads no more lines")),
        }
        @if found.unreadable > 0 { p.trouble { (found.unreadable) " lines could not be read." } }
    }
}

fn stopped(why: &str) -> Markup {
    html! { p.warn role="status" {
        "The search stopped early: " (why) ". Ask for a shorter period, or run "
        code { "keyhole audit search" } ", which reads everything and checks the chain."
    } }
}
