//! `keyhole demo`: the whole loop on a database that exists for a minute. A real PostgreSQL, the
//! proxy as a process of its own, an analyst and a DBA; every step is checked as it is shown.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{failed, say};

mod conversation;
mod data;
mod place;
mod postgres;
mod process;
mod proxy;
mod script;
mod stage;

use place::Place;
use postgres::Postgres;
use proxy::{Passwords, Proxy};
use stage::Stage;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Leave everything running, with the connection strings printed, until Ctrl-C
    #[arg(long)]
    serve: bool,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, clap::Args)]
struct Look {
    /// Colours even where standard output is no terminal
    #[arg(long)]
    color: bool,
}

/// Why the demo ended before its end.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("{0}")]
    Setup(String),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("{what}: {}", super::check::with_cause(source))]
    Database { what: String, source: tokio_postgres::Error },
    #[error("interrupted")]
    Interrupted,
}

/// Everything that runs, in the order in which it ends: the proxy, PostgreSQL, the folder.
struct Set {
    proxy: Proxy,
    postgres: Postgres,
    passwords: Passwords,
    audit: PathBuf,
    _place: Place,
}

pub(super) async fn run(arguments: &Arguments) -> ExitCode {
    let mut stage = Stage::new(arguments.look.color.then_some(stage::Colours::On));
    let result = tokio::select! {
        result = play(arguments, &mut stage) => result,
        () = interrupted() => Err(DemoError::Interrupted),
    };
    match result {
        Ok(code) => code,
        Err(DemoError::Interrupted) if arguments.serve => ExitCode::SUCCESS,
        Err(error) => failed(&format!("demo: {error}")),
    }
}

/// Dropping this future, as an interruption does, stops whatever runs.
async fn play(arguments: &Arguments, stage: &mut Stage) -> Result<ExitCode, DemoError> {
    let mut set = set_up(arguments, stage).await?;
    if arguments.serve {
        print_connections(&set);
        set.proxy.ended().await;
        return Err(DemoError::Setup("the proxy ended by itself".to_owned()));
    }
    script::play(&set, stage).await?;
    set.proxy.stop().await?;
    let verified = proxy::verify_audit(&set.audit)?;
    stage.act("The record");
    script::check_record(&set, stage).await?;
    stage.verdict("`keyhole audit verify` finds the chain whole", verified.outcome());
    set.postgres.stop().await?;
    let code = stage.close();
    say(verified.line);
    Ok(code)
}

async fn set_up(arguments: &Arguments, stage: &mut Stage) -> Result<Set, DemoError> {
    stage.aside("starting a throwaway PostgreSQL and loading the sample shop …");
    let place = Place::new()?;
    let passwords = Passwords::random();
    let postgres = Postgres::start(&place).await?;
    let customers = data::load(&postgres, &passwords.upstream).await?;
    stage.aside(&format!(
        "{} on port {}, {customers} customers; starting the proxy …",
        postgres.version, postgres.port
    ));
    let ports = if arguments.serve { proxy::Ports::usual() } else { proxy::Ports::any() };
    let audit = place.path().join("audit");
    let proxy = Proxy::start(&place, &postgres, &passwords, ports).await?;
    Ok(Set { proxy, postgres, passwords, audit, _place: place })
}

fn print_connections(set: &Set) {
    let Passwords { upstream, alice, dora } = &set.passwords;
    let at = &set.proxy.addresses;
    say("");
    for (what, password, user, address, database) in [
        ("data, masked until granted", alice, "alice", at.data, "shop"),
        ("console for the DBA", dora, "dora", at.control, "keyhole"),
        ("the database itself, raw", upstream, "app", set.postgres.address(), "shop"),
    ] {
        let (ip, port, password) = (address.ip(), address.port(), password.expose());
        say(format_args!("{what}:"));
        say(format_args!("  PGPASSWORD={password} psql -h {ip} -p {port} -U {user} {database}"));
        say(format_args!("  postgres://{user}:{password}@{address}/{database}"));
    }
    say(format_args!("API and metrics:\n  http://{}/metrics", at.http));
    say("\nready; Ctrl-C ends it all");
}

/// Comes back on Ctrl-C or SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
