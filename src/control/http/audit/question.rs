//! What is asked of the audit log, in the words of `keyhole audit search`.

use axum::http::StatusCode;
use utoipa::IntoParams;

use super::super::body::Pairs;
use super::super::problem::Problem;
use crate::audit::query::{Class, Query};
use crate::audit::{Decision, Kind};
use crate::control::desk::{Asked, Database};
use crate::control::lookup;
use crate::model::{SqlState, Timestamp};

/// Values of all parameters together.
const VALUES_MAX: usize = 100;

/// The parameters, for the document; each but the last two may be given again.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "they are read by hand, as they may be given again")]
pub(in crate::control::http) struct Parameters {
    /// Who did it, asked for it, approved it, or whom a grant is for.
    user: Option<Vec<String>>,
    /// The group of whoever did it, or that a grant is for.
    group: Option<Vec<String>>,
    /// A column touched or granted: `email`, `customers.email`, `public.customers.email`.
    column: Option<Vec<String>>,
    /// A class of the catalogs: its columns, and grants on it.
    class: Option<Vec<String>>,
    /// A table touched or granted: `customers`, `public.customers`.
    table: Option<Vec<String>>,
    /// The number of a grant: its own records, and what was shown under it.
    grant: Option<Vec<u64>>,
    /// The number of a request.
    request: Option<Vec<u64>>,
    /// The number of a session; each start of the proxy counts from 1.
    session: Option<Vec<u64>>,
    /// `statement`, `release`, `login`, `grant`, …
    kind: Option<Vec<String>>,
    /// `clear`, `shown`, `computed`, `raw`, `refused`, `cut`, `local` or `observed`.
    decision: Option<Vec<String>>,
    /// What happened to a grant, the configuration or the catalog: `approved`, `revoked`, …
    step: Option<Vec<String>>,
    /// An address, or a network such as `10.1.0.0/16`.
    address: Option<Vec<String>>,
    /// An `application_name`.
    application: Option<Vec<String>>,
    /// A database as clients name it.
    database: Option<Vec<String>>,
    /// The fingerprint of a statement.
    fingerprint: Option<Vec<String>>,
    /// Words that are all in the statement, the reason or the row predicate.
    text: Option<Vec<String>>,
    /// Not before this time.
    since: Option<Timestamp>,
    /// Before this time.
    until: Option<Timestamp>,
}

/// # Errors
/// Says which parameter is not known, or has no such value.
pub(in crate::control::http) fn read(
    asked: &Pairs,
    databases: &[Database],
) -> Result<Query, Problem> {
    if asked.len() > VALUES_MAX {
        return Err(wrong(&format!("no more than {VALUES_MAX} values")));
    }
    let mut query = Query::default();
    for (name, value) in asked {
        let text = || value.clone();
        match name.as_str() {
            "user" => query.users.push(text()),
            "group" => query.groups.push(text()),
            "column" => query.columns.push(text()),
            "class" => query.classes.push(class(databases, value)?),
            "table" => query.tables.push(text()),
            "grant" => query.grants.push(number(name, value)?),
            "request" => query.requests.push(number(name, value)?),
            "session" => query.sessions.push(number(name, value)?),
            "kind" => query.kinds.push(kind(value)?),
            "decision" => query.decisions.push(decision(value)?),
            "step" => query.steps.push(text()),
            "address" => query.addresses.push(parsed(name, value)?),
            "application" => query.applications.push(text()),
            "database" => query.databases.push(text()),
            "fingerprint" => query.fingerprints.push(text()),
            "text" => query.words.extend(value.split_whitespace().map(str::to_owned)),
            "since" => query.since = Some(parsed(name, value)?),
            "until" => query.until = Some(parsed(name, value)?),
            _ => return Err(wrong(&format!("there is no parameter {name}"))),
        }
    }
    Ok(query)
}

/// Which parameters are there, in the words of records.
pub(in crate::control::http) fn asked(pairs: &Pairs) -> Asked {
    Asked::of(|name| {
        pairs.iter().any(|(given, _)| name == if given == "text" { "words" } else { given })
    })
}

fn wrong(what: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, SqlState::INVALID_PARAMETER_VALUE, what)
}

fn parsed<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Problem> {
    value.parse().map_err(|_| wrong(&format!("{name} is not what is said of it in /api")))
}

/// A number as the document has it, which ends where that of signed ones does.
fn number(name: &str, value: &str) -> Result<u64, Problem> {
    let number: u64 = parsed(name, value)?;
    if i64::try_from(number).is_err() {
        return Err(wrong(&format!("{name} is too large")));
    }
    Ok(number)
}

fn kind(word: &str) -> Result<Kind, Problem> {
    Kind::named(word).ok_or_else(|| wrong("there is no such kind of records"))
}

fn decision(word: &str) -> Result<Decision, Problem> {
    Decision::named(word).ok_or_else(|| wrong("there is no such decision"))
}

fn class(databases: &[Database], name: &str) -> Result<Class, Problem> {
    let known = Class::of(name, lookup::catalogs(databases));
    known.ok_or_else(|| wrong("no catalog has such a class"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str, value: &str) -> Result<Query, Problem> {
        read(&vec![(name.to_owned(), value.to_owned())], &[])
    }

    #[test]
    fn every_parameter_of_the_document_is_read() {
        for parameter in Parameters::into_params(|| None) {
            let value = match &*parameter.name {
                "grant" | "request" | "session" => "1",
                "kind" => "statement",
                "decision" => "raw",
                "address" => "10.1.0.0/16",
                "since" | "until" => "2026-01-31T09:00:00Z",
                "class" => continue,
                _ => "x",
            };
            assert!(ask(&parameter.name, value).is_ok(), "{}", parameter.name);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (name, value) in [
            ("colour", "red"),
            ("grant", "-1"),
            ("kind", "dream"),
            ("decision", "maybe"),
            ("since", "yesterday"),
            ("class", "nowhere"),
            ("address", "here"),
            ("grant", "9223372036854775808"),
        ] {
            assert!(ask(name, value).is_err(), "{name}={value}");
        }
        let many = vec![("user".to_owned(), "x".to_owned()); VALUES_MAX + 1];
        assert!(read(&many, &[]).is_err());
    }
}
