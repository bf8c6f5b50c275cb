//! The answer in words, as CSV, JSON or a page. None of them holds the row's keys.

use std::fmt::Write;

use serde::Serialize;

use crate::audit::exposure::{Exposure, GrantSaid, Sight};
use crate::cli::audit::cells::escaped;

/// What was asked.
#[derive(Serialize)]
pub(super) struct About<'a> {
    pub(super) table: &'a str,
    #[serde(rename = "keys")]
    pub(super) columns: &'a [&'a str],
}

impl About<'_> {
    fn heading(&self) -> String {
        format!("Who has seen one row of {}, by its {}", self.table, self.columns.join(", "))
    }
}

pub(super) fn words(about: &About<'_>, exposure: &Exposure) -> String {
    let mut text = format!("{}\n", about.heading());
    for (title, sights) in parts(exposure) {
        let _ = write!(text, "\n{title}: {}\n", count(sights));
        for sight in sights {
            let _ = writeln!(text, "\n  {}  {}", sight.time, who(sight));
            let _ = writeln!(text, "    {}", what(sight));
            for (grant, said) in grants(sight, exposure) {
                let _ = writeln!(text, "    {}", why(grant, said));
            }
            if let Some(doubt) = &sight.doubt {
                let _ = writeln!(text, "    in doubt: {doubt}");
            }
        }
    }
    text
}

fn parts(exposure: &Exposure) -> [(&'static str, &[Sight]); 2] {
    [("Saw it", &exposure.saw), ("May have seen it", &exposure.may_have_seen)]
}

fn count(sights: &[Sight]) -> String {
    let mut users: Vec<&str> = sights.iter().map(|sight| &*sight.user).collect();
    users.sort_unstable();
    users.dedup();
    match users.as_slice() {
        [] => "nobody".to_owned(),
        users if sights.len() == 1 => format!("{} in 1 statement", users.join(", ")),
        users => format!("{} in {} statements", users.join(", "), sights.len()),
    }
}

fn who(sight: &Sight) -> String {
    let Sight { user, database, application, session, statement, address, .. } = sight;
    let from = address.map(|address| format!(" from {address}")).unwrap_or_default();
    format!(
        "{user}{from}, database {database}, application {application} \
         (session {session}, statement {statement})"
    )
}

fn what(sight: &Sight) -> String {
    let Sight { columns, looked_up, rows, by, .. } = sight;
    let mut text = String::new();
    if !columns.is_empty() {
        let _ = write!(text, "shown: {}", columns.join(", "));
    }
    if !looked_up.is_empty() {
        let between = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{between}looked up by: {}", looked_up.join(", "));
    }
    if !by.is_empty() {
        let _ = write!(text, "; told by {}", by.join(", "));
    }
    let _ = write!(text, "; rows of the result: {rows}");
    text
}

fn grants<'a>(
    sight: &'a Sight,
    exposure: &'a Exposure,
) -> impl Iterator<Item = (u64, Option<&'a GrantSaid>)> {
    sight.grants.iter().map(|grant| (*grant, exposure.grant(*grant)))
}

fn why(grant: u64, said: Option<&GrantSaid>) -> String {
    let Some(GrantSaid { request, subject, reason, by, approvers, policy }) = said else {
        return format!("grant {grant}: the log does not say more");
    };
    let mut text = format!("grant {grant}");
    let parts = [
        subject.as_ref().map(|subject| format!(" to {subject}")),
        reason.as_ref().map(|reason| format!(", because: {reason}")),
        request.map(|request| format!("; request {request}")),
        by.as_ref().map(|by| format!("; asked for by {by}")),
        policy.as_ref().map(|policy| format!("; policy \"{policy}\"")),
        (!approvers.is_empty()).then(|| format!("; approved by {}", approvers.join(", "))),
    ];
    text.extend(parts.into_iter().flatten());
    text
}

pub(super) fn json(about: &About<'_>, exposure: &Exposure) -> String {
    let answer = Answer {
        about,
        saw: told(&exposure.saw, exposure),
        may_have_seen: told(&exposure.may_have_seen, exposure),
    };
    serde_json::to_string_pretty(&answer).unwrap_or_default()
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    about: &'a About<'a>,
    saw: Vec<Told<'a>>,
    may_have_seen: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    sight: &'a Sight,
    why: Vec<Why<'a>>,
}

#[derive(Serialize)]
struct Why<'a> {
    grant: u64,
    #[serde(flatten)]
    said: Option<&'a GrantSaid>,
}

fn told<'a>(sights: &'a [Sight], exposure: &'a Exposure) -> Vec<Told<'a>> {
    let why = |sight| grants(sight, exposure).map(|(grant, said)| Why { grant, said }).collect();
    sights.iter().map(|sight| Told { sight, why: why(sight) }).collect()
}

const COLUMNS: [&str; 14] = [
    "saw",
    "time",
    "user",
    "address",
    "application",
    "database",
    "session",
    "statement",
    "columns",
    "looked_up",
    "rows",
    "told_by",
    "grants",
    "doubt",
];

fn cells(sight: &Sight, exposure: &Exposure) -> [String; 14] {
    let why: Vec<String> = grants(sight, exposure).map(|(id, said)| why(id, said)).collect();
    [
        if sight.doubt.is_none() { "yes" } else { "maybe" }.to_owned(),
        sight.time.to_string(),
        sight.user.clone(),
        sight.address.map(|address| address.to_string()).unwrap_or_default(),
        sight.application.clone(),
        sight.database.clone(),
        sight.session.to_string(),
        sight.statement.to_string(),
        sight.columns.join(" "),
        sight.looked_up.join(" "),
        sight.rows.to_string(),
        sight.by.join(" "),
        why.join(" | "),
        sight.doubt.as_ref().map(ToString::to_string).unwrap_or_default(),
    ]
}

fn all(exposure: &Exposure) -> impl Iterator<Item = &Sight> {
    exposure.saw.iter().chain(&exposure.may_have_seen)
}

pub(super) fn csv(exposure: &Exposure) -> String {
    let mut text = COLUMNS.join(",");
    for sight in all(exposure) {
        text.push('\n');
        let cells = cells(sight, exposure).map(|cell| csv_cell(&cell));
        text.push_str(&cells.join(","));
    }
    text
}

/// A spreadsheet runs what begins like a formula, and what people wrote is in here.
fn csv_cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    let text = format!("{guard}{text}");
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

pub(super) fn html(about: &About<'_>, exposure: &Exposure) -> String {
    let heading = escaped(&about.heading());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{heading}</title>\n\
         <style>body{{font:15px system-ui;margin:2em}}table{{border-collapse:collapse}}\
         td,th{{border:1px solid #ccc;padding:.3em .6em;text-align:left;vertical-align:top}}</style>\
         </head>\n<body><h1>{heading}</h1>\n"
    );
    for (title, sights) in parts(exposure) {
        let _ = writeln!(page, "<h2>{title}: {}</h2>", escaped(&count(sights)));
        if sights.is_empty() {
            continue;
        }
        let head: String = COLUMNS[1..].iter().map(|name| format!("<th>{name}</th>")).collect();
        let _ = writeln!(page, "<table><tr>{head}</tr>");
        for sight in sights {
            let cells = cells(sight, exposure);
            let row: String =
                cells[1..].iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect();
            let _ = writeln!(page, "<tr>{row}</tr>");
        }
        page.push_str("</table>\n");
    }
    page.push_str("</body></html>");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_is_text_in_every_form() {
        assert_eq!(csv_cell("=1+1"), "'=1+1");
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_cell("-x\ny"), "\"'-x\ny\"");
        assert_eq!(csv_cell("plain"), "plain");
        assert_eq!(escaped("<b a='1' c=\"2\">&"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;");
    }
}
