//! `keyhole scan`: which columns look like personal data, beside what the catalog says.
//!
//! Values are counted and forgotten as they come; what is printed, written and kept are words.

mod files;
mod place;
mod review;
mod state;
mod told;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::exit::Exit;
use super::{failed, report, say};
use crate::catalog::Catalog;
use crate::config::UpstreamUrl;
use crate::discovery::draft;
use crate::discovery::report::{AT_LEAST_DEFAULT, Report, ScannedTable};
use crate::model::{Timestamp, parse_duration};
use crate::store::approvals::steady_clock;
use crate::store::findings::Findings;
use crate::upstream::sampling::{Foreign, Limits};
use place::Place;
use review::Reviewed;
use work::{Ended, Scan};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file, whose catalog is compared; proxy.toml, unless --url is given
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database as clients name it; may be left out if there is one only
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Another account, or a database without a configuration: postgres://dba@127.0.0.1:5432/crm
    #[arg(long, value_name = "URL", value_parser = UpstreamUrl::parse)]
    url: Option<UpstreamUrl>,
    /// The environment variable that holds the password for --url; if it is not set, ~/.pgpass may
    /// have it
    #[arg(long, value_name = "VARIABLE", default_value = "PGPASSWORD")]
    password_env: String,
    #[command(flatten)]
    bounds: Bounds,
    /// From which confidence on a column is proposed, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = AT_LEAST_DEFAULT,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    at_least: u8,
    /// Keep what was found in FILE, table by table, and go on from there if it is there already
    ///
    /// It holds names, counts and reasons, no values. A table whose definition has changed since is
    /// read again, and so is what could not be read. After a scan that came to its end, the next one
    /// begins anew.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Print so many values of each column that looks like personal data, masked as its class is
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u8).range(..=20))]
    show_samples: u8,
    #[command(flatten)]
    form: Form,
    /// Write a page to be kept: one file, nothing of it elsewhere
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write a catalog of what is new, with the reasons as comments; `-`: print it
    #[arg(long, value_name = "FILE")]
    draft: Option<PathBuf>,
    #[command(flatten)]
    patch: Patch,
    #[command(flatten)]
    accept: Accept,
    #[command(flatten)]
    review: Review,
}

/// How much, how fast, and of what.
#[derive(Debug, clap::Args)]
struct Bounds {
    /// Rows that are read of each table, at most
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rows: u32,
    /// Of the values of each table, so many MiB at most
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u64).range(1..=1024))]
    mib: u64,
    /// Characters of a value that are read, at most; of documents four times as many
    #[arg(long, value_name = "N", default_value_t = 4096,
          value_parser = clap::value_parser!(u32).range(64..=1_000_000))]
    value_chars: u32,
    /// Connections that are used at the same time
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
    /// How long each connection rests between two tables
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pause: Duration,
    /// How long one query may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    statement_timeout: Duration,
    /// How long a table that somebody else has locked is waited for
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    lock_timeout: Duration,
    /// Only these tables: SCHEMA.TABLE or SCHEMA.*; may be given again
    #[arg(long, value_name = "TABLE")]
    only: Vec<String>,
    /// Not these tables: SCHEMA.TABLE or SCHEMA.*; may be given again
    #[arg(long, value_name = "TABLE")]
    except: Vec<String>,
    /// Read foreign tables too: other servers are asked then
    #[arg(long)]
    foreign: bool,
}

#[derive(Debug, clap::Args)]
struct Form {
    /// Print one JSON object
    #[arg(long, conflicts_with_all = ["patch", "review"])]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Patch {
    /// Print what is new as a patch of the catalog files, and nothing else
    #[arg(long)]
    patch: bool,
}

#[derive(Debug, clap::Args)]
struct Accept {
    /// Write what is new into the catalog files; what was there is kept beside as FILE.bak
    #[arg(long)]
    accept: bool,
}

#[derive(Debug, clap::Args)]
struct Review {
    /// Ask about each column: standard input says yes, no, another class
    #[arg(long)]
    review: bool,
}

/// Zero is a duration here.
fn duration(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" | "0ms" => Ok(Duration::ZERO),
        text => parse_duration(text).map_err(|error| error.to_string()),
    }
}

impl Bounds {
    fn limits(&self, samples: u8) -> Limits {
        Limits {
            rows: self.rows,
            bytes: self.mib << 20,
            value_chars: self.value_chars,
            samples: usize::from(samples),
            statement_timeout: self.statement_timeout,
            lock_timeout: self.lock_timeout,
            foreign: if self.foreign { Foreign::Read } else { Foreign::ByName },
        }
    }

    /// Whether a table is looked at, by its name.
    fn take(&self, schema: &str, name: &str) -> bool {
        let named = |given: &String| match given.rsplit_once('.') {
            Some((own, "*")) => own == schema,
            Some((own, table)) => own == schema && table == name,
            None => given == name,
        };
        (self.only.is_empty() || self.only.iter().any(named)) && !self.except.iter().any(named)
    }
}

pub(super) async fn run(arguments: &Arguments) -> ExitCode {
    let place = match Place::find(arguments) {
        Ok(place) => place,
        Err(message) => return failed(&message),
    };
    let changes = arguments.patch.patch || arguments.accept.accept;
    if changes && place.files.is_empty() {
        let hint = "there is no catalog file to change: --draft FILE writes the first";
        return failed(hint);
    }
    let scan = match Scan::run(arguments, &place).await {
        Ok(scan) => scan,
        Err(message) => {
            let code = failed(&message);
            if let Some(file) = &arguments.resume {
                report(format_args!("Go on with: --resume {}", file.display()));
            }
            return code;
        }
    };
    give_up_on_interrupt(match arguments.review.review {
        true => "interrupted: nothing was written into the catalog",
        false => "interrupted",
    });
    tell(arguments, &place, &scan).unwrap_or_else(|message| failed(&message))
}

/// The scan has taken Ctrl-C over from the system; whoever is asked, or reads a long report, may
/// still want to leave.
#[expect(clippy::disallowed_methods, reason = "a task of this command, gone with its process")]
fn give_up_on_interrupt(words: &'static str) {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            report(words);
            std::process::exit(Exit::Interrupted as i32);
        }
    });
}

/// Writes and prints everything that was asked for.
fn tell(arguments: &Arguments, place: &Place, scan: &Scan) -> Result<ExitCode, String> {
    let Scan { tables, measured, ended } = scan;
    let report = Report::new(&place.name, tables, &place.catalog, arguments.at_least);
    let now = steady_clock()();
    written(arguments, &report, now)?;
    if arguments.form.json {
        say(told::json(&report, measured).map_err(|error| error.to_string())?);
    } else if !arguments.patch.patch && !arguments.review.review && !to_stdout(arguments) {
        say(told::text(&report, measured).trim_end());
    }
    if *ended == Ended::Interrupted {
        super::report("interrupted: what is told is of the tables that were read");
        if let Some(file) = &arguments.resume {
            super::report(format_args!("Go on with: --resume {}", file.display()));
        }
        return Ok(Exit::Interrupted.into());
    }
    left(arguments, place, tables, now)?;
    let reviewed = match arguments.review.review {
        true => review::review(&report, &place.catalog)?,
        false => Reviewed::unseen(&report, &place.catalog),
    };
    let left = change(arguments, place, &reviewed)?;
    Ok(match (left, report.skipped.is_empty()) {
        (true, _) => Exit::Found.into(),
        (false, false) => Exit::Wrong.into(),
        (false, true) => Exit::Done.into(),
    })
}

fn to_stdout(arguments: &Arguments) -> bool {
    arguments.draft.as_ref().is_some_and(|file| file.as_os_str() == "-")
}

fn written(arguments: &Arguments, report: &Report<'_>, now: Timestamp) -> Result<(), String> {
    if let Some(file) = &arguments.html {
        files::write(file, &report.html(&now.strftime("%Y-%m-%d %H:%M UTC").to_string()))?;
    }
    Ok(())
}

/// What was found, for a review in the web console.
fn left(
    arguments: &Arguments,
    place: &Place,
    tables: &[ScannedTable],
    now: Timestamp,
) -> Result<(), String> {
    let Some(file) = &place.findings else { return Ok(()) };
    let Bounds { only, except, .. } = &arguments.bounds;
    if !only.is_empty() || !except.is_empty() {
        report(format_args!("{} stays as it is: not every table was looked at", file.display()));
        return Ok(());
    }
    files::leave(file, &Findings::new(&place.name, now, arguments.at_least, tables))?;
    report(format_args!("left {} for the web console", file.display()));
    Ok(())
}

/// Draft, patch, catalog files; whether something is still in no catalog then.
fn change(arguments: &Arguments, place: &Place, reviewed: &Reviewed) -> Result<bool, String> {
    let Reviewed { proposals, undecided } = reviewed;
    if to_stdout(arguments) {
        say(draft::catalog(&place.name, proposals).trim_end());
    } else if let Some(file) = &arguments.draft {
        files::write_new(file, &draft::catalog(&place.name, proposals))?;
        report(format_args!("wrote {}", file.display()));
    }
    let wanted = arguments.patch.patch
        || arguments.accept.accept
        || arguments.review.review && arguments.draft.is_none();
    if wanted && !place.files.is_empty() {
        let patched = files::patched(place, proposals)?;
        if arguments.accept.accept {
            files::accept(place.config.as_deref(), &patched)?;
            return Ok(*undecided);
        }
        patched.iter().for_each(|file| say(draft::diff(file).trim_end_matches('\n')));
    }
    Ok(*undecided || !proposals.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        scan: Arguments,
    }

    fn bounds(line: &[&str]) -> Bounds {
        let line = ["scan"].iter().chain(line);
        Line::try_parse_from(line).expect("good arguments").scan.bounds
    }

    #[test]
    fn tables_are_chosen_by_name() {
        let all = bounds(&[]);
        assert!(all.take("public", "people"));
        let some = bounds(&["--only", "public.*", "--only", "hr.pay", "--except", "public.log"]);
        for (schema, name, taken) in [
            ("public", "people", true),
            ("public", "log", false),
            ("hr", "pay", true),
            ("hr", "log", false),
        ] {
            assert_eq!(some.take(schema, name), taken, "{schema}.{name}");
        }
    }

    #[test]
    fn a_pause_may_be_nothing_and_a_url_holds_no_password() {
        assert_eq!(bounds(&[]).pause, Duration::ZERO);
        assert_eq!(bounds(&["--pause", "50ms"]).pause, Duration::from_millis(50));
        let url = Line::try_parse_from(["scan", "--url", "postgres://a:secret@h/db"]);
        let said = url.expect_err("a password").to_string();
        assert!(said.contains("a password does not belong into the URL"), "{said}");
    }
}
