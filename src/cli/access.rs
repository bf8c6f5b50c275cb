//! Requests, approvals and grants, through the HTTP API of a running proxy.

mod ask;
mod decide;
mod wait;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::api::{ApiError, Connection, concluded};
use crate::model::parse_duration;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Ask for access
    ///
    /// Exits 0 when it is filed or, with --wait, approved; 3 when it is refused, denied, taken back
    /// or lapsed; 4 when nobody decided within --timeout. Ctrl-C, and --timeout, take the request
    /// back.
    ///
    /// What follows `--` is run once access is granted, and takes this process over: its exit code
    /// is its own. It finds KEYHOLE_REQUEST and KEYHOLE_GRANT (their numbers), KEYHOLE_EXPIRES_AT,
    /// KEYHOLE_DATABASE and KEYHOLE_RESOURCE in its environment.
    Request(Box<Request>),
    /// List requests: one's own, and those one may decide
    Requests {
        #[command(flatten)]
        connection: Connection,
        /// pending, approved, denied, cancelled or lapsed
        #[arg(long)]
        state: Option<String>,
        /// Only those of this user
        #[arg(long, value_name = "USER")]
        requester: Option<String>,
    },
    /// Approve a request
    Approve(Approve),
    /// Print what the own key of an approver has to sign
    Challenge {
        #[command(flatten)]
        connection: Connection,
        /// The number of the request
        id: u64,
    },
    /// Deny a request
    Deny {
        #[command(flatten)]
        connection: Connection,
        /// Why; the requester reads it
        #[arg(long)]
        reason: String,
        /// The number of the request
        id: u64,
    },
    /// Take one's own request back
    Cancel {
        #[command(flatten)]
        connection: Connection,
        /// The number of the request
        id: u64,
    },
    /// Ask for one's own grant to last longer
    Extend(Extend),
    /// List grants: one's own, and those one has approved or may revoke
    Grants {
        #[command(flatten)]
        connection: Connection,
        /// open (the default), active, scheduled, expired, revoked, exhausted, standing, or all
        #[arg(long, default_value = "open")]
        state: String,
        /// Only those of alice, or of group:support
        #[arg(long, value_name = "SUBJECT")]
        subject: Option<String>,
    },
    /// Grant without a request, as a DBA
    Grant {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        terms: Box<Terms>,
        /// alice, or group:support
        #[arg(long, value_name = "SUBJECT")]
        to: String,
    },
    /// End a grant now, or all of a user, on a resource, or everything
    Revoke(Revoke),
    /// Say that break-glass access has been looked at
    Review {
        #[command(flatten)]
        connection: Connection,
        /// What was found
        #[arg(long)]
        reason: String,
        /// The number of the grant
        grant: u64,
    },
}

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Terms {
    /// A column, a table, class:NAME or *
    #[arg(value_name = "RESOURCE")]
    resource: String,
    /// For how long: 30min, '2 hours'
    #[arg(long = "for", value_name = "DURATION")]
    duration: String,
    /// Why; approvers, and later the audit log's readers, read it
    #[arg(long)]
    reason: String,
    /// The database as clients name it; not needed where only one knows the resource
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// read, lookup, write, export, separated by commas
    #[arg(long)]
    actions: Option<String>,
    /// Only these rows: "id = 42"
    #[arg(long, value_name = "CONDITION")]
    rows: Option<String>,
    /// The ticket it is about
    #[arg(long)]
    ticket: Option<String>,
    /// From when: 2026-01-31T09:00+01
    #[arg(long, value_name = "TIME")]
    starting: Option<String>,
    /// End it after so many rows with raw values
    #[arg(long, value_name = "N")]
    max_rows: Option<u64>,
    /// End it after so many statements
    #[arg(long, value_name = "N")]
    max_uses: Option<u64>,
    /// End it after so many people
    #[arg(long, value_name = "N")]
    max_subjects: Option<u64>,
    /// End it when it is not used for so long
    #[arg(long, value_name = "DURATION")]
    unused: Option<String>,
    /// Let its time run from its first use
    #[arg(long)]
    first_use: bool,
}

impl Terms {
    fn body(&self) -> Map<String, Value> {
        let Self { resource, duration, reason, database, actions, rows, ticket, .. } = self;
        let Self { starting, max_rows, max_uses, max_subjects, unused, first_use, .. } = self;
        let body = json!({
            "resource": resource, "duration": duration, "reason": reason, "database": database,
            "actions": actions, "rows": rows, "ticket": ticket, "starting": starting,
            "max_rows": max_rows, "max_uses": max_uses, "max_subjects": max_subjects,
            "unused": unused, "first_use": first_use,
        });
        let Value::Object(fields) = body else { return Map::new() };
        fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Request {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    terms: Terms,
    /// At once, for an emergency; it is looked at afterwards
    #[arg(long)]
    break_glass: bool,
    #[command(flatten)]
    wait: Wait,
    /// A command to run once access is granted
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Approve {
    #[command(flatten)]
    connection: Connection,
    /// Ask for the code of a second factor
    #[arg(long)]
    code: bool,
    /// What `keyhole approvals sign` made of the request's challenge
    #[arg(long)]
    signature: Option<String>,
    /// The number of the request
    id: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct Extend {
    #[command(flatten)]
    connection: Connection,
    /// How much longer
    #[arg(long = "for", value_name = "DURATION")]
    duration: String,
    /// Why
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    wait: Wait,
    /// The number of the grant
    grant: u64,
}

/// How long somebody has patience.
#[derive(Debug, clap::Args)]
pub(super) struct Wait {
    /// Return when it is decided
    #[arg(long)]
    wait: bool,
    /// Wait for so long, and take the request back then
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

#[derive(Debug, clap::Args)]
#[group(id = "which", required = true, multiple = false, args = ["grant", "all", "of", "on"])]
pub(super) struct Revoke {
    #[command(flatten)]
    connection: Connection,
    /// The number of the grant
    grant: Option<u64>,
    /// Every grant but the standing ones
    #[arg(long)]
    all: bool,
    /// Every grant of alice, or of group:support
    #[arg(long, value_name = "SUBJECT")]
    of: Option<String>,
    /// Every grant on something of this resource
    #[arg(long, value_name = "RESOURCE")]
    on: Option<String>,
    /// The database of the resource
    #[arg(long, value_name = "NAME", requires = "on")]
    database: Option<String>,
}

pub(super) async fn run(command: Command) -> ExitCode {
    concluded(carry_out(&command).await)
}

async fn carry_out(command: &Command) -> Result<ExitCode, ApiError> {
    match command {
        Command::Request(request) => return ask::request(request).await,
        Command::Extend(extend) => return ask::extend(extend).await,
        Command::Cancel { connection, id } => ask::cancel(connection, *id).await?,
        Command::Requests { connection, state, requester } => {
            let wanted = [("state", state.as_deref()), ("requester", requester.as_deref())];
            ask::requests(connection, &wanted).await?;
        }
        Command::Grants { connection, state, subject } => {
            let state = Some(state.as_str()).filter(|state| *state != "all");
            ask::grants(connection, &[("state", state), ("subject", subject.as_deref())]).await?;
        }
        Command::Approve(approve) => decide::approve(approve).await?,
        Command::Challenge { connection, id } => decide::challenge(connection, *id).await?,
        Command::Deny { connection, reason, id } => decide::deny(connection, reason, *id).await?,
        Command::Grant { connection, terms, to } => decide::grant(connection, terms, to).await?,
        Command::Revoke(revoke) => decide::revoke(revoke).await?,
        Command::Review { connection, reason, grant } => {
            decide::review(connection, reason, *grant).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
