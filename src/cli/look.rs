//! What there is, who is there, and what may be done about it, through the HTTP API of a running
//! proxy.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::api::{Api, ApiError, Connection, concluded, in_path};
use super::exit::Exit;
use super::shown::{self, Shown};
use super::{report, say};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List who is connected: one's own sessions and, for operators, all; or end one
    Sessions(Sessions),
    /// List for whom nothing counts now, restrict somebody, or lift a restriction; for operators
    Restrictions(Restrictions),
    /// List which columns are personal data, or say who sees one
    Catalog(Catalog),
    /// List the databases behind the proxy
    Databases {
        #[command(flatten)]
        connection: Connection,
    },
    /// List who may ask for what, and who decides: policies, in order of trial
    Policies {
        #[command(flatten)]
        connection: Connection,
        /// Only those that speak of this: customers.email, class:email
        #[arg(long, value_name = "RESOURCE")]
        resource: Option<String>,
        /// The database of the resource, if more than one knows it
        #[arg(long, value_name = "NAME", requires = "resource")]
        database: Option<String>,
    },
    /// List where else the audit log goes, and how far each sink is; for operators
    Sinks {
        #[command(flatten)]
        connection: Connection,
    },
    /// Say who one is to the proxy: groups, roles, and the policies that speak of one
    Whoami {
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Sessions {
    #[command(flatten)]
    connection: Connection,
    /// Only those of this user
    #[arg(long, value_name = "USER")]
    of: Option<String>,
    /// Only those on this database
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    #[command(subcommand)]
    deed: Option<SessionDeed>,
}

#[derive(Debug, clap::Subcommand)]
enum SessionDeed {
    /// End a session; a result that is under way is cut
    End {
        #[command(flatten)]
        connection: Connection,
        /// The number of the session
        id: u64,
    },
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Restrictions {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    deed: Option<RestrictionDeed>,
}

#[derive(Debug, clap::Subcommand)]
enum RestrictionDeed {
    /// Suspend a user: no grant counts for them, and results that stream are cut
    Suspend {
        #[command(flatten)]
        connection: Connection,
        /// For how long; until somebody lifts it unless said
        #[arg(long = "for", value_name = "DURATION")]
        duration: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
        /// Whom
        name: String,
    },
    /// Give a user back what was taken
    Lift {
        #[command(flatten)]
        connection: Connection,
        /// Whose restriction
        name: String,
    },
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Catalog {
    #[command(flatten)]
    connection: Connection,
    /// Only those of this database
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Only those of tables of this name
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Only those of this class
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    #[command(subcommand)]
    deed: Option<CatalogDeed>,
}

#[derive(Debug, clap::Subcommand)]
enum CatalogDeed {
    /// Say who sees something raw now, and by which policies who could
    Access {
        #[command(flatten)]
        connection: Connection,
        /// The database of the resource, if more than one knows it
        #[arg(long, value_name = "NAME")]
        database: Option<String>,
        /// A column, a table, or class:NAME
        resource: String,
    },
}

pub(super) async fn run(command: Command) -> ExitCode {
    concluded(carry_out(&command).await.map(|()| Exit::Done.into()))
}

async fn carry_out(command: &Command) -> Result<(), ApiError> {
    match command {
        Command::Sessions(Sessions { deed: Some(SessionDeed::End { connection, id }), .. }) => {
            let killed = post(connection, &format!("/sessions/{id}/kill"), &json!({})).await?;
            told(connection, &killed, format_args!("session {id} is asked to end"));
            Ok(())
        }
        Command::Sessions(Sessions { connection, of, database, deed: None }) => {
            let wanted = [("user", of.as_deref()), ("database", database.as_deref())];
            list(connection, shown::SESSION, "/sessions", &wanted).await
        }
        Command::Restrictions(Restrictions { connection, deed: None }) => {
            list(connection, shown::RESTRICTION, "/restrictions", &[]).await
        }
        Command::Restrictions(Restrictions { deed: Some(deed), .. }) => restrict(deed).await,
        Command::Catalog(Catalog { connection, database, table, class, deed: None }) => {
            let wanted = [
                ("database", database.as_deref()),
                ("table", table.as_deref()),
                ("class", class.as_deref()),
            ];
            list(connection, shown::COLUMN, "/catalog", &wanted).await
        }
        Command::Catalog(Catalog {
            deed: Some(CatalogDeed::Access { connection, database, resource }),
            ..
        }) => access(connection, database.as_deref(), resource).await,
        Command::Databases { connection } => {
            list(connection, shown::DATABASE, "/databases", &[]).await
        }
        Command::Policies { connection, resource, database } => {
            let wanted = [("resource", resource.as_deref()), ("database", database.as_deref())];
            list(connection, shown::POLICY, "/policies", &wanted).await
        }
        Command::Sinks { connection } => list(connection, shown::SINK, "/sinks", &[]).await,
        Command::Whoami { connection } => {
            let who = Api::open(connection).await?.get("/me").await?;
            shown::WHOEVER.one(connection, &who);
            Ok(())
        }
    }
}

async fn list(
    connection: &Connection,
    shown: Shown,
    path: &str,
    wanted: &[(&str, Option<&str>)],
) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    shown.list(connection, &api.list(path, wanted).await?);
    Ok(())
}

async fn post(connection: &Connection, path: &str, body: &Value) -> Result<Value, ApiError> {
    Api::open(connection).await?.post(path, body).await
}

/// What was done: as it was answered, or in words.
fn told(connection: &Connection, answer: &Value, words: impl std::fmt::Display) {
    if connection.json { say(answer) } else { say(words) }
}

async fn restrict(deed: &RestrictionDeed) -> Result<(), ApiError> {
    match deed {
        RestrictionDeed::Suspend { connection, duration, reason, name } => {
            let body = json!({ "user": name, "duration": duration, "reason": reason });
            let mut suspended = post(connection, "/restrictions", &body).await?;
            if let Some(warning) = suspended["warning"].as_str() {
                report(format_args!("keyhole: {warning}"));
            }
            if let Value::Object(fields) = &mut suspended {
                fields.remove("warning");
            }
            shown::RESTRICTION.one(connection, &suspended);
        }
        RestrictionDeed::Lift { connection, name } => {
            let path = format!("/restrictions/{}/lift", in_path(name));
            let lifted = post(connection, &path, &json!({})).await?;
            told(connection, &lifted, format_args!("lifted: {name}"));
        }
    }
    Ok(())
}

async fn access(
    connection: &Connection,
    database: Option<&str>,
    resource: &str,
) -> Result<(), ApiError> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("resource", resource);
    if let Some(database) = database {
        query.append_pair("database", database);
    }
    let api = Api::open(connection).await?;
    let access = api.get(&format!("/catalog/access?{}", query.finish())).await?;
    if connection.json {
        say(&access);
        return Ok(());
    }
    let part = |name: &str| access[name].as_array().cloned().unwrap_or_default();
    say("Sees it now:");
    shown::GRANT.table(&part("now"));
    say("\nCould ask for it:");
    shown::POLICY.table(&part("could"));
    Ok(())
}
