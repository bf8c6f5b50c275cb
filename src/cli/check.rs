//! `keyhole check`: everything that can be known to be wrong before somebody is served.

mod live;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::exit::Exit;
use super::progress::Progress;
use super::{FromConfig, failed, report, say};
use crate::auth::scram::Verifier;
use crate::config::{Config, Credential, DatabaseConfig, Place, UserConfig};
use crate::discovery::drift::{Drift, Severity};
use crate::server::preview;
use crate::store::approvals::{Location, StoreError, identify};

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) from: FromConfig,
    /// Print one JSON object: ok, problems, warnings, drift
    #[arg(long)]
    pub(super) json: bool,
    /// Exit 5 if there are warnings and nothing is wrong
    #[arg(long)]
    pub(super) strict: bool,
    /// Say as well what is hidden or refused already, such as functions that nobody can look into
    #[arg(long)]
    pub(super) notes: bool,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Checked {
    ok: bool,
    problems: Vec<String>,
    warnings: Vec<String>,
    #[serde(skip)]
    notes: Vec<String>,
    /// Where catalogs and their databases have moved apart, notes included.
    drift: Vec<Told>,
    /// Of a configuration in which nothing is wrong: what it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
}

/// A [`Drift`] for programs.
#[derive(Debug, Serialize)]
struct Told {
    severity: &'static str,
    kind: &'static str,
    database: String,
    schema: Option<String>,
    table: Option<String>,
    column: Option<String>,
    /// File and line of the catalog, if it speaks of it.
    place: Option<String>,
    what: String,
}

pub(super) async fn run(arguments: &Arguments) -> ExitCode {
    let checked = checked(&arguments.from.config).await;
    let Checked { ok, problems, warnings, notes, drift: _, summary } = &checked;
    if arguments.json {
        match serde_json::to_string(&checked) {
            Ok(line) => say(line),
            Err(error) => return failed(&error.to_string()),
        }
    } else {
        for warning in warnings {
            report(format_args!("{warning} (a warning)"));
        }
        for note in notes.iter().filter(|_| arguments.notes) {
            report(format_args!("{note} (a note)"));
        }
        problems.iter().chain(summary).for_each(say);
    }
    match (*ok, arguments.strict && !warnings.is_empty()) {
        (true, false) => Exit::Done.into(),
        (true, true) => Exit::Found.into(),
        (false, _) => Exit::Wrong.into(),
    }
}

async fn checked(path: &Path) -> Checked {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(problems) => {
            let problems = problems.0.iter().map(ToString::to_string).collect();
            return Checked { problems, ..Checked::default() };
        }
    };
    let mut checked = Checked {
        warnings: config.warnings().iter().map(ToString::to_string).collect(),
        problems: verifiers(&config.users),
        ..Checked::default()
    };
    checked.problems.extend(classes(&config));
    let progress = Progress::of("asking the databases");
    checked.problems.extend(store(&config).await);
    for database in &config.databases {
        match live::look(&config, database).await {
            Ok(live) => checked.take(database, live),
            Err(problems) => checked.problems.extend(problems),
        }
    }
    drop(progress);
    checked.ok = checked.problems.is_empty();
    checked.summary = checked.ok.then(|| summary(&config));
    checked
}

impl Checked {
    fn take(&mut self, database: &DatabaseConfig, live: live::Live) {
        self.warnings.extend(live.warnings);
        for drift in &live.drift {
            let line = live::line(database, drift);
            match drift.severity {
                Severity::Problem => self.problems.push(line),
                Severity::Warning => self.warnings.push(line),
                Severity::Note => self.notes.push(line),
            }
            self.drift.push(Told::new(database, drift));
        }
    }
}

impl Told {
    fn new(database: &DatabaseConfig, drift: &Drift) -> Self {
        Self {
            severity: drift.severity.as_str(),
            kind: drift.kind.as_str(),
            database: database.name.as_str().to_owned(),
            schema: drift.table.as_ref().map(|table| table.schema.clone()),
            table: drift.table.as_ref().map(|table| table.name.clone()),
            column: drift.column.clone(),
            place: Some(&drift.place).filter(|place| !place.is_empty()).cloned(),
            what: drift.words.clone(),
        }
    }
}

fn summary(config: &Config) -> String {
    let columns: usize = config
        .databases
        .iter()
        .flat_map(|database| &database.catalog.tables)
        .map(|table| table.columns.len())
        .sum();
    format!(
        "{}: ok ({}, {}, {}, {}, {})",
        config.path.display(),
        counted(config.databases.len(), "database", "databases"),
        counted(columns, "catalogued column", "catalogued columns"),
        counted(config.users.len(), "user", "users"),
        counted(config.policies.len(), "policy", "policies"),
        counted(config.standing.len(), "standing grant", "standing grants"),
    )
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn verifiers(users: &[UserConfig]) -> Vec<String> {
    let mut problems = Vec::new();
    for user in users {
        if let Some(Credential::ScramVerifier(text)) = &user.credential
            && let Err(error) = Verifier::parse(text.expose())
        {
            problems.push(format!("{}: scram of user \"{}\": {error}", user.place, user.name));
        }
    }
    problems
}

/// Classes that somebody may request although nothing has them: most likely misspelled.
fn classes(config: &Config) -> Vec<String> {
    let known: BTreeSet<&str> = config
        .databases
        .iter()
        .flat_map(|database| database.catalog.classes.keys().map(String::as_str))
        .collect();
    if known.is_empty() {
        return Vec::new();
    }
    let of_policies = config.policies.iter().map(|p| (&p.place, &p.text.resources));
    let of_standing = config.standing.iter().map(|s| (&s.place, &s.text.resources));
    let unknown = |(place, resources): (&Place, &Vec<String>)| {
        let unknown = |resource: &String| {
            let class = resource.strip_prefix("class:").filter(|class| !known.contains(class))?;
            Some(format!("{place}: resources: no catalog has a class \"{class}\""))
        };
        resources.iter().filter_map(unknown).collect::<Vec<_>>()
    };
    of_policies.chain(of_standing).flat_map(unknown).collect()
}

/// A store that proxies share has to be within reach; one of this proxy's own may be in use.
async fn store(config: &Config) -> Option<String> {
    let location = match preview::store(config.clone()) {
        Ok(location @ Location::Postgres(_)) => location,
        Ok(Location::Sqlite(_)) => return None,
        // Told of where the databases are looked at.
        Err(_) => return None,
    };
    let identified = tokio::task::spawn_blocking(move || identify(&location)).await;
    let found = identified.unwrap_or(Err(StoreError::Stopped));
    found.err().map(|error| format!("{}: [store]: {}", config.path.display(), with_cause(&error)))
}

/// The error and what led to it, as one line.
pub(super) fn with_cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}
