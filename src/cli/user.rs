//! `keyhole user …`: what the configuration wants to know of a user.

mod totp;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use super::prompt::{ask, quietly};
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
    let password = quietly(read_password).await;
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
