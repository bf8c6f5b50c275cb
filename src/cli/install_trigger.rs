//! `keyhole install-trigger`: has a database tell the proxy of DDL past it, at once.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::{failed, report, say};
use crate::config::Config;
use crate::model::Secret;
use crate::server::preview;
use crate::upstream::ddl_trigger::{INSTALL, REMOVE, Trigger, find};
use crate::upstream::own::{self, OwnError};

const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "proxy.toml")]
    config: PathBuf,
    /// The database as clients name it
    #[arg(long, value_name = "NAME", required_unless_present = "print")]
    database: Option<String>,
    /// A superuser of the database; without it, the account of [[database]] does it
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The environment variable that holds the password of --user
    #[arg(long, value_name = "VARIABLE", requires = "user")]
    password_env: Option<String>,
    /// Take the triggers out again
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    instead: Instead,
}

#[derive(Debug, clap::Args)]
struct Instead {
    /// Print the SQL and connect nowhere: for psql as a superuser
    #[arg(long)]
    print: bool,
}

const NOT_SUPERUSER: &str = "event triggers take a superuser: name one with --user and \
     --password-env, or pipe the output of `keyhole install-trigger --print` into psql. Without \
     the triggers nothing is lost but time: the schema is read again every `refresh` in [schema]";

pub(super) async fn run(arguments: &Arguments) -> ExitCode {
    let sql = if arguments.remove { REMOVE } else { INSTALL };
    if arguments.instead.print {
        say(sql.trim());
        return ExitCode::SUCCESS;
    }
    let Some(database) = &arguments.database else { return failed("--database is missing") };
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(problems) => {
            report(&problems);
            return ExitCode::from(2);
        }
    };
    let mut target = match preview::target(config, database) {
        Ok(target) => target,
        Err(error) => return failed(&error.to_string()),
    };
    if let Some(user) = &arguments.user {
        target.user.clone_from(user);
        target.password = match arguments.password_env.as_ref().map(std::env::var) {
            None => None,
            Some(Ok(password)) => Some(Secret::new(password)),
            Some(Err(error)) => return failed(&format!("the password of \"{user}\": {error}")),
        };
    }
    let doing = async {
        let (client, connection) = own::connect(&target).await?;
        let work = async {
            client.batch_execute(sql).await?;
            find(&client).await
        };
        tokio::select! {
            done = work => Ok::<_, OwnError>(done?),
            ended = connection => {
                ended?;
                Ok(Trigger::Absent)
            }
        }
    };
    match tokio::time::timeout(TIMEOUT, doing).await {
        Err(_) => failed(&format!("database \"{database}\": no answer in {TIMEOUT:?}")),
        Ok(Ok(Trigger::Installed)) => {
            say(format_args!(
                "{database}: DDL is told at once, from the next reading of the schema (or RELOAD) on"
            ));
            ExitCode::SUCCESS
        }
        Ok(Ok(Trigger::Absent)) if arguments.remove => {
            say(format_args!("{database}: DDL is found by reading the schema now and then"));
            ExitCode::SUCCESS
        }
        Ok(Ok(Trigger::Absent)) => failed(&format!("database \"{database}\": no trigger is there")),
        Ok(Err(error)) => {
            let code = failed(&format!("database \"{database}\": {error}"));
            if let OwnError::Login(error) = &error
                && error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
            {
                report(NOT_SUPERUSER);
            }
            code
        }
    }
}
