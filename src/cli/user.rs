//! `keyhole user …`: what the configuration wants to know of a user.

mod totp;

use std::io::{self, IsTerminal, Write};
use std::process::{ExitCode, Stdio};

use super::{failed, say};
use crate::auth::scram::Verifier;
use crate::model::Secret;

/// PostgreSQL's own figures (`scram_iterations`, `SCRAM_DEFAULT_SALT_LEN`).
const ITERATIONS: u32 = 4096;
const SALT_LEN: usize = 16;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Read a password and print its verifier, for `scram = "…"` in the configuration
    ///
    /// The password is asked for on a terminal, and else read from standard input, one line.
    Scram,
    /// Make a second factor for an approver: a secret for their device, and recovery codes
    ///
    /// The lines for the `[[user]]` go to standard output; what is for the user alone, to
    /// standard error. Nothing is kept.
    Totp(totp::Arguments),
}

pub(super) async fn run(command: &Command) -> ExitCode {
    match command {
        Command::Scram => scram().await,
        Command::Totp(arguments) => totp::run(arguments),
    }
}

async fn scram() -> ExitCode {
    let password = tokio::select! {
        read = tokio::task::spawn_blocking(read_password) => read.unwrap_or_else(|_| {
            Err("the password could not be read".to_owned())
        }),
        _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
    };
    echo(Echo::On);
    match password {
        Ok(password) => {
            let salt: [u8; SALT_LEN] = rand::random();
            say(Verifier::from_password(&password, &salt, ITERATIONS));
            ExitCode::SUCCESS
        }
        Err(message) => failed(&message),
    }
}

fn read_password() -> Result<Secret, String> {
    let first = ask("Password: ")?;
    if io::stdin().is_terminal() && ask("Again: ")? != first {
        return Err("the two passwords differ".to_owned());
    }
    Ok(first)
}

fn ask(prompt: &str) -> Result<Secret, String> {
    let mut line = String::new();
    if io::stdin().is_terminal() {
        echo(Echo::Off);
        let mut terminal = io::stderr().lock();
        let _ = write!(terminal, "{prompt}").and_then(|()| terminal.flush());
        let read = io::stdin().read_line(&mut line);
        let _ = writeln!(terminal);
        echo(Echo::On);
        read
    } else {
        io::stdin().read_line(&mut line)
    }
    .map_err(|error| format!("the password could not be read: {error}"))?;
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err("the password is empty".to_owned()),
        password => Ok(Secret::new(password)),
    }
}

#[derive(Clone, Copy)]
enum Echo {
    On,
    Off,
}

/// Whether the terminal shows what is typed; without a terminal or `stty`, nothing happens.
fn echo(echo: Echo) {
    if !io::stdin().is_terminal() {
        return;
    }
    let setting = match echo {
        Echo::On => "echo",
        Echo::Off => "-echo",
    };
    let _ = std::process::Command::new("stty")
        .arg(setting)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
