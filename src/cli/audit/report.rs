//! `keyhole audit report`: who saw how much of what, as tables, CSV and a page.

mod charts;
mod page;
mod sheets;
mod told;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::sheets::{Sheet, sheets};
use self::told::Told;
use super::search;
use crate::audit::query::Class;
use crate::audit::report::{Asked, By, Chain, ReportView, Sums};
use crate::cli::{failed, report};
use crate::config::Config;
use crate::model::Timestamp;
use crate::store::audit_log::{Proofs, gather};

/// Rows of a table on the screen, unless one is asked for by itself.
const SHOWN_ROWS: usize = 20;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The directory of the log
    #[arg(long, value_name = "DIR", default_value = "audit")]
    dir: PathBuf,
    #[command(flatten)]
    period: super::Period,
    /// Only by this
    #[arg(long, value_enum, value_name = "WHAT")]
    by: Option<By>,
    /// The configuration file, to know the classes of columns
    #[arg(long, value_name = "FILE", required_if_eq("by", "class"))]
    config: Option<PathBuf>,
    /// Write a page to be kept: one file, nothing of it elsewhere
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write CSV, one table whose first column says of what; `-`: print it
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Print one JSON object, as the API answers it, with all rows
    #[arg(long)]
    json: bool,
}

impl clap::ValueEnum for By {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(self.as_str().into())
    }
}

impl Arguments {
    /// # Errors
    /// Says what cannot be asked so.
    fn asked(&self, now: Timestamp) -> Result<Asked, String> {
        let (since, until) = self.period.read(now)?;
        Ok(Asked::new(since, until, classes(self.config.as_deref())?))
    }
}

/// Every class of the catalogs.
fn classes(config: Option<&Path>) -> Result<Vec<Class>, String> {
    let Some(path) = config else { return Ok(Vec::new()) };
    let config = Config::load(path).map_err(|problems| problems.to_string())?;
    Ok(Class::all(search::catalogs(&config)))
}

pub(super) fn run(arguments: &Arguments, now: Timestamp) -> ExitCode {
    let asked = match arguments.asked(now) {
        Ok(asked) => asked,
        Err(message) => return failed(&message),
    };
    let mut sums = Sums::default();
    let verified = gather(
        &arguments.dir,
        &Proofs::default(),
        |sums: &mut Sums, _, line| sums.take(&asked, line),
        |part| sums.merge(part),
    );
    let chain = match &verified {
        Ok(verified) => format!("{verified}"),
        Err(broken) => format!("{broken}; what comes after it is not counted"),
    };
    let told = Told { sums: &sums, asked: &asked, chain: &chain, whole: verified.is_ok(), now };
    let sheets = sheets(&told, arguments.by);
    let page = || page::page(&told, &sheets);
    let written = [
        (arguments.html.as_deref(), &page as &dyn Fn() -> String),
        (arguments.csv.as_deref(), &|| csv(&sheets)),
    ];
    if arguments.json {
        print(&json(&told, arguments.by));
    } else if written.iter().all(|(path, _)| path.is_none()) {
        print(&text(&sheets, arguments.by));
    }
    for (path, content) in written {
        let Some(path) = path else { continue };
        if path == Path::new("-") {
            print(&content());
        } else if let Err(error) = fs::write(path, content()) {
            return failed(&format!("{}: {error}", path.display()));
        }
    }
    let mut code = ExitCode::SUCCESS;
    if sums.unreadable > 0 {
        report(format_args!("audit report: {} records could not be read", sums.unreadable));
        code = ExitCode::FAILURE;
    }
    if !told.whole {
        report(format_args!("audit report: {chain}"));
        code = ExitCode::FAILURE;
    }
    code
}

/// All of it, as the API answers it.
fn json(told: &Told<'_>, by: Option<By>) -> String {
    let chain = Chain { whole: told.whole, says: told.chain.to_owned() };
    let view = ReportView::new(told.sums, told.asked, by, usize::MAX, chain, told.now);
    // Numbers and names have a JSON form.
    serde_json::to_string(&view).unwrap_or_default() + "\n"
}

/// A reader that went away is no error of ours.
fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// Tables for a screen.
fn text(sheets: &[Sheet], by: Option<By>) -> String {
    let rows_max = |sheet: &Sheet| match (by, sheet.name) {
        (Some(_), _) | (None, sheets::SUMMARY) => usize::MAX,
        (None, _) => SHOWN_ROWS,
    };
    let told: Vec<String> = sheets.iter().map(|sheet| sheet.text(rows_max(sheet))).collect();
    told.join("\n")
}

/// All tables in one: of each line, the columns that its own table has.
fn csv(sheets: &[Sheet]) -> String {
    let mut titles = vec!["table"];
    for column in sheets.iter().flat_map(|sheet| sheet.columns()) {
        if !titles.contains(&column.name) {
            titles.push(column.name);
        }
    }
    let mut text = super::cells::csv_line(&titles);
    for sheet in sheets {
        for row in &sheet.rows {
            let cell = |title: &&str| -> &str {
                if *title == "table" {
                    return sheet.name;
                }
                let at = sheet.columns().iter().position(|column| column.name == *title);
                at.map_or("", |at| &row[at])
            };
            text += &super::cells::csv_line(titles.iter().map(cell));
        }
    }
    text
}

#[cfg(test)]
mod tests;
