//! Users, and what they may ask for or simply have.

use std::collections::BTreeSet;

use toml::Spanned;

use super::builder::Builder;
use super::raw::{self, Texts};
use super::{AuthMethod, Credential, PolicyConfig, Role, StandingConfig, UserConfig, values};
use crate::grant::Action;
use crate::model::Secret;

const ACTIONS: &[(&str, Action)] = &[
    ("read", Action::Read),
    ("lookup", Action::Lookup),
    ("write", Action::Write),
    ("export", Action::Export),
];

const VERIFIER_PREFIX: &str = "SCRAM-SHA-256$";

pub(super) fn users(
    builder: &mut Builder<'_>,
    raw: Vec<Spanned<raw::User>>,
    auth: AuthMethod,
) -> Vec<UserConfig> {
    let mut seen = BTreeSet::new();
    let mut users = Vec::new();
    for entry in raw {
        let raw = entry.into_inner();
        let span = raw.name.span();
        let name = raw.name.get_ref().clone();
        if name.is_empty() || name == "*" || name.contains(':') {
            builder.wrong(span.clone(), format!("\"{name}\" is no name for a user"));
        }
        if !seen.insert(name.clone()) {
            builder.wrong(span.clone(), format!("user \"{name}\" is defined twice"));
        }
        let known = [("control", Role::Control), ("ddl", Role::Ddl)];
        let roles = builder.words(&format!("roles of user \"{name}\""), raw.roles, &known);
        let credential = match (raw.scram_env, raw.scram) {
            (None, None) => match auth {
                AuthMethod::Trust => None,
                AuthMethod::Scram => {
                    let message = format!("user \"{name}\" has neither scram_env nor scram");
                    builder.wrong(span, message);
                    None
                }
            },
            (Some(variable), None) => builder
                .secret_from_env(&format!("scram_env of user \"{name}\""), &variable)
                .map(Credential::Password),
            (None, Some(verifier)) => {
                if !verifier.get_ref().starts_with(VERIFIER_PREFIX) {
                    let message = format!(
                        "scram of user \"{name}\" is no verifier: it begins with {VERIFIER_PREFIX}"
                    );
                    builder.wrong(verifier.span(), message);
                }
                Some(Credential::ScramVerifier(Secret::new(verifier.into_inner())))
            }
            (Some(_), Some(verifier)) => {
                let message = format!("scram of user \"{name}\" excludes scram_env");
                builder.wrong(verifier.span(), message);
                None
            }
        };
        let groups = raw.groups.into_iter().map(Spanned::into_inner).collect();
        users.push(UserConfig { name, groups, roles, credential });
    }
    users
}

pub(super) fn policies(
    builder: &mut Builder<'_>,
    raw: Vec<Spanned<raw::Policy>>,
) -> Vec<PolicyConfig> {
    raw.into_iter()
        .map(|entry| {
            let place = builder.source.place(entry.span());
            policy(builder, entry.into_inner(), place)
        })
        .collect()
}

fn policy(builder: &mut Builder<'_>, raw: raw::Policy, place: String) -> PolicyConfig {
    let name = raw.name.get_ref().clone();
    let of = |key: &str| format!("{key} of policy \"{name}\"");
    let none = std::time::Duration::ZERO;
    let max_duration = builder.duration(&of("max_duration"), Some(raw.max_duration), none);
    let approvals = *raw.approvals.get_ref();
    if approvals > 0 && raw.approvers.is_empty() {
        let message = format!("{} is {approvals}, but there are no approvers", of("approvals"));
        builder.wrong(raw.approvals.span(), message);
    }
    if let Some(reason) = &raw.reason
        && let Err(error) = regex::Regex::new(reason.get_ref())
    {
        let first = error.to_string().lines().last().unwrap_or_default().to_owned();
        let message = format!("{} is no regular expression: {first}", of("reason"));
        builder.wrong(reason.span(), message);
    }
    let subjects = listed(builder, &of("subjects"), raw.subjects);
    PolicyConfig {
        subjects: checked(builder, &of("subjects"), subjects, subject),
        databases: texts(raw.databases),
        resources: resources(builder, &of("resources"), raw.resources),
        actions: actions(builder, &of("actions"), raw.actions),
        max_duration,
        approvals,
        approvers: checked(builder, &of("approvers"), raw.approvers, subject),
        reason: raw.reason.map(Spanned::into_inner),
        place,
        name: name.clone(),
    }
}

pub(super) fn standing(
    builder: &mut Builder<'_>,
    raw: Vec<Spanned<raw::Standing>>,
) -> Vec<StandingConfig> {
    raw.into_iter()
        .map(|entry| {
            let place = builder.source.place(entry.span());
            let raw = entry.into_inner();
            let of = |key: &str| format!("{key} of standing grant to {}", raw.subject.get_ref());
            StandingConfig {
                databases: texts(raw.databases),
                resources: resources(builder, &of("resources"), raw.resources),
                actions: actions(builder, &of("actions"), raw.actions),
                networks: checked(builder, &of("networks"), raw.networks, values::network),
                reason: raw.reason.into_inner(),
                subject: checked(
                    builder,
                    "subject in [[standing]]",
                    vec![raw.subject.clone()],
                    |s| {
                        if s == "*" {
                            Err("a standing grant names its subject".to_owned())
                        } else {
                            subject(s)
                        }
                    },
                )
                .concat(),
                place,
            }
        })
        .collect()
}

fn texts(raw: Texts) -> Vec<String> {
    raw.into_iter().map(Spanned::into_inner).collect()
}

/// The list, which must not be empty: an empty one matches nothing and is a slip.
fn listed(builder: &mut Builder<'_>, key: &str, raw: Spanned<Texts>) -> Texts {
    if raw.get_ref().is_empty() {
        builder.wrong(raw.span(), format!("{key}: the list is empty"));
    }
    raw.into_inner()
}

fn checked(
    builder: &mut Builder<'_>,
    key: &str,
    raw: Texts,
    check: impl Fn(&str) -> Result<(), String>,
) -> Vec<String> {
    for text in &raw {
        if let Err(message) = check(text.get_ref()) {
            builder.wrong(text.span(), format!("{key}: {message}"));
        }
    }
    texts(raw)
}

fn actions(builder: &mut Builder<'_>, key: &str, raw: Spanned<Texts>) -> Vec<Action> {
    let raw = listed(builder, key, raw);
    builder.words(key, raw, ACTIONS)
}

fn resources(builder: &mut Builder<'_>, key: &str, raw: Spanned<Texts>) -> Vec<String> {
    let raw = listed(builder, key, raw);
    checked(builder, key, raw, resource)
}

/// `*`, a user's name, or `group:` and a group's.
fn subject(text: &str) -> Result<(), String> {
    match text.split_once(':') {
        Some(("group", name)) if !name.is_empty() => Ok(()),
        None if !text.is_empty() => Ok(()),
        Some(_) | None => Err(format!("\"{text}\" is neither a user, group:NAME nor *")),
    }
}

/// `*`, `class:NAME`, `schema.table` or `schema.table.column`.
fn resource(text: &str) -> Result<(), String> {
    let good = match text.split_once(':') {
        Some(("class", name)) => !name.is_empty(),
        Some(_) => false,
        None if text == "*" => true,
        None => (2..=3).contains(&text.split('.').filter(|part| !part.is_empty()).count()),
    };
    if good {
        Ok(())
    } else {
        Err(format!("\"{text}\" is none of class:NAME, schema.table, schema.table.column, *"))
    }
}
