//! Users, and what they may ask for or simply have.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;

use super::approver::Means;
use super::builder::Builder;
use super::notify;
use super::raw::{self, Texts};
use super::source::{Place, Problems};
use super::{Credential, PolicyConfig, Role, StandingConfig, UserConfig};
use crate::grant::{
    Action, CatalogView, ConditionTexts, PolicyError, PolicyText, SecondFactor, StandingText,
};
use crate::model::Secret;

const VERIFIER_PREFIX: &str = "SCRAM-SHA-256$";

/// Whether a user without a password cannot log in at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passwords {
    Needed,
    Extra,
}

pub(super) fn users(
    builder: &mut Builder<'_>,
    raw: Vec<Spanned<raw::User>>,
    passwords: Passwords,
) -> Vec<UserConfig> {
    let mut seen = BTreeSet::new();
    let mut users = Vec::new();
    for entry in raw {
        let place = builder.source.place(entry.span());
        let raw = entry.into_inner();
        let span = raw.name.span();
        let name = raw.name.get_ref().clone();
        if name.is_empty() || name == "*" || name.contains(':') {
            builder.wrong(span.clone(), format!("\"{name}\" is no name for a user"));
        }
        if !seen.insert(name.clone()) {
            builder.wrong(span.clone(), format!("user \"{name}\" is defined twice"));
        }
        let roles = builder.words(&format!("roles of user \"{name}\""), raw.roles, &Role::WORDS);
        let credential = match (raw.scram_env, raw.scram) {
            (None, None) => match passwords {
                Passwords::Extra => None,
                Passwords::Needed => {
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
        let key = format!("email of user \"{name}\"");
        let email = raw.email.and_then(|email| notify::mailbox(builder, &key, &email));
        let means = Means {
            approval_key: raw.approval_key,
            totp_env: raw.totp_env,
            totp_file: raw.totp_file,
            recovery_codes: raw.recovery_codes,
        };
        let approver = builder.approver(&name, means, &users);
        users.push(UserConfig { name, groups, roles, credential, email, approver, place });
    }
    users
}

pub(super) fn policies(
    builder: &mut Builder<'_>,
    raw: Vec<Spanned<raw::Policy>>,
    views: Option<&[CatalogView]>,
) -> Vec<PolicyConfig> {
    let mut policies = Vec::new();
    for entry in raw {
        let place = builder.source.place(entry.span());
        let raw = entry.into_inner();
        let name = raw.name.get_ref().clone();
        let spans = policy_spans(&raw);
        let before = builder.problems.0.len();
        let text = policy_text(builder, &name, raw);
        if let Some(views) = views
            && builder.problems.0.len() == before
            && let Err(error) = text.resolve(views)
        {
            makes_no_sense(builder, &format!("policy \"{name}\""), &error, &spans, &place);
        }
        policies.push(PolicyConfig { text, place });
    }
    policies
}

type Spans = Vec<(&'static str, Range<usize>)>;

fn policy_spans(raw: &raw::Policy) -> Spans {
    let text = |text: &Option<raw::Text>| text.as_ref().map(Spanned::span).unwrap_or_default();
    let texts =
        |list: &Option<Spanned<Texts>>| list.as_ref().map(Spanned::span).unwrap_or_default();
    let number = |number: &Option<Spanned<u32>>| number.as_ref().map(Spanned::span);
    vec![
        ("name", raw.name.span()),
        ("subjects", raw.subjects.span()),
        ("resources", raw.resources.span()),
        ("actions", raw.actions.span()),
        ("max_duration", raw.max_duration.span()),
        ("approvals", raw.approvals.span()),
        ("approvers", raw.approvers.as_ref().map_or(raw.approvals.span(), Spanned::span)),
        ("reason", text(&raw.reason)),
        ("denials", number(&raw.denials).unwrap_or_default()),
        ("decide_within", text(&raw.decide_within)),
        ("auto_per_week", number(&raw.auto_per_week).unwrap_or_default()),
        ("networks", texts(&raw.networks)),
        ("hours", text(&raw.hours)),
        ("applications", texts(&raw.applications)),
        ("unused", text(&raw.unused)),
        ("review_within", text(&raw.review_within)),
    ]
}

fn policy_text(builder: &mut Builder<'_>, name: &str, raw: raw::Policy) -> PolicyText {
    PolicyText {
        name: name.to_owned(),
        subjects: texts(raw.subjects.into_inner()),
        resources: texts(raw.resources.into_inner()),
        actions: actions(builder, &format!("actions of policy \"{name}\""), raw.actions),
        max_duration: raw.max_duration.into_inner(),
        approvals: raw.approvals.into_inner(),
        approvers: raw.approvers.map(|list| texts(list.into_inner())).unwrap_or_default(),
        reason: raw.reason.map(Spanned::into_inner),
        denials: raw.denials.map_or(1, Spanned::into_inner),
        decide_within: raw.decide_within.map(Spanned::into_inner),
        auto_per_week: raw.auto_per_week.map(Spanned::into_inner),
        conditions: conditions(raw.networks, raw.hours, raw.applications),
        max_rows: raw.max_rows,
        max_uses: raw.max_uses,
        max_subjects: raw.max_subjects,
        unused: raw.unused.map(Spanned::into_inner),
        break_glass: raw.break_glass,
        review_within: raw.review_within.map(Spanned::into_inner),
        second_factor: builder.word(
            &format!("second_factor of policy \"{name}\""),
            raw.second_factor,
            &[("totp", Some(SecondFactor::Totp))],
            None,
        ),
    }
}

fn conditions(
    networks: Option<Spanned<Texts>>,
    hours: Option<raw::Text>,
    applications: Option<Spanned<Texts>>,
) -> ConditionTexts {
    let list = |list: Option<Spanned<Texts>>| list.map(|l| texts(l.into_inner()));
    ConditionTexts {
        networks: list(networks).unwrap_or_default(),
        hours: hours.map(Spanned::into_inner),
        applications: list(applications).unwrap_or_default(),
    }
}

pub(super) fn standing(
    builder: &mut Builder<'_>,
    raw: Vec<Spanned<raw::Standing>>,
    views: Option<&[CatalogView]>,
) -> Vec<StandingConfig> {
    let mut grants = Vec::new();
    for entry in raw {
        let place = builder.source.place(entry.span());
        let raw = entry.into_inner();
        let subject = raw.subject.get_ref().clone();
        let spans = [
            ("subject", raw.subject.span()),
            ("resources", raw.resources.span()),
            ("actions", raw.actions.span()),
            ("networks", raw.networks.as_ref().map(Spanned::span).unwrap_or_default()),
            ("hours", raw.hours.as_ref().map(Spanned::span).unwrap_or_default()),
            ("applications", raw.applications.as_ref().map(Spanned::span).unwrap_or_default()),
            ("reason", raw.reason.span()),
        ];
        if subject == "*" {
            let message = "subject in [[standing]]: a standing grant names its subject, as \"*\" \
                           would end hiding for everybody";
            builder.wrong(raw.subject.span(), message);
        }
        let before = builder.problems.0.len();
        let key = format!("actions of the standing grant to {subject}");
        let text = StandingText {
            subject: raw.subject.into_inner(),
            resources: texts(raw.resources.into_inner()),
            actions: actions(builder, &key, raw.actions),
            conditions: conditions(raw.networks, raw.hours, raw.applications),
            reason: raw.reason.into_inner(),
        };
        if let Some(views) = views
            && builder.problems.0.len() == before
            && let Err(error) = text.resolve(views)
        {
            let what = format!("standing grant to {subject}");
            makes_no_sense(builder, &what, &error, &spans, &place);
        }
        grants.push(StandingConfig { text, place });
    }
    grants
}

/// Reports the error at the key that it is about.
fn makes_no_sense(
    builder: &mut Builder<'_>,
    what: &str,
    error: &PolicyError,
    spans: &[(&str, Range<usize>)],
    place: &Place,
) {
    let key = match error {
        PolicyError::Subject { key, .. }
        | PolicyError::Value { key, .. }
        | PolicyError::Duration { key, .. } => key,
        PolicyError::Resource(_) => "resources",
        PolicyError::Network(_) => "networks",
        PolicyError::Hours(_) => "hours",
        PolicyError::Reason(_) => "reason",
    };
    // A regular expression's error is a drawing of several lines; the last one says it.
    let said = error.to_string();
    let said = match error {
        PolicyError::Reason(_) => format!("reason: {}", said.lines().last().unwrap_or_default()),
        PolicyError::Subject { .. }
        | PolicyError::Value { .. }
        | PolicyError::Resource(_)
        | PolicyError::Network(_)
        | PolicyError::Hours(_)
        | PolicyError::Duration { .. } => said,
    };
    let place = spans
        .iter()
        .find(|(name, span)| *name == key && !span.is_empty())
        .map_or_else(|| place.clone(), |(_, span)| builder.source.place(span.clone()));
    builder.problems.0.push(place.problem(format!("{what}: {said}")));
}

/// Every entry resolved, or what is wrong with those that cannot be.
pub(super) fn resolve<'a, C, T>(
    entries: &'a [C],
    resolve: impl Fn(&'a C) -> (&'a Place, Result<T, PolicyError>),
) -> Result<Vec<T>, Problems> {
    let mut problems = Problems::default();
    let mut resolved = Vec::new();
    for entry in entries {
        match resolve(entry) {
            (_, Ok(value)) => resolved.push(value),
            (place, Err(error)) => problems.0.push(place.problem(error.to_string())),
        }
    }
    if problems.0.is_empty() { Ok(resolved) } else { Err(problems) }
}

fn texts(raw: Texts) -> Vec<String> {
    raw.into_iter().map(Spanned::into_inner).collect()
}

/// The words of the list; an empty one is told by the entry's own check.
fn actions(builder: &mut Builder<'_>, key: &str, raw: Spanned<Texts>) -> Vec<Action> {
    let known = Action::EVERY.map(|action| (action.as_str(), action));
    builder.words(key, raw.into_inner(), &known)
}
