//! The page: one file without scripts, that loads nothing, for screens and paper.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Column, Report, Skipped, Standing, Totals, one_line};

const STYLE: &str = include_str!("page.css");
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Findings of one column that are told.
const FINDINGS_MAX: usize = 6;

pub(super) fn page(report: &Report<'_>, now: &str) -> String {
    let title = format!("Personal data in {}", one_line(report.database));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    p.period { "Sampled " (now) }
                    (verdict(report))
                }
                main {
                    (tiles(&report.totals))
                    (contents(report))
                    @for standing in Standing::ALL { (section(report, standing)) }
                    (others("skipped", "Not read", "Only names, types and comments were looked at.",
                        &report.skipped))
                    (others("notes", "Read in part", "Rows that the account may not see were not \
                        looked at.", &report.notes))
                }
                footer {
                    p {
                        "Made by keyhole " (env!("CARGO_PKG_VERSION")) ". Nothing here is a value of \
                        the database: samples were counted and forgotten."
                    }
                }
            }
        }
    };
    page.into_string()
}

fn verdict(report: &Report<'_>) -> Markup {
    let new = report.totals.new;
    let incomplete = report.skipped.len();
    html! {
        p.chain.(if new == 0 && incomplete == 0 { "good" } else { "bad" }) role="status" {
            strong {
                @match new {
                    0 => "Nothing new.",
                    1 => "1 column is not in the catalog.",
                    more => { (more) " columns are not in the catalog." }
                }
            }
            " They look like personal data with a confidence of " (report.at_least) " % or more."
            @if incomplete > 0 { " Of " (incomplete) " tables no values were read." }
        }
    }
}

fn tiles(totals: &Totals) -> Markup {
    let Totals { tables, columns, rows, new, differs, doubtful, agrees, declared } = *totals;
    let tiles = [
        ("", "tables", tables),
        ("", "columns", columns),
        ("", "rows sampled", rows),
        ("raw", "new", new),
        ("raw", "differ", differs),
        ("", "doubtful", doubtful),
        ("masked", "agree", agrees),
        ("", "declared only", declared),
    ];
    html! {
        dl.tiles {
            @for (class, name, count) in tiles {
                div class=(class) { dt { (name) } dd { (grouped(count)) } }
            }
        }
    }
}

fn of<'a>(report: &'a Report<'a>, standing: Standing) -> impl Iterator<Item = &'a Column<'a>> {
    report.columns.iter().filter(move |column| column.standing == standing)
}

fn contents(report: &Report<'_>) -> Markup {
    html! {
        nav aria-label="Tables" {
            @for standing in Standing::ALL {
                @let count = of(report, standing).count();
                @if count > 0 { a href={ "#" (id(standing)) } { (title(standing)) " (" (count) ")" } " " }
            }
        }
    }
}

fn section(report: &Report<'_>, standing: Standing) -> Markup {
    if of(report, standing).next().is_none() {
        return html! {};
    }
    html! {
        section id=(id(standing)) {
            h2 { (title(standing)) }
            div.scroll tabindex="0" role="region" aria-label=(title(standing)) {
                table {
                    caption { (note(standing)) }
                    thead { tr {
                        th scope="col" { "column" } th scope="col" { "type" }
                        th scope="col" { "catalog" } th scope="col" { "found" }
                        th scope="col" { "why" }
                    } }
                    tbody { @for column in of(report, standing) { (row(column)) } }
                }
            }
        }
    }
}

fn row(column: &Column<'_>) -> Markup {
    let findings = column.findings.iter().take(FINDINGS_MAX);
    html! {
        tr {
            th scope="row" { (one_line(&column.table)) "." wbr; (one_line(column.column)) }
            td { (one_line(column.data_type)) }
            td { (column.catalogued.map(one_line).unwrap_or_default()) }
            td {
                @for found in findings.clone() {
                    div {
                        (found.kind)
                        @if let Some(path) = &found.path { " " code { (path) } }
                        " " span.number { (found.confidence) " %" }
                    }
                }
            }
            td { @if let Some(first) = column.findings.first() {
                @for reason in &first.reasons { div { (reason) } }
            } }
        }
    }
}

fn others(id: &str, title: &str, note: &str, tables: &[Skipped<'_>]) -> Markup {
    if tables.is_empty() {
        return html! {};
    }
    html! {
        section id=(id) {
            h2 { (title) }
            div.scroll tabindex="0" role="region" aria-label=(title) {
                table {
                    caption { (note) }
                    thead { tr { th scope="col" { "table" } th scope="col" { "why" } } }
                    tbody { @for table in tables {
                        tr { th scope="row" { (one_line(&table.table)) } td { (table.why) } }
                    } }
                }
            }
        }
    }
}

fn id(standing: Standing) -> &'static str {
    match standing {
        Standing::New => "new",
        Standing::Differs => "differs",
        Standing::Doubtful => "doubtful",
        Standing::Clear => "clear",
        Standing::Agrees => "agrees",
        Standing::Declared => "declared",
        Standing::Follows => "views",
    }
}

fn title(standing: Standing) -> &'static str {
    match standing {
        Standing::New => "Not in the catalog",
        Standing::Differs => "Of another class",
        Standing::Doubtful => "Doubtful",
        Standing::Clear => "Declared clear",
        Standing::Agrees => "Agreed",
        Standing::Declared => "Declared, not found by sampling",
        Standing::Follows => "Views",
    }
}

fn note(standing: Standing) -> &'static str {
    match standing {
        Standing::New => "These look like personal data, and the catalog does not name them.",
        Standing::Differs => "The catalog names them, and the sample looks like something else.",
        Standing::Doubtful => "Something speaks for personal data, but not enough to propose it.",
        Standing::Clear => "Somebody looked at these and found no personal data.",
        Standing::Agrees => "The catalog names these, and the sample agrees.",
        Standing::Declared => "The catalog names these; nothing in the sample shows why.",
        Standing::Follows => "Their names say so; what they show follows from their tables.",
    }
}

/// Digits in groups of three.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}
