//! The account for people: a table for each kind of change, the worst first.

use super::account::{LostRow, Report, RequestRow, Row};
use super::change::Kind;
use crate::cli::audit::cells::{cut, shown, table};

/// Characters of a statement, and of a reason, that a table shows.
const EXAMPLE_MAX: usize = 100;
const DETAIL_MAX: usize = 70;

/// Rows of one table; `--json` has all.
const ROWS_MAX: usize = 200;

pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        let rows: Vec<&Row> = report.changes.iter().filter(|row| row.change == kind).collect();
        if kind == Kind::Requests {
            text.push_str(&requests(&report.requests_changed));
        }
        if !rows.is_empty() {
            text.push_str(&of_kind(kind, &rows));
        }
    }
    text.push_str(&not_replayed(&report.not_replayed));
    if !report.differing.is_empty() {
        text.push_str(&differing(report));
    }
    text.push_str(&summary(report));
    text
}

fn headed(title: &str, titles: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let left_out = rows.len().saturating_sub(ROWS_MAX);
    let rows = &rows[..rows.len() - left_out];
    let more =
        if left_out > 0 { format!("and {left_out} more: see --json\n") } else { String::new() };
    format!("{title}\n{}{more}\n", table(titles, right, rows))
}

fn of_kind(kind: Kind, rows: &[&Row]) -> String {
    let by_column = rows.iter().any(|row| !row.column.is_empty());
    let cells = |row: &&Row| {
        let mut cells = vec![shown(&row.user), shown(&row.application), shown(&row.database)];
        if by_column {
            cells.extend([shown(&row.column), shown(&row.class)]);
        }
        cells.extend([
            cut(&shown(&row.detail), DETAIL_MAX),
            row.statements.to_string(),
            row.shapes.to_string(),
            cut(&shown(&row.example), EXAMPLE_MAX),
        ]);
        cells
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let mut titles = vec!["user", "application", "database"];
    if by_column {
        titles.extend(["column", "class"]);
    }
    titles.extend(["how", "statements", "different", "such as"]);
    let first = titles.len() - 3;
    headed(kind.title(), &titles, &[first, first + 1], &rows)
}

fn requests(rows: &[RequestRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let cells = |row: &RequestRow| {
        vec![
            shown(&row.user),
            shown(&row.database),
            shown(&row.resource),
            row.actions.clone(),
            format!("{} -> {}", row.before, row.after),
            row.requests.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let titles = ["user", "database", "what", "to", "granted", "requests"];
    headed(Kind::Requests.title(), &titles, &[5], &rows)
}

fn not_replayed(rows: &[LostRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let cells = |row: &LostRow| {
        vec![row.why.clone(), shown(&row.user), shown(&row.application), row.statements.to_string()]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    headed("not replayed", &["why", "user", "application", "statements"], &[3], &rows)
}

fn differing(report: &Report) -> String {
    let cells = |row: &super::account::Differing| {
        vec![
            shown(&row.user),
            cut(&shown(&row.log), DETAIL_MAX),
            cut(&shown(&row.simulated), DETAIL_MAX),
            row.statements.to_string(),
            cut(&shown(&row.example), EXAMPLE_MAX),
        ]
    };
    let rows: Vec<Vec<String>> = report.differing.iter().map(cells).collect();
    let titles = ["user", "in the log", "as configured now", "statements", "such as"];
    headed("of which the log says something else", &titles, &[3], &rows)
}

fn summary(report: &Report) -> String {
    let lost: u64 = report.not_replayed.iter().map(|row| row.statements).sum();
    let mut text = format!(
        "{} statements replayed ({} different, by user and application), {} of them the same; {} \
         not replayed\n",
        report.replayed, report.shapes, report.unchanged, lost
    );
    if report.requests > 0 {
        let changed: u64 = report.requests_changed.iter().map(|row| row.requests).sum();
        text.push_str(&format!(
            "{} requests asked again, {changed} of them decided otherwise\n",
            report.requests
        ));
    }
    let compared = report.log_agrees + report.log_differs;
    if compared > 0 {
        text.push_str(&format!(
            "the log says the same as the configuration does now for {} of {compared} statements\n",
            report.log_agrees
        ));
    }
    if report.grants_unknown > 0 {
        text.push_str(&format!(
            "{} statements were shown something by grants that are not in this log: taken as if \
             there were none\n",
            report.grants_unknown
        ));
    }
    if report.unread > 0 {
        text.push_str(&format!("{} records could not be read\n", report.unread));
    }
    text.push_str(if report.worse {
        "something would change for the worse"
    } else {
        "nothing would change for the worse"
    });
    text
}
