//! `keyhole policy test`: who could get what, and why; nothing is asked of anybody.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::{failed, report, say};
use crate::config::Config;
use crate::grant::{Ask, AskText, CatalogView, Policies, Trial};
use crate::model::{Client, Report, Timestamp, User, show_duration};
use crate::store::approvals::steady_clock;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Say what would become of a request, for one user or for everybody, and why
    ///
    /// Goes by the configuration alone. Exits 0 if some user could have it, 1 if nobody could.
    Test(Box<Arguments>),
}

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Arguments {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "proxy.toml")]
    config: PathBuf,
    /// The database as clients name it
    #[arg(long, value_name = "NAME")]
    database: String,
    /// Who would ask, several names separated by commas; without it, every [[user]]
    #[arg(long = "as", value_name = "USER", value_delimiter = ',')]
    users: Vec<String>,
    /// The groups of users that the configuration does not know, as a directory would give them
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    groups: Vec<String>,
    /// read, lookup, write, export, separated by commas
    #[arg(long, default_value = "read")]
    actions: String,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", default_value = "30 minutes")]
    duration: String,
    /// With which reason
    #[arg(long, default_value = "INC-1: a test")]
    reason: String,
    /// The address that the request comes from
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// Its application_name
    #[arg(long, value_name = "NAME", default_value = "psql")]
    application: String,
    /// When it is made, such as 2026-01-31T09:00+01; without it, now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// As an emergency
    #[arg(long)]
    break_glass: bool,
    /// Print one JSON object per user and line
    #[arg(long)]
    json: bool,
    /// A column, a table, class:NAME or *
    #[arg(value_name = "RESOURCE")]
    resource: String,
}

pub(super) fn run(command: &Command) -> ExitCode {
    let Command::Test(arguments) = command;
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(problems) => {
            report(&problems);
            return ExitCode::from(2);
        }
    };
    let views = config.catalog_views();
    let policies = match config.grant_policies(&views) {
        Ok(policies) => policies,
        Err(problems) => {
            report(&problems);
            return ExitCode::from(2);
        }
    };
    let Some(database) = config.database(&arguments.database) else {
        return failed(&format!("no [[database]] serves \"{}\"", arguments.database));
    };
    let view = CatalogView::new(&arguments.database, &database.catalog, None);
    let ask = match ask(arguments) {
        Ok(ask) => ask,
        Err(report) => return failed(&report.message),
    };
    let now = arguments.at.unwrap_or_else(|| steady_clock()());
    let mut found = ExitCode::FAILURE;
    for user in users(&config, arguments) {
        let name = user.name.to_string();
        let client = Client {
            user,
            address: arguments.from,
            application: arguments.application.as_str().into(),
            database: arguments.database.as_str().into(),
        };
        let told = tell(&policies, &client, &view, &ask, now);
        let told = match told {
            Ok(told) => Told { user: name, ..told },
            Err(report) => return failed(&report.message),
        };
        if told.allowed {
            found = ExitCode::SUCCESS;
        }
        if !arguments.json {
            say(told.text());
            continue;
        }
        match serde_json::to_string(&told) {
            Ok(line) => say(line),
            Err(error) => return failed(&error.to_string()),
        }
    }
    found
}

fn users(config: &Config, arguments: &Arguments) -> Vec<User> {
    if arguments.users.is_empty() {
        return config.users.iter().map(crate::config::UserConfig::principal).collect();
    }
    let groups: std::sync::Arc<[String]> = arguments.groups.clone().into();
    let named = |name: &String| {
        let known = config.user(name).map(crate::config::UserConfig::principal);
        known.unwrap_or_else(|| User { groups: groups.clone(), ..User::nobody(name) })
    };
    arguments.users.iter().map(named).collect()
}

fn ask(arguments: &Arguments) -> Result<Ask, Report> {
    AskText {
        resource: arguments.resource.clone(),
        duration: arguments.duration.clone(),
        reason: arguments.reason.clone(),
        actions: Some(arguments.actions.clone()),
        break_glass: arguments.break_glass.then(|| "true".to_owned()),
        ..AskText::default()
    }
    .read()
}

/// What one user is told.
#[derive(Debug, Default, Serialize)]
struct Told {
    user: String,
    allowed: bool,
    /// In words: how it would go on, or why not.
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    approvers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conditions: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<String>,
    /// Each policy up to the one that decides, and why it does not.
    policies: Vec<String>,
}

fn tell(
    policies: &Policies,
    client: &Client,
    view: &CatalogView,
    ask: &Ask,
    now: Timestamp,
) -> Result<Told, Report> {
    let Trial { steps, outcome } = policies.trial(client, view, ask, now)?;
    let step = |step: &crate::grant::Step| match &step.passed_over {
        Some(why) => format!("\"{}\" {why}", step.policy),
        None => format!("\"{}\" decides", step.policy),
    };
    let policies = steps.iter().map(step).collect();
    let words = |words: String| Some(words).filter(|words| !words.is_empty());
    let allowed = match outcome {
        Ok(allowed) => allowed,
        Err(report) => {
            return Ok(Told { outcome: report.message, policies, ..Told::default() });
        }
    };
    let approvers: Vec<String> = allowed.approvers.iter().map(ToString::to_string).collect();
    let outcome = match (allowed.approvals, allowed.review_within) {
        (0, None) => "granted at once".to_owned(),
        (0, Some(within)) => {
            format!("granted at once, to be reviewed within {}", show_duration(within))
        }
        (1, _) => format!("after an approval by {}", approvers.join(", ")),
        (several, _) => format!("after {several} approvals by {}", approvers.join(", ")),
    };
    Ok(Told {
        user: String::new(),
        allowed: true,
        outcome,
        policy: Some(allowed.policy),
        approvals: Some(allowed.approvals),
        approvers,
        conditions: words(allowed.conditions.to_string()),
        limits: words(allowed.limits.to_string()),
        policies,
    })
}

impl Told {
    fn text(&self) -> String {
        let further = [("only", &self.conditions), ("limits", &self.limits)];
        let further = further.iter().filter_map(|(what, words)| {
            words.as_ref().map(|words| format!("\n  {what:<9} {words}"))
        });
        let further: String = further.collect();
        let policies = self.policies.iter().map(|policy| format!("\n  policy    {policy}"));
        let policies: String = policies.collect();
        format!("{}: {}{further}{policies}", self.user, self.outcome)
    }
}
