//! `keyhole serve`: the proxy itself, in the foreground.

use std::path::Path;
use std::process::ExitCode;

use super::{failed, report};
use crate::config::Config;
use crate::server;
use crate::telemetry::log::FILTER_VARIABLE;

pub(super) async fn run(path: &Path) -> ExitCode {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(problems) => {
            report(&problems);
            return ExitCode::from(2);
        }
    };
    let filter = std::env::var(FILTER_VARIABLE).ok();
    match server::serve(config, filter.as_deref()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}
