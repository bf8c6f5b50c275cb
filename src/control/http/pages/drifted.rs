//! On the map: where a catalog and its database have moved apart.

use maud::{Markup, html};

use super::parts::{self, Tone, ago, badge, text};
use crate::control::desk::Drifted;
use crate::discovery::drift::{Found, Severity};
use crate::model::Timestamp;

/// What is shown of a database.
const ROWS_MAX: usize = 200;

/// Nothing if nothing has; notes are folded away.
pub(super) fn section(drifted: &Drifted, now: Timestamp) -> Markup {
    let Drifted { database, found } = drifted;
    let is_note = |found: &&Found| found.drift.severity == Severity::Note;
    let (notes, drift): (Vec<_>, Vec<_>) = found.iter().partition(is_note);
    html! {
        @if !drift.is_empty() {
            h3 { "Drift of " (database) }
            (table("Drift", database, &drift, now))
        }
        @if !notes.is_empty() {
            details.inner {
                summary { (notes.len()) " more that are hidden or refused already" }
                (table("Notes", database, &notes, now))
            }
        }
    }
}

fn table(what: &str, database: &str, found: &[&Found], now: Timestamp) -> Markup {
    let rows = found.iter().take(ROWS_MAX).map(|found| row(found, now)).collect::<Vec<_>>();
    html! {
        (parts::table(&format!("{what} of {database}"),
            &["Kind", "What", "Catalog", "Known for"], &rows))
        @if found.len() > ROWS_MAX {
            p.soft { "The first " (ROWS_MAX) " of " (found.len()) ": " code { "SHOW DRIFT" } " lists all." }
        }
    }
}

fn row(Found { drift, since }: &Found, now: Timestamp) -> Vec<Markup> {
    let tone = match drift.severity {
        Severity::Problem => Tone::Bad,
        Severity::Warning => Tone::Wait,
        Severity::Note => Tone::Plain,
    };
    let file = drift.place.rsplit('/').next().unwrap_or_default();
    vec![
        badge(tone, drift.kind.as_str()),
        text(&drift.words),
        html! {
            @if drift.place.is_empty() { "–" } @else { code title=(drift.place) { (file) } }
        },
        ago(*since, now),
    ]
}
