//! `keyhole audit subject`: who saw one row, and who may have.

mod print;

use std::io::{self, BufRead};
use std::path::PathBuf;
use std::process::ExitCode;

use super::super::progress::Progress;
use super::{failed, report};
use crate::audit::Pseudonyms;
use crate::audit::exposure::{Exposure, Question};
use crate::model::Timestamp;
use crate::store::audit_log::scan;
use crate::store::subject_key;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The directory of the log
    #[arg(long, value_name = "DIR", default_value = "audit")]
    dir: PathBuf,
    /// The subject key: subject_key_file in [audit]
    #[arg(long, value_name = "FILE", default_value = "subjects.key")]
    key_file: PathBuf,
    /// The table as the catalog names it
    #[arg(long, value_name = "SCHEMA.TABLE")]
    table: String,
    /// The row's value in a column that the catalog names as subject, or in the primary key; `-`:
    /// the next line of standard input. May be given again for the row's other keys
    #[arg(long = "key", value_name = "COLUMN=VALUE", required = true)]
    keys: Vec<String>,
    /// Only what was shown of this database
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Only what was shown at this time or later: 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only what was shown before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    #[command(flatten)]
    form: Form,
}

/// How it is printed; in words without any of these.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
#[expect(clippy::struct_excessive_bools, reason = "flags, of which there is one at most")]
struct Form {
    /// Print one line per statement, with a header
    #[arg(long)]
    csv: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print a page
    #[arg(long)]
    html: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let keys = match keys(&arguments.keys, &mut io::stdin().lock()) {
        Ok(keys) => keys,
        Err(message) => return failed(&message),
    };
    let key = match subject_key::load(&arguments.key_file) {
        Ok(key) => key,
        Err(error) => return failed(&error.to_string()),
    };
    let mut question = Question::new(&arguments.table, &keys, &Pseudonyms::new(&key, 0));
    question.database.clone_from(&arguments.database);
    question.since = arguments.since;
    question.until = arguments.until;
    let mut exposure = Exposure::default();
    let progress = Progress::of("reading the log");
    let pick = |line: &[u8]| {
        progress.count();
        question.pick(line)
    };
    let verified = scan(&arguments.dir, |_, line| pick(line), |item| exposure.take(item));
    drop(progress);
    let exposure = exposure.finished();
    let columns: Vec<&str> = keys.iter().map(|(column, _)| column.as_str()).collect();
    let about = print::About { table: &arguments.table, columns: &columns };
    let Form { csv, json, html } = arguments.form;
    let printed = match (csv, json, html) {
        (true, _, _) => print::csv(&exposure),
        (_, true, _) => print::json(&about, &exposure),
        (_, _, true) => print::html(&about, &exposure),
        (false, false, false) => print::words(&about, &exposure),
    };
    super::super::say(printed.trim_end());
    match verified {
        Ok(_) => ExitCode::SUCCESS,
        Err(broken) => {
            report(format_args!("audit subject: {broken}"));
            ExitCode::FAILURE
        }
    }
}

/// Columns and values; those that are `-` are read.
fn keys(given: &[String], input: &mut impl BufRead) -> Result<Vec<(String, String)>, String> {
    let key = |text: &String| {
        // The value is not repeated: this may end up in somebody's log.
        let (column, value) = text.split_once('=').ok_or("--key: it is COLUMN=VALUE")?;
        if value != "-" {
            return Ok((column.to_owned(), value.to_owned()));
        }
        let mut line = String::new();
        let read =
            input.read_line(&mut line).map_err(|error| format!("--key {column}: {error}"))?;
        if read == 0 {
            return Err(format!("--key {column}: standard input holds no value"));
        }
        Ok((column.to_owned(), line.trim_end_matches(['\r', '\n']).to_owned()))
    };
    let mut key = key;
    given.iter().map(&mut key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_arguments_or_line_by_line_from_standard_input() {
        let given = ["id=42", "email=-", "x=a=b", "y=-"].map(str::to_owned);
        let read = keys(&given, &mut "jane@example.com\r\n two \n".as_bytes()).unwrap();
        let pair = |column: &str, value: &str| (column.to_owned(), value.to_owned());
        let wanted = [
            pair("id", "42"),
            pair("email", "jane@example.com"),
            pair("x", "a=b"),
            pair("y", " two "),
        ];
        assert_eq!(read, wanted);
        assert!(keys(&["id=-".to_owned()], &mut "".as_bytes()).is_err());
        let error = keys(&["jane@example.com".to_owned()], &mut "".as_bytes()).unwrap_err();
        assert!(!error.contains("jane"), "{error}");
    }
}
