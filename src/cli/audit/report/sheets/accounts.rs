//! What is told of the whole.

use super::super::told::{Told, time};
use super::{LAST, SUMMARY, Sheet, moment, number, parts, rows, word};
use crate::audit::report::Tally;

pub(in crate::cli::audit::report) const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const HOURS: [&str; 24] = [
    "00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15",
    "16", "17", "18", "19", "20", "21", "22", "23",
];

pub(super) fn summary(told: &Told<'_>) -> Sheet {
    let mut sheet = Sheet::new(
        SUMMARY,
        "Summary",
        "Times are UTC. Statements are raw if they showed personal data as it is.",
        [word("what"), word("value")],
    );
    let sums = told.sums;
    let Tally {
        statements,
        raw,
        rows_raw,
        looked_up,
        masked,
        refused,
        cut,
        observed,
        logins,
        logins_failed,
        requests,
        approved,
        denied,
        reviewed,
        signals,
    } = sums.all.tally;
    let account = &sums.account;
    let mut line = |what: &str, value: String| sheet.rows.push(vec![what.to_owned(), value]);
    line("period", told.period());
    line("made", time(told.now));
    line("chain", told.chain.to_owned());
    for (what, count) in [
        ("records", sums.records),
        ("statements", statements),
        ("  raw", raw),
        ("  rows shown raw", rows_raw),
        ("  compared with values", looked_up),
        ("  masked", masked),
        ("  refused", refused),
        ("  cut off", cut),
        ("  only observed", observed),
        ("releases", sums.releases),
        ("logins", logins),
        ("  failed", logins_failed),
        ("requests", requests),
        ("  approved", approved),
        ("  denied", denied),
        ("  reviewed", reviewed),
        ("signals", signals),
        ("changes", account.changes),
        ("  starts of the proxy", account.started),
        ("  ends of the proxy", account.stopped),
        ("checkpoints", account.checkpoints),
        ("lines cut short and removed", account.repaired),
        ("records lost", account.lost),
        ("records removed, up to", account.retired_through),
        ("records not readable", sums.unreadable),
        ("grants not remembered", sums.book.forgotten),
    ] {
        line(what, count.to_string());
    }
    sheet
}

pub(super) fn hours(told: &Told<'_>) -> Sheet {
    let columns = [word("weekday")].into_iter().chain(HOURS.map(number));
    let mut sheet = Sheet::new(
        "hour",
        "Hours of the week",
        "Statements by day of the week and hour, UTC.",
        columns,
    );
    for (day, hours) in WEEKDAYS.iter().zip(&told.sums.hours) {
        let counts = hours.iter().map(|tally| tally.statements.to_string());
        sheet.rows.push([(*day).to_owned()].into_iter().chain(counts).collect());
    }
    sheet
}

pub(super) fn signals(told: &Told<'_>) -> Sheet {
    let mut sheet = Sheet::new(
        "signal",
        "Signals",
        "What the rules over the log have found.",
        [word("rule"), word("severity"), number("signals"), word("first"), LAST],
    );
    for (key, row) in rows(&told.sums.signals) {
        let (rule, severity) = parts(key);
        let count = row.tally.signals.to_string();
        let cells =
            [rule.to_owned(), severity.to_owned(), count, moment(row.first), moment(row.last)];
        sheet.rows.push(cells.into());
    }
    sheet
}

pub(super) fn changes(told: &Told<'_>) -> Sheet {
    let mut sheet = Sheet::new(
        "change",
        "Changes",
        "Of the configuration, of catalogs, and what befell proxy and log; the newest.",
        [number("seq"), word("time"), word("kind"), word("step"), word("by"), word("about")],
    );
    for change in &told.sums.account.newest {
        let by = change.by.clone().unwrap_or_default();
        sheet.rows.push(vec![
            change.seq.to_string(),
            time(change.time),
            change.kind.as_str().to_owned(),
            change.step.clone(),
            by,
            change.about.clone(),
        ]);
    }
    sheet
}
