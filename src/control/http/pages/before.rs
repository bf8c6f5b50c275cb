//! What somebody ran on the columns they ask for, shortly before they asked: statements without
//! their constants, as the audit log has them.

use std::collections::HashSet;

use jiff::ToSpan;
use maud::{Markup, html};

use super::case;
use super::parts::{ago, nothing, table, text, trouble};
use crate::audit::query::Query;
use crate::audit::{Kind, Record};
use crate::control::desk::{Asked, Deed};
use crate::control::explorer::{Extent, Question};
use crate::control::http::problem::Problem;
use crate::control::http::sign_in::SignedIn;
use crate::control::{Desk, answer};
use crate::grant::Request;
use crate::model::Timestamp;

/// How long before the request.
const HOURS: i64 = 1;

/// Statements that are looked through, the newest first, and of those, different ones shown.
const STATEMENTS_MAX: usize = 500;
const SHAPES_MAX: usize = 5;

/// Reads the log, in the explorer's bounds. Nothing of who may not decide on the request: those
/// see their own statements in their own client.
pub(super) async fn section(desk: &Desk, who: &SignedIn, request: &Request) -> Markup {
    if !super::layout::may_decide(request, who) {
        return html! {};
    }
    let columns = case::columns(desk, request);
    if columns.is_empty() {
        return html! {};
    }
    let Ok(since) = request.requested_at.checked_sub(HOURS.hours()) else { return html! {} };
    let query = Query {
        users: vec![request.requester.to_string()],
        databases: vec![request.terms.database.to_string()],
        columns,
        kinds: vec![Kind::Statement],
        since: Some(since),
        ..Query::default()
    };
    let asked = ["user", "database", "column", "kind", "since"];
    let filled = Asked::of(|name| asked.contains(&name));
    answer::record(desk, &who.operator(), Deed::Explore(filled), None);
    let question = Question { query, before: None, len: STATEMENTS_MAX, extent: Extent::Enough };
    let found = desk.explorer.search(&who.user.name, question).await;
    let now = (desk.clock)();
    html! {
        section aria-labelledby="before" {
            h2 id="before" { "What " (request.requester) " ran on it" }
            @match found {
                Ok(found) => (shapes(found.records(), now)),
                Err(report) => (trouble(&Problem::from(report).words())),
            }
        }
    }
}

fn shapes<'a>(records: impl Iterator<Item = &'a Record>, now: Timestamp) -> Markup {
    let mut seen = HashSet::new();
    let rows: Vec<Vec<Markup>> = records
        .filter(|record| seen.insert(record.fingerprint.as_deref()))
        .take(SHAPES_MAX)
        .map(|record| {
            vec![
                html! { code.details { (record.text.as_deref().unwrap_or_default()) } },
                super::audit::decision(record),
                text(record.application.as_deref().unwrap_or_default()),
                ago(record.time, now),
            ]
        })
        .collect();
    if rows.is_empty() {
        return nothing("Nothing within the hour before the request, or since.");
    }
    html! { (table("Statements", &["Statement, without its constants", "Answer", "From", "Last"], &rows)) }
}
