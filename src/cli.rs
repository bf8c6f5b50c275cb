//! The command line: what was asked for, and the exit code that says how it went.
//!
//! `exit` says which codes there are.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::model::misleads;

mod access;
mod api;
mod audit;
mod check;
mod credentials;
mod demo;
mod exchange;
mod exit;
mod explain;
mod init;
mod install_trigger;
mod look;
mod manual;
mod openapi;
mod panics;
mod policy;
mod progress;
mod prompt;
mod ready;
mod receipts;
mod risk;
mod scan;
mod serve;
mod shown;
mod sign_in;
mod simulate;
mod store;
mod support_bundle;
mod token;
mod user;

const WORKERS_LEAST: usize = 2;

/// Hides personal data in PostgreSQL until a live grant covers it.
#[derive(Debug, Parser)]
#[command(name = "keyhole", version, about, after_long_help = exit::table())]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy in the foreground; logs go to standard error
    ///
    /// A line `ready` names the bound addresses once all ports accept. SIGTERM drains, SIGHUP
    /// reads the configuration again.
    Serve(FromConfig),
    /// Write a configuration and a catalog to begin with, for one's own database
    ///
    /// Makes the files proxy.toml and catalog/DATABASE.toml with two users, alice, who asks, and
    /// dora, who approves; their passwords are in alice.password and dora.password. Nothing that
    /// is there is overwritten, and nothing is changed in the database. Then it checks them as
    /// `keyhole check` does, with its exit codes, and prints how to go on.
    Init(Box<init::Arguments>),
    /// Validate configuration and catalog, and the catalog against the live schema
    ///
    /// Prints one line per problem, with file and line, and exits 1 if there is any. Warns of what the
    /// catalog does not say: new columns of catalogued tables, columns elsewhere that look like
    /// personal data, types that have changed, views and functions that nobody has decided on; a
    /// pipeline makes that exit 5 with --strict. What is new or has changed is known where a proxy
    /// of this configuration has run before.
    Check(check::Arguments),
    /// Look for personal data in a database, and say what the catalog does not name
    ///
    /// Samples every table within bounds, in read-only transactions, and says for each column what
    /// it looks like, how sure that is, and why. No value is printed or kept. Exits 5 if columns
    /// look like personal data and are in no catalog, 1 if there are none but some tables could not
    /// be read, and 0 otherwise.
    Scan(Box<scan::Arguments>),
    /// Say what would happen to a statement, and why, without running it
    ///
    /// Exits 0 if it would run and 1 if it would be refused. Grants that are bound to networks do
    /// not count, as there is no connection.
    Explain(explain::Arguments),
    /// Say what another catalog or other policies would change, before they count
    ///
    /// Takes the statements of an audit log, or of a file, and decides on each as the configuration
    /// says now and as it would: who would see what masked, or raw that was hidden; what would be
    /// refused, or take longer; and which requests would be granted otherwise. Runs nothing, and
    /// writes nothing. The proposed configuration is taken to enforce, so with the current one in
    /// mode observe, and nothing else, it says what enforcing would change. Exits 5 if something
    /// would change for the worse, 1 if the log is not whole.
    Simulate(Box<simulate::Arguments>),
    /// Have a database tell the proxy of DDL past it, at once
    ///
    /// Installs two event triggers, in schema keyhole_internal, that NOTIFY the proxy; it takes a
    /// superuser. Without them, the schema is read again now and then. Exits 2 if it failed.
    InstallTrigger(install_trigger::Arguments),
    /// Make a catalog of what others wrote down: security labels, comments, dbt, CSV
    ///
    /// Prints it. What is not understood is named on standard error, and the exit code is 1.
    Import(exchange::Import),
    /// Write a catalog as CSV, dbt's properties, or SQL that sets comments or security labels
    ///
    /// Changes nothing in the database: the SQL is for psql. Comments keep what they say beside the
    /// class, for which the database is asked.
    Export(exchange::Export),
    /// Sign in at a running proxy, for the commands that ask it
    ///
    /// The session is kept in ~/.config/keyhole/credentials until it ends.
    Login(sign_in::Login),
    /// End the session of `keyhole login`
    Logout(sign_in::Logout),
    #[command(flatten)]
    Access(Box<access::Command>),
    #[command(flatten)]
    Look(Box<look::Command>),
    /// Look after the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Look after the approval store
    #[command(subcommand)]
    Store(store::Command),
    /// Think policies through
    #[command(subcommand)]
    Policy(policy::Command),
    /// Look after the key that signs receipts
    #[command(subcommand)]
    Receipts(receipts::Receipts),
    /// Approve with a key of one's own
    #[command(subcommand)]
    Approvals(receipts::Approvals),
    /// Try the rules over the audit log out
    #[command(subcommand)]
    Risk(risk::Command),
    /// Make what machines sign in with
    #[command(subcommand)]
    Token(token::Command),
    /// Say whether a running proxy serves, and if not, why
    ///
    /// Exits 0 if it is ready, 1 if it is not, and 2 if it could not be asked.
    Ready(ready::Arguments),
    /// Write an archive for whoever helps: version, configuration, metrics, counts; nothing secret
    ///
    /// Names of people, hosts, tables and columns, addresses, passwords, statements and reasons are
    /// left out; README.txt in it says what is there. Look through it before it leaves the house.
    SupportBundle(support_bundle::Arguments),
    /// Look after the proxy's users
    #[command(subcommand)]
    User(user::Command),
    /// Print the document of the HTTP API (OpenAPI 3.1)
    Openapi,
    /// Show the whole loop on a throwaway database: masked, requested, approved, clear, masked
    Demo(demo::Arguments),
    /// Print the completions of a shell: bash, zsh, fish, elvish or powershell
    ///
    /// For bash: keyhole completions bash > /etc/bash_completion.d/keyhole
    Completions(manual::Completions),
    /// Print the manual page, or write one for each command
    Man(manual::Manual),
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct FromConfig {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "proxy.toml")]
    config: PathBuf,
}

/// The command line as clap describes it: for completions, manuals and the reference.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Carries out what the arguments of this process say.
pub fn main() -> ExitCode {
    panics::withhold_messages();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too; nothing is left to do if nobody reads them.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("the runtime could not be started: {error}")),
    };
    let code = match arguments.command {
        Command::Serve(from) => runtime.block_on(serve::run(&from.config)),
        Command::Init(arguments) => runtime.block_on(init::run(&arguments)),
        Command::Check(from) => runtime.block_on(check::run(&from)),
        Command::Scan(arguments) => runtime.block_on(scan::run(&arguments)),
        Command::Explain(arguments) => runtime.block_on(explain::run(&arguments)),
        Command::Simulate(arguments) => runtime.block_on(simulate::run(&arguments)),
        Command::InstallTrigger(arguments) => runtime.block_on(install_trigger::run(&arguments)),
        Command::Import(arguments) => runtime.block_on(exchange::import(&arguments)),
        Command::Export(arguments) => runtime.block_on(exchange::export(&arguments)),
        Command::Access(command) => runtime.block_on(access::run(*command)),
        Command::Look(command) => runtime.block_on(look::run(*command)),
        Command::Audit(command) => audit::run(&command),
        Command::Store(command) => runtime.block_on(store::run(&command)),
        Command::Policy(command) => policy::run(&command),
        Command::Receipts(command) => receipts::receipts(&command),
        Command::Approvals(command) => receipts::approvals(&command),
        Command::Risk(command) => risk::run(&command),
        Command::Login(arguments) => runtime.block_on(sign_in::login(&arguments)),
        Command::Logout(arguments) => runtime.block_on(sign_in::logout(&arguments)),
        Command::Token(command) => token::run(&command),
        Command::Ready(arguments) => runtime.block_on(ready::run(&arguments)),
        Command::SupportBundle(arguments) => runtime.block_on(support_bundle::run(&arguments)),
        Command::User(command) => runtime.block_on(user::run(&command)),
        Command::Openapi => openapi::run(),
        Command::Demo(arguments) => runtime.block_on(demo::run(&arguments)),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::manual(&arguments),
    };
    // A thread may still wait for a line on standard input; nothing else is left running.
    runtime.shutdown_background();
    code
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(WORKERS_LEAST, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.max(WORKERS_LEAST))
        .thread_stack_size(crate::server::STACK_LEN)
        .enable_all()
        .build()
}

/// Prints a result on standard output. A reader that went away is no error of ours.
fn say(line: impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    // A program gets it as it is.
    let _ = match out.is_terminal() {
        true => writeln!(out, "{}", harmless(&line.to_string())),
        false => writeln!(out, "{line}"),
    };
}

/// Prints what has colours of ours, and is nobody else's.
fn say_in_colour(line: impl std::fmt::Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Prints what went wrong on standard error.
fn report(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless(&line.to_string()));
}

/// Names, reasons and statements are what people wrote, and errors what a server answers: none of
/// it moves a terminal's cursor, sets its title or turns the reading direction.
fn harmless(text: &str) -> String {
    let shown = |c| if c != '\n' && misleads(c) { ' ' } else { c };
    text.chars().map(shown).collect()
}

fn failed(message: &str) -> ExitCode {
    report(format_args!("keyhole: {message}"));
    exit::Exit::Failed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_printed_steers_a_terminal() {
        let told = harmless("a\u{1b}]0;x\u{7}\r\u{9b}2J\nb\u{202e}c é");
        assert_eq!(told, "a ]0;x   2J\nb c é");
    }

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_configuration_is_proxy_toml_unless_said_otherwise() {
        let arguments = Arguments::try_parse_from(["keyhole", "serve"]).expect("good arguments");
        let Command::Serve(from) = arguments.command else { panic!("another command") };
        assert_eq!(from.config, PathBuf::from("proxy.toml"));
    }
}
