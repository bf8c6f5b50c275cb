//! `keyhole store …`: looking after the approval store.

use std::process::ExitCode;

use super::{FromConfig, failed, report, say};
use crate::config::Config;
use crate::server::preview;
use crate::store::approvals::{StoreError, adopt, identify};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Let the audit log go on with the store that the configuration names now
    ///
    /// An audit log names grants by their numbers, which are those of one store, so a proxy does
    /// not start with another. This says that it is meant, for a proxy that is not running: all
    /// events of the store are recorded at its next start.
    Adopt(FromConfig),
}

pub(super) async fn run(command: &Command) -> ExitCode {
    let Command::Adopt(from) = command;
    let config = match Config::load(&from.config) {
        Ok(config) => config,
        Err(problems) => {
            report(&problems);
            return ExitCode::from(2);
        }
    };
    let folder = config.audit.dir.clone();
    let location = match preview::store(config) {
        Ok(location) => location,
        Err(error) => return failed(&error.to_string()),
    };
    let adopting = tokio::task::spawn_blocking(move || {
        let id = identify(&location)?;
        if let Some(id) = &id {
            adopt(&folder, id)?;
        }
        Ok::<_, StoreError>((id, folder))
    });
    match adopting.await.unwrap_or(Err(StoreError::Stopped)) {
        Ok((Some(id), folder)) => {
            say(format_args!("{} goes on with store {id}", folder.display()));
            ExitCode::SUCCESS
        }
        Ok((None, _)) => failed("there is no store yet; a proxy makes it when it starts"),
        Err(error) => failed(&error.to_string()),
    }
}
