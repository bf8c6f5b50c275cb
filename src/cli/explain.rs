//! `keyhole explain`: what would happen to a statement, without running it.

mod judge;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use self::judge::{Explained, Verdict, judge};
use super::{failed, report, say};
use crate::config::Config;
use crate::server::preview::{Preview, Source};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "proxy.toml")]
    config: PathBuf,
    /// The database as clients name it
    #[arg(long, value_name = "NAME")]
    database: String,
    /// Whose statement it would be; several names are separated by commas
    #[arg(long = "as", value_name = "USER", required = true, value_delimiter = ',')]
    users: Vec<String>,
    /// Print one JSON object per user and line
    #[arg(long)]
    json: bool,
    /// The statement
    #[arg(value_name = "SQL")]
    sql: String,
}

const STORE_IN_USE: &str =
    "the approval store is in use by a running proxy: only standing grants are considered";

pub(super) async fn run(arguments: &Arguments) -> ExitCode {
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(problems) => {
            report(&problems);
            return ExitCode::from(2);
        }
    };
    let preview = match Preview::open(config, &arguments.database, &arguments.users).await {
        Ok(preview) => preview,
        Err(error) => return failed(&error.to_string()),
    };
    if preview.source == Source::StandingOnly {
        report(STORE_IN_USE);
    }
    let mut code = ExitCode::SUCCESS;
    for user in &preview.users {
        let explained = judge(&preview, user, &arguments.database, &arguments.sql);
        if explained.verdict == Verdict::Refused {
            code = ExitCode::FAILURE;
        }
        if arguments.json {
            match serde_json::to_string(&explained) {
                Ok(line) => say(line),
                Err(error) => return failed(&error.to_string()),
            }
        } else {
            say(text(&explained));
        }
    }
    code
}

/// The result for people. Writing to a `String` cannot fail.
fn text(explained: &Explained) -> String {
    let mut out = format!("{} on {}: {}", explained.user, explained.database, explained.verdict);
    if !explained.relations.is_empty() {
        let _ = write!(out, "\n  touches {}", explained.relations.join(", "));
    }
    for column in &explained.columns {
        let _ = write!(out, "\n  {} ({}): {}", column.column, column.class, column.why);
    }
    for reason in &explained.reasons {
        let _ = write!(out, "\n  {reason}");
    }
    if let Some(sql) = &explained.sql {
        let _ = write!(out, "\n  runs:\n    {}", sql.replace('\n', "\n    "));
    }
    out
}
