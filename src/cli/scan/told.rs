//! A report as lines for people, and as one object for programs.

use serde::Serialize;

use super::work::Measured;
use crate::cli::audit::cells::{cut, shown, table};
use crate::discovery::report::{Column, Report, Standing};

/// Of a reason, on a line.
const REASON_CHARS_MAX: usize = 90;

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    report: &'a Report<'a>,
    measured: &'a Measured,
}

/// # Errors
/// If it cannot be written as JSON.
pub(super) fn json(report: &Report<'_>, measured: &Measured) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Whole { report, measured })
}

pub(super) fn text(report: &Report<'_>, measured: &Measured) -> String {
    let mut told = String::new();
    for standing in Standing::ALL {
        let rows: Vec<Vec<String>> = report
            .columns
            .iter()
            .filter(|column| column.standing == standing)
            .flat_map(rows)
            .collect();
        if !rows.is_empty() {
            told.push_str(&format!("{}\n", title(standing)));
            told.push_str(&table(&["column", "class", "%", "why"], &[2], &rows));
            told.push('\n');
        }
    }
    for (title, tables) in
        [("Values not read:", &report.skipped), ("Read in part, or not at all:", &report.notes)]
    {
        if !tables.is_empty() {
            told.push_str(&format!("{title}\n"));
            for skipped in tables {
                told.push_str(&format!("  {}: {}\n", shown(&skipped.table), shown(skipped.why)));
            }
            told.push('\n');
        }
    }
    told + &summary(report, measured)
}

fn summary(report: &Report<'_>, measured: &Measured) -> String {
    let totals = &report.totals;
    let Measured { seconds, queries, bytes, resumed } = measured;
    let kib = bytes.div_ceil(1024);
    let resumed = match resumed {
        0 => String::new(),
        tables => format!("; {tables} tables were read before"),
    };
    format!(
        "{}: {} tables, {} columns, {} rows sampled ({kib} KiB, {queries} queries, {seconds:.1} s{resumed})\n\
         {} new, {} of another class, {} doubtful, {} agreed, {} declared only, {} tables not read\n",
        shown(report.database),
        totals.tables,
        totals.columns,
        totals.rows,
        totals.new,
        totals.differs,
        totals.doubtful,
        totals.agrees,
        totals.declared,
        report.skipped.len(),
    )
}

fn title(standing: Standing) -> &'static str {
    match standing {
        Standing::New => "Not in the catalog:",
        Standing::Differs => "In the catalog with another class:",
        Standing::Doubtful => "Doubtful:",
        Standing::Clear => "Declared clear:",
        Standing::Agrees => "In the catalog:",
        Standing::Declared => "Declared, not found by sampling:",
        Standing::Follows => "Views (they follow their tables):",
    }
}

fn rows(column: &Column<'_>) -> Vec<Vec<String>> {
    let best = column.findings.first();
    let class = match (column.catalogued, best) {
        (Some(own), Some(best)) if column.standing == Standing::Differs => {
            format!("{own}, found {}", best.class)
        }
        (Some(own), _) => own.to_owned(),
        (None, Some(best)) => best.class.clone(),
        (None, None) => String::new(),
    };
    let place = |path: &Option<String>| path.as_ref().map_or(String::new(), |it| format!(" {it}"));
    let name = format!("{}.{}", column.table, column.column);
    let name = best.map_or(name.clone(), |best| format!("{name}{}", place(&best.path)));
    let confidence = best.map_or(String::new(), |best| best.confidence.to_string());
    let why = best.and_then(|best| best.reasons.first()).map_or("", String::as_str);
    let mut rows =
        vec![vec![shown(&name), shown(&class), confidence, cut(&shown(why), REASON_CHARS_MAX)]];
    if !column.scanned.samples.is_empty() {
        let samples = shown(&column.scanned.samples.join("  "));
        rows.push(vec![String::new(), String::new(), String::new(), format!("masked: {samples}")]);
    }
    rows
}
