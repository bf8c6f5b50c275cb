//! `keyhole audit …`: the record, read back.

use std::path::PathBuf;
use std::process::ExitCode;

use super::say;
use crate::store::audit_log::verify_dir;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check that no record was changed, removed or reordered
    ///
    /// Prints `audit verify: ok, N records`, or the first record that is not what the chain says
    /// and exits 1.
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The directory of the log
    #[arg(long, value_name = "DIR", default_value = "audit")]
    dir: PathBuf,
}

pub(super) fn run(command: &Command) -> ExitCode {
    let Command::Verify(verify) = command;
    match verify_dir(&verify.dir) {
        Ok(verified) => {
            say(format_args!("audit verify: {verified}"));
            ExitCode::SUCCESS
        }
        Err(broken) => {
            say(format_args!("audit verify: {broken}"));
            ExitCode::FAILURE
        }
    }
}
