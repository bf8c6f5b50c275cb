//! `keyhole simulate`: what another catalog or other policies would change for those who work with
//! the database, from what they did.
//!
//! The log, or a file, is summed up first: one entry for each person, application and kind of
//! statement. Then each entry is decided under the configuration as it is and as it would be.

mod account;
mod asks;
mod book;
mod change;
mod log;
mod restore;
mod side;
mod statements;
mod text;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use self::account::{Account, Report};
use self::asks::{Asks, Found};
use self::book::{Book, Entry, Shape, Who};
use self::change::Kind;
use self::restore::Lost;
use self::side::{Memory, Pair, Side};
use super::audit::Period;
use super::exit::Exit;
use super::progress::Progress;
use super::{failed, report, say};
use crate::audit::{Strings, normalize};
use crate::config::{Config, DatabaseName, EnforcementMode, Problems};
use crate::grant::Conditions;
use crate::server::STACK_LEN;
use crate::server::rehearsal::{Rehearsal, Stage};
use crate::store::approvals::steady_clock;

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Arguments {
    /// The configuration as it is
    #[arg(long, value_name = "FILE", default_value = "proxy.toml")]
    config: PathBuf,
    /// The whole configuration as it would be; without it, as it is but for what else is given
    #[arg(long, value_name = "FILE")]
    proposed: Option<PathBuf>,
    /// A catalog file, in the place of all of the database's; may be given again
    #[arg(long = "catalog", value_name = "FILE")]
    catalogs: Vec<PathBuf>,
    /// A file of [[policy]] and [[standing]] tables, in the place of all of the configuration's
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The database as clients name it; may be given again; without it, all that are served
    #[arg(long = "database", value_name = "NAME")]
    databases: Vec<String>,
    /// The directory of the log
    #[arg(long, value_name = "DIR", default_value = "audit", conflicts_with = "statements")]
    dir: PathBuf,
    /// A file of statements, each with a semicolon at its end, instead of a log
    ///
    /// Lines such as `-- user: alice`, `-- application: crm` and `-- database: shop` say whose those
    /// are that follow, `-- count: 200` how often the next one is run.
    #[arg(long, value_name = "FILE")]
    statements: Option<PathBuf>,
    /// Each line of the file is a statement
    #[arg(long, requires = "statements")]
    lines: bool,
    /// Whose the statements of a file are that says nothing of it; without it, everybody's who has
    /// a [[user]]; several names are separated by commas
    #[arg(long = "as", value_name = "USER", value_delimiter = ',', requires = "statements")]
    users: Vec<String>,
    #[command(flatten)]
    period: Period,
    /// Which changes make the exit code 5
    #[arg(
        long,
        value_enum,
        value_name = "KIND",
        value_delimiter = ',',
        default_value = "visible,refused,masked,remasked,slower,requests"
    )]
    fail_on: Vec<Kind>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> ExitCode {
    match simulated(arguments).await {
        Ok((found, whole)) => {
            if arguments.json {
                match serde_json::to_string(&found) {
                    Ok(line) => say(line),
                    Err(error) => return failed(&error.to_string()),
                }
            } else {
                say(text::text(&found));
            }
            match (whole, found.worse) {
                (Whole::No, _) => Exit::Wrong.into(),
                (Whole::Yes, true) => Exit::Found.into(),
                (Whole::Yes, false) => Exit::Done.into(),
            }
        }
        Err(message) => failed(&message),
    }
}

/// Whether nothing of the log was changed or cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

async fn simulated(arguments: &Arguments) -> Result<(Report, Whole), String> {
    let [current, proposed] = configurations(arguments)?;
    let names = users(&current, arguments);
    let default = default_database(&current, arguments);
    let open = |config| Rehearsal::new(config).map_err(|error| error.to_string());
    let (before, after) = (open(current)?, open(proposed)?);
    let conditions: Vec<&Conditions> = before.conditions().chain(after.conditions()).collect();
    let mut book = Book::default();
    let mut asks = Asks::new([&before, &after]);
    let (mut read, mut whole) = (log::Read::default(), Whole::Yes);
    match &arguments.statements {
        Some(path) => {
            let whose =
                Whose { names: &names, database: default.as_deref(), conditions: &conditions };
            read.records = file(path, arguments, &whose, &mut book)?;
        }
        None => {
            let (since, until) = arguments.period.read(steady_clock()())?;
            let databases = &arguments.databases;
            let wanted = log::Wanted { since, until, databases, conditions };
            let (counted, outcome) = log::read(&arguments.dir, &wanted, &mut book, &mut asks);
            read = counted;
            if let Err(broken) = outcome {
                report(format_args!("simulate: {broken}"));
                whole = Whole::No;
            }
        }
    }
    let found = asks.into_found();
    let account = decided(&mut book, [&before, &after], &found).await?;
    let mut told = account.report(&found.asked, &arguments.fail_on);
    told.read = read.records;
    told.unread = read.unread;
    told.grants_unknown = found.unknown;
    if read.unread > 0 {
        whole = Whole::No;
    }
    Ok((told, whole))
}

/// The configuration as it is and as it would be.
fn configurations(arguments: &Arguments) -> Result<[Config; 2], String> {
    let said = |problems: Problems| format!("the configuration cannot be used\n{problems}");
    let current = Config::load(&arguments.config).map_err(said)?;
    let mut proposed = match &arguments.proposed {
        Some(path) => Config::load(path).map_err(said)?,
        None => current.clone(),
    };
    if !arguments.catalogs.is_empty() {
        let database = default_database(&proposed, arguments)
            .ok_or("--catalog is about one database: name it with --database")?;
        proposed = proposed.with_catalog(&database, &arguments.catalogs).map_err(said)?;
    }
    if let Some(path) = &arguments.policy {
        proposed = proposed.with_policies(path).map_err(said)?;
    }
    // Nobody asks what would be seen if nothing were hidden.
    proposed.enforcement.mode = EnforcementMode::Enforce;
    Ok([current, proposed])
}

/// The only database that is meant.
fn default_database(config: &Config, arguments: &Arguments) -> Option<String> {
    match (arguments.databases.as_slice(), config.databases.as_slice()) {
        ([name], _) => Some(name.clone()),
        ([], [only]) => match &only.name {
            DatabaseName::Named(name) => Some(name.clone()),
            DatabaseName::Any => None,
        },
        (_, _) => None,
    }
}

fn users(config: &Config, arguments: &Arguments) -> Vec<String> {
    if arguments.users.is_empty() {
        config.users.iter().map(|user| user.name.clone()).collect()
    } else {
        arguments.users.clone()
    }
}

/// Whose the statements of a file are where it says nothing of it.
struct Whose<'a> {
    names: &'a [String],
    database: Option<&'a str>,
    conditions: &'a [&'a Conditions],
}

/// Reads a file of statements; how many there were.
fn file(
    path: &Path,
    arguments: &Arguments,
    whose: &Whose<'_>,
    book: &mut Book,
) -> Result<u64, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    let from = BufReader::new(File::open(path).map_err(wrong)?);
    let cut = if arguments.lines { statements::Cut::Lines } else { statements::Cut::Semicolons };
    let now = steady_clock()();
    let (mut count, mut nowhere) = (0, false);
    statements::read(from, cut, &mut |found| {
        let Some(database) = found.headers.database.as_deref().or(whose.database) else {
            nowhere = true;
            return;
        };
        count += found.count;
        let normalized = normalize(found.sql, Strings::Standard);
        let said = found.headers.user.as_ref().map(std::slice::from_ref);
        for user in said.unwrap_or(whose.names) {
            let mut who = Who {
                user: user.clone(),
                groups: Vec::new(),
                application: found.headers.application.clone().unwrap_or_default(),
                database: database.to_owned(),
                holds: Vec::new(),
                address: None,
                time: now,
            };
            who.holds = log::holds(&who, whose.conditions);
            let shape = Shape {
                fingerprint: normalized.fingerprint.clone(),
                text: normalized.text.clone(),
            };
            book.add(who, shape, None, Box::default(), found.count);
        }
    })
    .map_err(wrong)?;
    if nowhere {
        return Err("which database the statements are for is not said: name it with --database, \
                    or in the file with `-- database: NAME`"
            .to_owned());
    }
    Ok(count)
}

/// Decides each entry under both configurations, database by database.
async fn decided(
    book: &mut Book,
    sides: [&Rehearsal; 2],
    found: &Found,
) -> Result<Account, String> {
    let mut account = Account::default();
    for ((lost, user, application), count) in std::mem::take(&mut book.lost) {
        account.lose_all(lost, &user, &application, count);
    }
    let entries = book.sorted();
    let names: BTreeSet<String> =
        entries.iter().map(|(entry, _)| entry.who.database.clone()).collect();
    for name in names {
        let mut here: Vec<&(Entry, u64)> =
            entries.iter().filter(|(entry, _)| entry.who.database == name).collect();
        if !sides.iter().all(|side| side.serves(&name)) {
            for (entry, count) in here.drain(..) {
                account.lose(Lost::Database, &entry.who, *count);
            }
            continue;
        }
        let asking = Progress::of(format!("asking database {name}"));
        let stages = Stage::pair(sides[0], sides[1], &name).await;
        let [before, after] = stages.map_err(|error| error.to_string())?;
        drop(asking);
        let pair = Pair {
            before: Side::new(sides[0], before, 0),
            after: Side::new(sides[1], after, 1),
            terms: &found.terms,
        };
        let progress = Progress::of("deciding");
        account.merge(in_parallel(&pair, &here, &progress)?);
    }
    Ok(account)
}

/// Decides on as many threads as there are processors, each with the stack that analysis takes.
fn in_parallel(
    pair: &Pair<'_>,
    entries: &[&(Entry, u64)],
    progress: &Progress,
) -> Result<Account, String> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let size = entries.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let mut running = Vec::new();
        for some in entries.chunks(size) {
            let thread = thread::Builder::new()
                .name("simulate".to_owned())
                .stack_size(STACK_LEN)
                .spawn_scoped(scope, move || some_decided(pair, some, progress));
            running.push(thread.map_err(|error| error.to_string())?);
        }
        let mut account = Account::default();
        for thread in running {
            match thread.join() {
                Ok(part) => account.merge(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(account)
    })
}

fn some_decided(pair: &Pair<'_>, entries: &[&(Entry, u64)], progress: &Progress) -> Account {
    let (mut account, mut memory) = (Account::default(), Memory::new());
    for (entry, count) in entries {
        progress.count();
        match memory.both(pair, entry) {
            Ok(both) => account.add(entry, *count, &both, pair),
            Err(lost) => account.lose(lost, &entry.who, *count),
        }
    }
    account
}
