//! The page: one file without scripts, that loads nothing, for screens and paper.

use std::fmt::Write;

use super::charts;
use super::sheets::{Column, Sheet};
use super::told::{Told, time};
use crate::audit::report::Tally;
use crate::cli::audit::cells::escaped;

/// Rows of a table on the page.
const ROWS_MAX: usize = 500;

/// As pages of what a scan found have it, and charts.
const STYLE: &str =
    concat!(include_str!("../../../discovery/report/page.css"), include_str!("charts.css"));

pub(super) fn page(told: &Told<'_>, sheets: &[Sheet]) -> String {
    let period = escaped(&told.period());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Access to personal data, {period}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>Access to personal data</h1>\n<p class=\"period\">{period} (UTC)</p>\n"
    );
    let (class, word) =
        if told.whole { ("good", "Chain verified") } else { ("bad", "Chain broken") };
    let _ = writeln!(
        page,
        "<p class=\"chain {class}\" role=\"status\"><strong>{word}.</strong> {}</p>\n</header>\n<main>",
        escaped(told.chain)
    );
    page += &tiles(told);
    page.push_str("<div class=\"charts\">\n");
    page += &charts::days(told.sums);
    page += &charts::hours(told.sums);
    page += &charts::columns(told.sums);
    page += &charts::people(told.sums);
    page.push_str("</div>\n");
    page += &contents(sheets);
    for sheet in sheets {
        section(&mut page, sheet);
    }
    let _ = writeln!(
        page,
        "</main>\n<footer><p>Made by keyhole {} on {}. Of what was shown only counts and names of \
         columns are recorded, no values.</p></footer>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION"),
        time(told.now)
    );
    page
}

/// What is to be seen at a glance.
fn tiles(told: &Told<'_>) -> String {
    let sums = told.sums;
    let Tally { statements, raw, rows_raw, masked, refused, logins_failed, signals, .. } =
        sums.all.tally;
    let mut tiles = "<dl class=\"tiles\">\n".to_owned();
    for (class, name, count) in [
        ("", "statements", statements),
        ("raw", "showed data raw", raw),
        ("raw", "rows shown raw", rows_raw),
        ("masked", "were masked", masked),
        ("refused", "were refused", refused),
        ("", "failed logins", logins_failed),
        ("", "signals", signals),
    ] {
        let _ = writeln!(
            tiles,
            "<div class=\"{class}\"><dt>{name}</dt><dd>{}</dd></div>",
            grouped(count)
        );
    }
    tiles + "</dl>\n"
}

fn contents(sheets: &[Sheet]) -> String {
    let link = |sheet: &Sheet| format!("<a href=\"#{}\">{}</a>", sheet.name, sheet.title);
    let links: Vec<String> = sheets.iter().map(link).collect();
    format!("<nav aria-label=\"Tables\">{}</nav>\n", links.join(" "))
}

fn section(page: &mut String, sheet: &Sheet) {
    let Sheet { name, title, note, rows, .. } = sheet;
    let _ = writeln!(page, "<section id=\"{name}\">\n<h2>{title}</h2>");
    if rows.is_empty() {
        let _ = writeln!(page, "<p class=\"none\">{note} None.</p>\n</section>");
        return;
    }
    let _ = writeln!(
        page,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\">\n<table>\n\
         <caption>{note}</caption>\n<thead><tr>"
    );
    for column in sheet.columns() {
        let (class, name) = (class(*column), column.name.replace('_', " "));
        let _ = write!(page, "<th scope=\"col\"{class}>{name}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in rows.iter().take(ROWS_MAX) {
        page.push_str("<tr>");
        for (at, (cell, column)) in row.iter().zip(sheet.columns()).enumerate() {
            let cell = match (column.is_number, cell.parse()) {
                (true, Ok(count)) if at > 0 => grouped(count),
                (true, _) | (false, _) => escaped(cell),
            };
            let class = class(*column);
            let _ = match at {
                0 => write!(page, "<th scope=\"row\"{class}>{cell}</th>"),
                _ => write!(page, "<td{class}>{cell}</td>"),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n</div>\n");
    if rows.len() > ROWS_MAX {
        let _ = writeln!(page, "<p>And {} more: --csv has all.</p>", rows.len() - ROWS_MAX);
    }
    page.push_str("</section>\n");
}

/// How a column's cells stand.
fn class(column: Column) -> &'static str {
    match column.name {
        _ if column.is_number => " class=\"number\"",
        "first" | "last" | "granted" | "expires" | "reviewed" | "time" | "day" => " class=\"time\"",
        _ => "",
    }
}

/// Digits in groups of three.
pub(super) fn grouped(count: u64) -> String {
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
