//! `keyhole explain`: what would happen to a statement, without running it.

mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::{failed, report, say};
use crate::config::Config;
use crate::decision::{Dates, Encoding, Forms, Standpoint};
use crate::model::{Client, User};
use crate::server::preview::{Preview, Source};
use crate::session::{Explanation, Verdict};

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
    let explained: Vec<Explained> = preview
        .users
        .iter()
        .map(|user| explain(&preview, user, &arguments.database, &arguments.sql))
        .collect();
    if arguments.json {
        for one in &explained {
            match serde_json::to_string(one) {
                Ok(line) => say(line),
                Err(error) => return failed(&error.to_string()),
            }
        }
    } else {
        if explained.len() > 1 {
            say(table::side_by_side(&explained));
        }
        for one in &explained {
            say(text(one));
        }
    }
    let refused = explained.iter().any(|one| one.explanation.verdict == Verdict::Refused);
    if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The statement of one user on one database.
#[derive(Debug, Serialize)]
struct Explained {
    user: String,
    database: String,
    /// Which grants were considered: `store` (and standing ones), or `standing` alone.
    grants: &'static str,
    #[serde(flatten)]
    explanation: Explanation,
}

/// As in a session that has just begun, with UTF-8 and ISO dates.
fn explain(preview: &Preview, user: &User, database: &str, sql: &str) -> Explained {
    let client = Client {
        user: user.clone(),
        address: None,
        application: "keyhole explain".into(),
        database: database.into(),
    };
    let forms = Forms { encoding: Encoding::Utf8, dates: Dates::Iso };
    let Preview { path, grants, now, .. } = preview;
    let world = preview.world_of(user);
    let standpoint = Standpoint { world, client: &client, grants, now: *now, forms };
    Explained {
        user: user.name.to_string(),
        database: database.to_owned(),
        grants: match preview.source {
            Source::Store => "store",
            Source::StandingOnly => "standing",
        },
        explanation: Explanation::new(sql, path, standpoint),
    }
}

/// The result for people: one line for each item, further lines of a value indented.
fn text(explained: &Explained) -> String {
    let items = explained.explanation.items();
    let lines = items.iter().map(|(item, value)| {
        let value = value.replace('\n', "\n            ");
        format!("\n  {item:<9} {value}")
    });
    let lines: String = lines.collect();
    format!("{} on {}{lines}", explained.user, explained.database)
}
