//! `keyhole check`: everything that can be known to be wrong before somebody is served.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::exit::Exit;
use super::progress::Progress;
use super::{FromConfig, failed, report, say};
use crate::analysis::sensitive::Sensitive;
use crate::auth::scram::Verifier;
use crate::config::{Config, Credential, DatabaseConfig, Place, UpstreamDatabase, UserConfig};
use crate::model::Epoch;
use crate::server::preview;
use crate::store::approvals::{Location, StoreError, identify};
use crate::store::tags::TagFiles;
use crate::upstream::{introspect, own};

const READ_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) from: FromConfig,
    /// Print one JSON object: ok, problems, warnings
    #[arg(long)]
    pub(super) json: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Checked {
    ok: bool,
    problems: Vec<String>,
    warnings: Vec<String>,
    /// Of a configuration in which nothing is wrong: what it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
}

pub(super) async fn run(arguments: &Arguments) -> ExitCode {
    let checked = checked(&arguments.from.config).await;
    let Checked { ok, problems, warnings, summary } = &checked;
    if arguments.json {
        match serde_json::to_string(&checked) {
            Ok(line) => say(line),
            Err(error) => return failed(&error.to_string()),
        }
    } else {
        for warning in warnings {
            report(format_args!("{warning} (a warning)"));
        }
        problems.iter().chain(summary).for_each(say);
    }
    if *ok { Exit::Done.into() } else { Exit::Wrong.into() }
}

async fn checked(path: &Path) -> Checked {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(problems) => {
            let problems = problems.0.iter().map(ToString::to_string).collect();
            return Checked { ok: false, problems, warnings: Vec::new(), summary: None };
        }
    };
    let warnings = config.warnings().iter().map(ToString::to_string).collect();
    let mut problems = verifiers(&config.users);
    problems.extend(classes(&config));
    let progress = Progress::of("asking the databases");
    problems.extend(store(&config).await);
    for database in &config.databases {
        problems.extend(live(&config, database).await);
    }
    drop(progress);
    let ok = problems.is_empty();
    Checked { ok, problems, warnings, summary: ok.then(|| summary(&config)) }
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

/// What the catalog says and the live schema does not.
async fn live(config: &Config, database: &DatabaseConfig) -> Vec<String> {
    let name = match &database.upstream.database {
        UpstreamDatabase::Named(name) => name,
        // Any database of the server: there is no one schema to hold the catalog against.
        UpstreamDatabase::AsRequested => return Vec::new(),
    };
    let here =
        |message: String| vec![format!("{}: database \"{name}\": {message}", database.place)];
    let targets = match preview::targets(config.clone(), database.name.as_str()) {
        Ok(targets) => targets,
        Err(error) => return here(error.to_string()),
    };
    let (Some(target), accounts) = (targets.first(), targets.iter().skip(1)) else {
        return Vec::new();
    };
    let (mut client, connection) = match own::connect(target).await {
        Ok(connected) => connected,
        Err(error) => return here(with_cause(&error)),
    };
    #[expect(clippy::disallowed_methods, reason = "a task of this command, gone with its client")]
    tokio::spawn(connection);
    let mut problems = Vec::new();
    for account in accounts {
        if let Err(error) = own::connect(account).await {
            let said = format!("account \"{}\": {}", account.user, with_cause(&error));
            problems.extend(here(said));
        }
    }
    if !problems.is_empty() {
        return problems;
    }
    let read = introspect::read(&mut client, Epoch::default());
    let schema = match tokio::time::timeout(READ_TIMEOUT, read).await {
        Ok(Ok(schema)) => schema,
        Ok(Err(error)) => return here(with_cause(&error)),
        Err(_) => return here(format!("the schema was not read within {READ_TIMEOUT:?}")),
    };
    let identity = match introspect::identity(&client).await {
        Ok(identity) => identity,
        Err(error) => return here(with_cause(&error)),
    };
    let store = config.store.beside();
    // What a proxy has found out before: renamed columns among it.
    let tags = match TagFiles::beside(store).load(database.name.as_str(), &identity, &schema) {
        Ok(tags) => tags,
        Err(error) => return here(error.to_string()),
    };
    let unclassified = config.enforcement.unclassified;
    match Sensitive::bind(&schema, &database.catalog, &tags, unclassified) {
        Ok((_, _, problems)) => problems
            .into_iter()
            .flat_map(|problem| match problem.place.as_str() {
                "" => here(problem.kind.to_string()),
                _ => vec![problem.to_string()],
            })
            .collect(),
        Err(error) => here(error.to_string()),
    }
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
