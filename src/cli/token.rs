//! `keyhole token …`: what machines sign in with.

use std::process::ExitCode;
use std::time::Duration;

use super::{failed, report, say};
use crate::auth::token::{digest_of, text_of};
use crate::model::parse_duration;
use crate::store::approvals::steady_clock;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a token for a machine, which sends it as Authorization: Bearer
    ///
    /// The lines for the configuration go to standard output; the token, for the machine alone, to
    /// standard error. Nothing is kept.
    New(New),
}

#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// As whom the machine acts, as `[[user]]` names them
    #[arg(short = 'U', long, value_name = "NAME")]
    user: String,
    /// A role of the user's that the token has; repeat it for more, leave it away for none
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// How long it counts
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    expires: Duration,
    /// What it is for
    #[arg(long)]
    name: String,
}

pub(super) fn run(Command::New(new): &Command) -> ExitCode {
    let New { user, roles, expires, name } = new;
    let Ok(until) = steady_clock()().checked_add(*expires) else {
        return failed("that is later than any time there is");
    };
    let token = text_of(rand::random());
    report("The token, which is not shown again:");
    report(token.expose());
    report("For the configuration:");
    say("[[token]]");
    say(format_args!("name    = {}", toml::Value::from(name.as_str())));
    say(format_args!("sha256  = \"{}\"", digest_of(&token)));
    say(format_args!("user    = {}", toml::Value::from(user.as_str())));
    say(format_args!("roles   = {}", toml::Value::from(roles.clone())));
    say(format_args!("expires = \"{}\"", until.strftime("%Y-%m-%dT%H:%M:%SZ")));
    ExitCode::SUCCESS
}

fn lifetime(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}
