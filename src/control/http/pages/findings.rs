//! What scans found, for operators: each column is accepted, cleared or left. The answer is a patch of
//! the catalog's files, or a catalog; nothing is kept here, and nothing is written.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::super::problem::Problem;
use super::super::requests::unreadable;
use super::super::sign_in::SignedIn;
use super::form::{Fields, OwnForm};
use super::layout::{self, Place};
use super::operators_only;
use super::parts::{Tone, ago, badge, nothing, ours, table, trouble};
use crate::control::Desk;
use crate::control::desk::{Database, Review};
use crate::control::review::{Choice, Material, ReviewError, key, open};
use crate::discovery::draft::{self, Patched, Proposal};
use crate::discovery::report::{Column, Report, Standing};
use crate::model;

const PLACE: &str = "/map/findings";

/// Columns on a page: what is chosen of them fits into one form.
const ROWS_MAX: usize = 200;

/// Reasons that are told of a finding before somebody asks for more.
const REASONS_FIRST: usize = 2;

/// Before the key of a column, in the name of its field.
const COLUMN: &str = "of-";

/// From the map to here, if there is anything.
pub(super) fn way(who: &SignedIn, databases: &[Database]) -> Markup {
    let is_any = databases.iter().any(|database| database.review.is_some());
    html! { @if who.is_operator() && is_any {
        p { a href=(PLACE) { "Review what scans found" } }
    } }
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    RawQuery(query): RawQuery,
) -> Response {
    if !who.is_operator() {
        return layout::problem(&operators_only());
    }
    let asked = Fields::read(query.unwrap_or_default().as_bytes());
    page(&desk, &who, &asked, &Told::Nothing).await
}

pub(super) async fn take(State(desk): State<Arc<Desk>>, OwnForm(who, fields): OwnForm) -> Response {
    if !who.is_operator() {
        return layout::problem(&operators_only());
    }
    match carry_out(&desk, &fields).await {
        Ok(Done::File(response)) => response,
        Ok(Done::Shown(change)) => page(&desk, &who, &fields, &Told::Change(change)).await,
        Err(problem) => {
            let status = problem.status;
            let page = page(&desk, &who, &fields, &Told::Problem(problem)).await;
            layout::with_status(page, status)
        }
    }
}

/// What the page says above the columns.
enum Told {
    Nothing,
    Problem(Problem),
    Change(Change),
}

/// What the catalog would become.
struct Change {
    proposals: Vec<Proposal>,
    files: Vec<Patched>,
    draft: String,
    has_files: bool,
}

enum Done {
    Shown(Change),
    /// To be kept by whoever asked.
    File(Response),
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Self {
        model::Report::error(error.state(), error.to_string()).into()
    }
}

async fn carry_out(desk: &Desk, fields: &Fields) -> Result<Done, Problem> {
    let databases = (desk.databases)();
    let none = || Problem::not_found("no scan of this database has left anything to be reviewed");
    let (database, review) = reviewed(&databases, fields).ok_or_else(none)?;
    let material = Material::read(database, review).await?.ok_or_else(none)?;
    let proposals = material.chosen(fields.behind(COLUMN))?;
    let name = file_name(&database.name);
    match fields.get("deed") {
        "show" => Ok(Done::Shown(Change {
            files: if material.has_files() { material.patched(&proposals)? } else { Vec::new() },
            draft: material.draft(&proposals),
            has_files: material.has_files(),
            proposals,
        })),
        "patch" => Ok(Done::File(file(&format!("{name}.patch"), material.patch(&proposals)?))),
        "catalog" => Ok(Done::File(file(&format!("{name}.toml"), material.draft(&proposals)))),
        _ => Err(unreadable("that cannot be done here")),
    }
}

/// The database that is named, or the first of which scans leave something.
fn reviewed<'a>(
    databases: &'a [Database],
    fields: &Fields,
) -> Option<(&'a Database, &'a Arc<Review>)> {
    let name = fields.get("database");
    let mut with = databases.iter().filter_map(|it| Some((it, it.review.as_ref()?)));
    with.find(|(database, _)| name.is_empty() || database.name == name)
}

/// Letters and digits of a name, for a file of whoever loads it.
fn file_name(database: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = database.chars().filter(plain).collect();
    if name.is_empty() { "findings".to_owned() } else { name }
}

fn file(name: &str, text: String) -> Response {
    let kept = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, kept),
    ];
    (headers, text).into_response()
}

async fn page(desk: &Desk, who: &SignedIn, asked: &Fields, told: &Told) -> Response {
    let databases = (desk.databases)();
    let found = reviewed(&databases, asked);
    let (body, status) = match found {
        None => (nowhere(asked), StatusCode::OK),
        Some((database, review)) => match Material::read(database, review).await {
            Ok(Some(material)) => {
                (columns(desk, who, asked, &database.name, &material), StatusCode::OK)
            }
            Ok(None) => (not_yet(database), StatusCode::OK),
            Err(error) => {
                let problem = Problem::from(error);
                (trouble(&problem.words()), problem.status)
            }
        },
    };
    let body = html! {
        (others(&databases, found.map(|(database, _)| database)))
        @match told {
            Told::Nothing => {}
            Told::Problem(problem) => { (trouble(&problem.words())) }
            Told::Change(change) => { (changed(change)) }
        }
        (body)
    };
    layout::with_status(layout::page(desk, who, Place::Map, "What scans found", &body), status)
}

/// The other databases of which there may be something.
fn others(databases: &[Database], at: Option<&Database>) -> Markup {
    let others = databases.iter().filter(|other| other.review.is_some());
    let others: Vec<_> = others.filter(|other| at.is_none_or(|at| at.name != other.name)).collect();
    html! {
        p { a href="/map" { "To the map" }
            @for other in others {
                @let name = form_urlencoded::byte_serialize(other.name.as_bytes());
                " · " a href=(format!("{PLACE}?database={}", name.collect::<String>())) {
                    (other.name)
                }
            }
        }
    }
}

fn nowhere(asked: &Fields) -> Markup {
    html! {
        @if asked.get("database").is_empty() {
            (nothing("Scans leave nothing here: no database has “findings” in the configuration."))
        } @else {
            (nothing("Scans of this database leave nothing here."))
        }
    }
}

fn not_yet(database: &Database) -> Markup {
    html! {
        h2 { (database.name) }
        (nothing("No scan has left anything yet: keyhole scan does when it comes to its end."))
    }
}

fn columns(desk: &Desk, who: &SignedIn, asked: &Fields, name: &str, material: &Material) -> Markup {
    let report = material.report();
    let filter = asked.get("q").to_lowercase();
    let fits = |column: &&&Column<'_>| {
        let path = format!("{}.{}", column.table, column.column).to_lowercase();
        path.contains(&filter)
            || column.findings.iter().any(|found| found.class.to_lowercase().contains(&filter))
    };
    let all = open(&report);
    let shown: Vec<_> = all.iter().filter(fits).copied().collect();
    let pages: Vec<_> = shown.chunks(ROWS_MAX).collect();
    let at = number(asked).min(pages.len()).saturating_sub(1);
    let here = pages.get(at).copied().unwrap_or_default();
    let rows: Vec<_> = here.iter().map(|column| row(material, &report, column, asked)).collect();
    html! {
        section {
            header.row {
                h2 { (name) }
                span.soft { "scanned " (ago(material.findings.at, (desk.clock)())) ", "
                    (all.len()) " columns to look at" }
            }
            form.inline.search method="get" action=(PLACE) role="search" {
                input type="hidden" name="database" value=(name);
                label.field { span { "Find" }
                    input type="search" name="q" value=(asked.get("q"))
                        placeholder="table, column or class"; }
                button.quiet { "Find" }
                button.quiet name="preset" value="proposed" { "Choose what is proposed" }
            }
            @if rows.is_empty() { (nothing("Nothing is to be looked at, or nothing fits.")) }
            @else { (form(who, asked, name, material, &rows)) }
            @if pages.len() > 1 { (turn(asked, name, at + 1, pages.len())) }
            @if material.gone > 0 {
                p.soft { (material.gone) " more are no longer in the database: scan again." }
            }
        }
    }
}

/// The page that is asked for, from 1.
fn number(asked: &Fields) -> usize {
    asked.get("page").parse().unwrap_or(1).max(1)
}

/// To the pages before and behind.
fn turn(asked: &Fields, name: &str, at: usize, pages: usize) -> Markup {
    let to = |page: usize| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("database", name).append_pair("q", asked.get("q"));
        if !asked.get("preset").is_empty() {
            query.append_pair("preset", asked.get("preset"));
        }
        format!("{PLACE}?{}", query.append_pair("page", &page.to_string()).finish())
    };
    html! {
        p { "Page " (at) " of " (pages) ", the surest first. "
            @if at > 1 { a href=(to(at - 1)) { "Page before" } " " }
            @if at < pages { a href=(to(at + 1)) { "Next page" } }
        }
        p.soft { "Take along what is decided of this page before you turn it." }
    }
}

fn form(
    who: &SignedIn,
    asked: &Fields,
    name: &str,
    material: &Material,
    rows: &[Vec<Markup>],
) -> Markup {
    const HEADS: [&str; 5] = ["Column", "It is", "Looks like", "Why", "Decision"];
    html! {
        form method="post" action=(PLACE) {
            (ours(who))
            input type="hidden" name="database" value=(name);
            input type="hidden" name="q" value=(asked.get("q"));
            input type="hidden" name="page" value=(number(asked));
            (table(&format!("What was found in {name}"), &HEADS, rows))
            div.actions {
                button name="deed" value="show" { "Show the change" }
                @if material.has_files() {
                    button.quiet name="deed" value="patch" { "Download the patch" }
                }
                button.quiet name="deed" value="catalog" { "Download as a catalog" }
            }
            p.soft { "Nothing is changed here, and what is chosen is not kept: take the patch along." }
        }
    }
}

fn row(
    material: &Material,
    report: &Report<'_>,
    column: &Column<'_>,
    asked: &Fields,
) -> Vec<Markup> {
    let tone = match column.standing {
        Standing::New => Tone::Bad,
        Standing::Differs | Standing::Doubtful => Tone::Wait,
        Standing::Clear | Standing::Agrees | Standing::Declared | Standing::Follows => Tone::Plain,
    };
    let best = column.findings.first();
    let reasons = best.map(|best| best.reasons.as_slice()).unwrap_or_default();
    let (first, more) = reasons.split_at(reasons.len().min(REASONS_FIRST));
    vec![
        html! {
            code { (column.table) "." wbr; (column.column) }
            br; span.soft { (column.data_type) }
        },
        html! {
            (badge(tone, column.standing.words()))
            @if let Some(own) = column.catalogued { br; span.soft { "in the catalog " (own) } }
        },
        html! { @if let Some(best) = best {
            (best.class) " " (best.confidence) " %"
            @if let Some(path) = &best.path { br; code { (path) } }
        } },
        html! {
            @for reason in first { div.details { (reason) } }
            @if !more.is_empty() || column.findings.len() > 1 {
                details { summary { "More" span.unseen { " on " (column.column) } }
                    @for reason in more { div.details { (reason) } }
                    @for other in column.findings.iter().skip(1) {
                        div.details { "also " (other.class) " " (other.confidence) " %"
                            @if let Some(path) = &other.path { " at " code { (path) } } }
                    }
                }
            }
        },
        decision(&material.choices(report, column), column, asked),
    ]
}

/// What is chosen stays chosen while the page is asked again.
fn decision(choices: &[Choice], column: &Column<'_>, asked: &Fields) -> Markup {
    let name = format!("{COLUMN}{}", key(column));
    let preset = asked.get("preset") == "proposed" && column.standing == Standing::New;
    let said = match (asked.get(&name), choices.first()) {
        ("", Some(first)) if preset => first.value.as_str(),
        (said, _) => said,
    };
    html! {
        select name=(name) aria-label=(format!("Decision on {}.{}", column.table, column.column)) {
            option value="" { "leave it" }
            @for Choice { value, words } in choices {
                option value=(value) selected[value == said] { (words) }
            }
        }
    }
}

fn changed(change: &Change) -> Markup {
    let Change { proposals, files, draft, has_files } = change;
    let count = proposals.len();
    html! {
        section aria-labelledby="change" {
            h2 id="change" { "The change: " (count) @if count == 1 { " column" } @else { " columns" } }
            @if *has_files && files.is_empty() {
                (nothing("The files of the catalog say so already. The proxy takes them with RELOAD."))
            }
            @for file in files {
                (code_block(&format!("Change of {}", file.path.display()), &draft::diff(file)))
            }
            @if *has_files && !files.is_empty() {
                p.soft { "In the folder of the configuration: " code { "patch -p0 < FILE.patch" } ", "
                    code { "keyhole check" } ", then RELOAD on the console." }
            }
            @if !has_files {
                p { "The database has no catalog yet. This can be its first:" }
                (code_block("The catalog", draft))
            }
        }
    }
}

fn code_block(label: &str, text: &str) -> Markup {
    html! { pre.scroll.change tabindex="0" role="region" aria-label=(label) { code { (text) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_plain_names() {
        assert_eq!(file_name("shop-2"), "shop-2");
        assert_eq!(file_name("a\"\r\nb/../c"), "abc");
        assert_eq!(file_name("顧客"), "findings");
    }
}
