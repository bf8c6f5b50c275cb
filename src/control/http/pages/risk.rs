//! What the rules over the log have found of late, and who is restricted.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use jiff::ToSpan;
use maud::{Markup, html};

use super::super::problem::Problem;
use super::super::sign_in::SignedIn;
use super::audit::reach;
use super::layout::{self, Place};
use super::parts::{Tone, ago, badge, nothing, table, text, trouble};
use super::{operators_only, restrict};
use crate::audit::query::Query;
use crate::audit::{Kind, Record};
use crate::control::Desk;
use crate::control::explorer::{Extent, Findings, Question};
use crate::model::Timestamp;

const DAYS: i64 = 30;
const ROWS_MAX: usize = 200;

pub(super) async fn show(State(desk): State<Arc<Desk>>, who: SignedIn) -> Response {
    if !who.is_operator() {
        return layout::problem(&operators_only());
    }
    let now = (desk.clock)();
    let since = now.checked_sub((24 * DAYS).hours()).ok();
    let query = Query { kinds: vec![Kind::Signal], since, ..Query::default() };
    let question = Question { query, before: None, len: ROWS_MAX, extent: Extent::All };
    let found = desk.explorer.search(&who.user.name, question).await;
    let body = html! {
        section {
            h2 { "Restrictions" }
            (restrict::list(&desk, &who, "/live"))
            (restrict::form(&who, "/live", ""))
        }
        section {
            h2 { "Signals of the last " (DAYS) " days" }
            @match &found {
                Ok(found) => (signals(found, now)),
                Err(report) => (trouble(&Problem::from(report.clone()).words())),
            }
        }
    };
    let page = layout::page(&desk, &who, Place::Risk, "Risk", &body);
    match found {
        Ok(_) => page,
        Err(report) => layout::with_status(page, Problem::from(report).status),
    }
}

fn signals(found: &Findings, now: Timestamp) -> Markup {
    let mut by_rule: BTreeMap<&str, u64> = BTreeMap::new();
    for record in found.records() {
        *by_rule.entry(record.rule.as_deref().unwrap_or_default()).or_default() += 1;
    }
    let row = |record: &Record| {
        let figures: Vec<_> =
            record.figures.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let severity = record.severity.as_deref().unwrap_or_default();
        let whose = record.user.clone().or(record.address.map(|address| address.to_string()));
        vec![
            ago(record.time, now),
            badge(tone(severity), severity),
            text(record.rule.as_deref().unwrap_or_default()),
            html! { @if let Some(user) = &record.user {
                a href=(format!("/audit?{}", link("user", user))) { (user) }
            } @else { (whose.unwrap_or_default()) } },
            text(&record.session.map(|id| id.to_string()).unwrap_or_default()),
            text(&figures.join(", ")),
            text(&record.actions.join(", ")),
            text(&record.seq.to_string()),
        ]
    };
    let rows: Vec<_> = found.records().map(row).collect();
    const HEADS: [&str; 8] =
        ["When", "Severity", "Rule", "Who", "Session", "Figures", "What was done", "Record"];
    html! {
        @if rows.is_empty() { (nothing("No rule has found anything.")) } @else {
            div.tiles { @for (rule, count) in by_rule {
                div.tile { p.soft { (rule) } p.figure { (count) } }
            } }
            (table("Signals", &HEADS, &rows))
        }
        (reach(found, ROWS_MAX))
    }
}

/// A field of a link's query.
pub(super) fn link(name: &str, value: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}

fn tone(severity: &str) -> Tone {
    match severity {
        "high" | "critical" => Tone::Bad,
        "medium" | "warning" => Tone::Wait,
        _ => Tone::Plain,
    }
}
