//! Records as rows.

use maud::{Markup, html};

use super::super::parts::{self, Tone, badge, text};
use super::super::risk::link;
use crate::audit::{Decision, Kind, Record};

const HEADS: [&str; 8] =
    ["Record", "Time (UTC)", "Who", "What", "Columns", "Rows", "Grants", "Details"];

/// Of a text, so much stands in a row.
const CHARS_MAX: usize = 240;

pub(super) fn table<'a>(records: impl Iterator<Item = &'a Record>) -> Markup {
    let rows: Vec<_> = records.map(row).collect();
    parts::table("Records", &HEADS, &rows)
}

fn row(record: &Record) -> Vec<Markup> {
    let who = record.user.as_ref().or(record.by.as_ref());
    let rows = (record.kind == Kind::Statement).then(|| record.rows().to_string());
    let grants: Vec<u64> = record.grants.iter().chain(&record.grant).copied().collect();
    vec![
        html! { (record.seq) },
        html! { time datetime=(record.time) { (record.time.strftime("%m-%d %H:%M:%S")) } },
        html! { @if let Some(who) = who { a href=(format!("/audit?{}", link("user", who))) { (who) } } },
        decision(record),
        html! { @for name in columns(record) { code { (name) } " " } },
        text(rows.as_deref().unwrap_or_default()),
        html! { @for id in grants { a href=(format!("/audit?grant={id}")) { (id) } " " } },
        html! { span.details { (details(record)) } },
    ]
}

/// How the statement was answered, or else what happened.
pub(in super::super) fn decision(record: &Record) -> Markup {
    let tone = match (record.decision, record.kind) {
        (Some(Decision::Raw), _) => Tone::Wait,
        (Some(Decision::Refused | Decision::Cut), _) | (None, Kind::LoginFailed) => Tone::Bad,
        (Some(Decision::Shown | Decision::Computed), _) => Tone::Good,
        (Some(_) | None, _) => Tone::Plain,
    };
    let word = record.decision.map(|decision| match serde_json::to_value(decision) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    });
    html! {
        @match (word, record.step.as_deref()) {
            (Some(word), _) => (badge(tone, &word)),
            (None, Some(step)) => { (record.kind.as_str()) " " (badge(tone, step)) },
            (None, None) => (badge(tone, record.kind.as_str())),
        }
    }
}

/// Each once: what was raw, what was compared, what was masked, or else what it is about.
fn columns(record: &Record) -> Vec<&str> {
    let shown = [&record.raw_columns, &record.looked_up_columns, &record.masked_columns];
    let mut names: Vec<&str> = shown.into_iter().flatten().map(String::as_str).collect();
    if names.is_empty() {
        names = record.pii_columns.iter().chain(&record.resources).map(String::as_str).collect();
    }
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(*name));
    names
}

fn details(record: &Record) -> String {
    let mut said: Vec<String> = Vec::new();
    if record.kind == Kind::Grant {
        said.extend(record.request.map(|id| format!("request {id}")));
        said.extend(record.subject.as_ref().map(|subject| format!("for {subject}")));
        said.extend(record.predicate().map(|rows| format!("where {rows}")));
    }
    let words = [&record.rule, &record.sqlstate, &record.text, &record.method, &record.reason];
    said.extend(words.into_iter().flatten().cloned());
    if record.kind == Kind::Logout {
        said.extend(record.by.as_ref().map(|by| format!("by {by}")));
    }
    let mut line = said.join(" · ");
    if let Some((end, _)) = line.char_indices().nth(CHARS_MAX) {
        line.truncate(end);
        line.push('…');
    }
    line
}
