//! `keyhole audit search`: records that are asked for, as a table, JSON or CSV.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cells::{csv_line, table};
use super::row::{CSV, TABLE, csv_cells, row};
use super::when::{Edge, when};
use crate::audit::query::{Addresses, Class, Found, Named, Query, Search};
use crate::audit::{Decision, Kind, Record};
use crate::cli::progress::Progress;
use crate::cli::{failed, report};
use crate::config::{Config, DatabaseName};
use crate::model::Timestamp;
use crate::store::audit_log::scan;

/// Rows of a table, and of an answer that has to be turned round, unless said otherwise.
const LIMIT_DEFAULT: usize = 1000;

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(in crate::cli) struct Arguments {
    /// The directory of the log
    #[arg(long, value_name = "DIR", default_value = "audit")]
    dir: PathBuf,
    /// Who did it, asked for it, approved it, or whom a grant is for
    #[arg(long = "user", value_name = "NAME")]
    users: Vec<String>,
    /// The group of whoever did it, or that a grant is for
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
    /// A column touched or granted: email, customers.email, public.customers.email
    #[arg(long = "column", value_name = "COLUMN")]
    columns: Vec<String>,
    /// A class of the catalogs that --config names: its columns, and grants on it
    #[arg(long = "class", value_name = "NAME", requires = "config")]
    classes: Vec<String>,
    /// The configuration file, to know the columns of a class
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A table touched or granted: customers, public.customers
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,
    /// The number of a grant: its own records, and what was shown under it
    #[arg(long = "grant", value_name = "N")]
    grants: Vec<u64>,
    /// The number of a request
    #[arg(long = "request", value_name = "N")]
    requests: Vec<u64>,
    /// The number of a session; each start of the proxy counts from 1
    #[arg(long = "session", value_name = "N")]
    sessions: Vec<u64>,
    /// statement, release, login, login_failed, logout, grant, configuration, catalog, …
    #[arg(long = "kind", value_name = "KIND", value_parser = kind)]
    kinds: Vec<Kind>,
    /// clear, shown, computed, raw, refused, cut, local, observed
    #[arg(long = "decision", value_name = "DECISION", value_parser = decision)]
    decisions: Vec<Decision>,
    /// What happened to a grant, the configuration or the catalog: approved, revoked, reloaded, …
    #[arg(long = "step", value_name = "STEP")]
    steps: Vec<String>,
    /// An address, or a network such as 10.1.0.0/16
    #[arg(long = "address", value_name = "ADDRESS")]
    addresses: Vec<Addresses>,
    /// An application_name
    #[arg(long = "application", value_name = "NAME")]
    applications: Vec<String>,
    /// A database as clients name it
    #[arg(long = "database", value_name = "NAME")]
    databases: Vec<String>,
    /// The fingerprint of a statement
    #[arg(long = "fingerprint", value_name = "HEX")]
    fingerprints: Vec<String>,
    /// Words that are all in the statement, the reason or the row predicate
    #[arg(long, value_name = "WORDS")]
    text: Vec<String>,
    #[command(flatten)]
    period: super::Period,
    /// So many records at most; of a table and with --reverse 1000 unless said otherwise
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// The newest first
    #[arg(long)]
    reverse: bool,
    /// Print the lines of the log as they are
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV, with a line of titles
    #[arg(long)]
    csv: bool,
}

fn kind(word: &str) -> Result<Kind, String> {
    Kind::named(word).ok_or_else(|| "there is no such kind of records".to_owned())
}

fn decision(word: &str) -> Result<Decision, String> {
    Decision::named(word).ok_or_else(|| "there is no such decision".to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Table,
    Json,
    Csv,
}

impl Arguments {
    fn form(&self) -> Form {
        match (self.json, self.csv) {
            (true, _) => Form::Json,
            (false, true) => Form::Csv,
            (false, false) => Form::Table,
        }
    }

    /// # Errors
    /// A time that is none, or a class that the catalogs do not have.
    fn query(&self, now: Timestamp) -> Result<Query, String> {
        let (since, until) = self.period.read(now)?;
        let words = self.text.iter().flat_map(|text| text.split_whitespace());
        Ok(Query {
            users: self.users.clone(),
            groups: self.groups.clone(),
            columns: self.columns.clone(),
            tables: self.tables.clone(),
            classes: self.classes()?,
            grants: self.grants.clone(),
            requests: self.requests.clone(),
            sessions: self.sessions.clone(),
            kinds: self.kinds.clone(),
            decisions: self.decisions.clone(),
            steps: self.steps.clone(),
            addresses: self.addresses.clone(),
            applications: self.applications.clone(),
            databases: self.databases.clone(),
            fingerprints: self.fingerprints.clone(),
            words: words.map(str::to_owned).collect(),
            since,
            until,
        })
    }

    fn classes(&self) -> Result<Vec<Class>, String> {
        let Some(path) = self.config.as_ref().filter(|_| !self.classes.is_empty()) else {
            return Ok(Vec::new());
        };
        let config = Config::load(path).map_err(|problems| problems.to_string())?;
        let class = |name: &String| {
            let unknown = || format!("--class {name}: no catalog has such a class");
            Class::of(name, catalogs(&config)).ok_or_else(unknown)
        };
        self.classes.iter().map(class).collect()
    }
}

/// The catalogs of a configuration.
pub(super) fn catalogs(config: &Config) -> impl Iterator<Item = Named<'_>> + Clone {
    config.databases.iter().map(|database| {
        let name = match &database.name {
            DatabaseName::Named(name) => Some(name.as_str()),
            DatabaseName::Any => None,
        };
        (name, &database.catalog)
    })
}

impl super::Period {
    /// # Errors
    /// Says which is no time.
    pub(in crate::cli) fn read(
        &self,
        now: Timestamp,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), String> {
        let read = |name: &str, text: &Option<String>, edge| {
            let time = text.as_ref().map(|text| when(text, now, edge)).transpose();
            time.map_err(|error| format!("--{name}: {error}"))
        };
        Ok((read("since", &self.since, Edge::Begin)?, read("until", &self.until, Edge::End)?))
    }
}

/// A record that was found, as it is printed.
enum Hit {
    Row(Vec<String>),
    Line(Vec<u8>),
}

/// Takes hits in and prints those that are wanted.
struct Output<W: Write> {
    form: Form,
    limit: usize,
    reverse: bool,
    found: u64,
    /// What is not printed at once: rows of a table, and all that is to be turned round.
    kept: VecDeque<Hit>,
    to: W,
}

impl<W: Write> Output<W> {
    fn new(arguments: &Arguments, to: W) -> Self {
        let (form, reverse) = (arguments.form(), arguments.reverse);
        let unlimited = form != Form::Table && !reverse;
        let default = if unlimited { usize::MAX } else { LIMIT_DEFAULT };
        let limit = arguments.limit.map_or(default, |n| usize::try_from(n).unwrap_or(usize::MAX));
        Self { form, limit, reverse, found: 0, kept: VecDeque::new(), to }
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.form == Form::Csv { self.to.write_all(csv_line(CSV).as_bytes()) } else { Ok(()) }
    }

    fn take(&mut self, hit: Hit) -> io::Result<()> {
        self.found += 1;
        if self.reverse {
            if self.kept.len() == self.limit {
                self.kept.pop_front();
            }
            self.kept.push_back(hit);
            return Ok(());
        }
        if self.found > self.limit as u64 {
            return Ok(());
        }
        match hit {
            Hit::Row(_) => self.kept.push_back(hit),
            Hit::Line(line) => self.to.write_all(&line)?,
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let mut kept: Vec<Hit> = std::mem::take(&mut self.kept).into();
        if self.reverse {
            kept.reverse();
        }
        let mut rows = Vec::new();
        for hit in kept {
            match hit {
                Hit::Row(row) => rows.push(row),
                Hit::Line(line) => self.to.write_all(&line)?,
            }
        }
        if !rows.is_empty() {
            self.to.write_all(table(TABLE, &[0, 5], &rows).as_bytes())?;
        }
        self.to.flush()
    }
}

pub(super) fn run(arguments: &Arguments, now: Timestamp) -> ExitCode {
    let search = match arguments.query(now) {
        Ok(query) => Search::new(query),
        Err(message) => return failed(&message),
    };
    let form = arguments.form();
    let mut output = Output::new(arguments, BufWriter::new(io::stdout().lock()));
    let unreadable = AtomicU64::new(0);
    // A reader that went away is no error of ours.
    let mut written = output.begin();
    let progress = Progress::beside_output("searching the log");
    let verified = scan(
        &arguments.dir,
        |_, line| {
            progress.count();
            match search.look(line) {
                Found::No => None,
                Found::Yes(record) => Some(hit(form, &record, line)),
                Found::Unreadable => {
                    unreadable.fetch_add(1, Ordering::Relaxed);
                    None
                }
            }
        },
        |hit| {
            if written.is_ok() {
                written = output.take(hit);
            }
        },
    );
    drop(progress);
    let _ = output.end();
    let (found, limit) = (output.found, output.limit);
    drop(output);
    let mut code = ExitCode::SUCCESS;
    if found > limit as u64 {
        let which = if arguments.reverse { "last" } else { "first" };
        report(format_args!(
            "audit search: {found} records match; the {which} {limit} are shown (--limit)"
        ));
    }
    let unreadable = unreadable.into_inner();
    if unreadable > 0 {
        report(format_args!("audit search: {unreadable} records could not be read"));
        code = ExitCode::FAILURE;
    }
    match verified {
        Ok(verified) if found == 0 => {
            report(format_args!("audit search: nothing found in {} records", verified.records));
        }
        Ok(_) => {}
        Err(broken) => {
            report(format_args!("audit search: {broken}; what comes after it was not searched"));
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn hit(form: Form, record: &Record, line: &[u8]) -> Hit {
    match form {
        Form::Table => Hit::Row(row(record)),
        Form::Json => Hit::Line([line, b"\n"].concat()),
        Form::Csv => Hit::Line(csv_line(csv_cells(record)).into_bytes()),
    }
}
