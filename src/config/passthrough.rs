//! What `passthrough` takes: a database that can be asked, and somebody who may use the console all
//! the same.

use super::builder::Builder;
use super::{AuthMethod, ChannelBinding, ControlConfig, DatabaseConfig, DatabaseName, LoginConfig};

/// What rules call the console.
const CONSOLE: &str = "keyhole";

/// `default` is the rule where there are no others.
pub(super) fn check(
    builder: &mut Builder<'_>,
    control: &ControlConfig,
    logins: &[LoginConfig],
    default: &LoginConfig,
    databases: &[DatabaseConfig],
) {
    let rules = if logins.is_empty() { std::slice::from_ref(default) } else { logins };
    let (passed, others): (Vec<_>, Vec<_>) =
        rules.iter().partition(|rule| rule.method == AuthMethod::Passthrough);
    for rule in &passed {
        for problem in problems(rule, databases) {
            builder.problems.0.push(rule.place.problem(format!("\"passthrough\": {problem}")));
        }
    }
    let console = others.iter().any(|rule| rule.when.is_about(CONSOLE));
    if let (Some(first), Some(_), false) = (passed.first(), control.listen, console) {
        let message = "\"passthrough\" does not open the control port, and nothing else does: it \
                       takes a [[login]] for database \"keyhole\" with another method";
        builder.problems.0.push(first.place.problem(message));
    }
}

fn problems(rule: &LoginConfig, databases: &[DatabaseConfig]) -> Vec<String> {
    let mut problems = Vec::new();
    let served = databases
        .iter()
        .any(|database| database.name == DatabaseName::Any || database.name.as_str() == CONSOLE);
    if rule.when.databases.contains(&DatabaseName::Named(CONSOLE.to_owned())) && !served {
        problems.push("the console, \"keyhole\", has no database behind it to ask".to_owned());
    }
    let bound = |database: &&DatabaseConfig| {
        database.upstream.binding == ChannelBinding::Require && may_be(rule, database, databases)
    };
    for database in databases.iter().filter(bound) {
        problems.push(format!(
            "the upstream of database \"{}\" has channel_binding=require, and a login that is \
             passed through cannot be bound to a channel",
            database.name.as_str()
        ));
    }
    problems
}

/// Whether a client that the rule is about can get to the database.
fn may_be(rule: &LoginConfig, database: &DatabaseConfig, databases: &[DatabaseConfig]) -> bool {
    let elsewhere = |name: &DatabaseName| databases.iter().any(|other| other.name == *name);
    match &database.name {
        DatabaseName::Named(name) => rule.when.is_about(name),
        DatabaseName::Any => {
            rule.when.databases.iter().any(|name| *name == DatabaseName::Any || !elsewhere(name))
        }
    }
}
