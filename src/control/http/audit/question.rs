//! What is asked of the audit log, in the words of `keyhole audit search`.

use serde::de::value::{Error, StrDeserializer};
use serde::de::{Deserialize, IntoDeserializer};
use utoipa::IntoParams;

use super::super::body::{PAGE_LEN_MAX, Paging};
use super::super::problem::Problem;
use crate::audit::query::{Class, ClassColumn, Query};
use crate::audit::{Decision, Kind};
use crate::control::desk::{Asked, Database};
use crate::model::{SqlState, Timestamp};

use axum::http::StatusCode;

/// Values of all parameters together.
const VALUES_MAX: usize = 100;

/// The parameters, for the document; each but the last four may be given again.
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
    /// Records of a page: 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// Those behind this number: the `next_before` of the page before.
    before: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Question {
    pub(super) query: Query,
    pub(super) paging: Paging,
}

impl Question {
    /// # Errors
    /// Says which parameter is not known, or has no such value.
    pub(super) fn read(text: &[u8], databases: &[Database]) -> Result<Self, Problem> {
        let (mut query, mut paging) = (Query::default(), Paging::default());
        let mut count = 0;
        for (name, value) in form_urlencoded::parse(text) {
            count += 1;
            if count > VALUES_MAX {
                return Err(wrong(&format!("no more than {VALUES_MAX} values")));
            }
            let value = value.into_owned();
            match &*name {
                "user" => query.users.push(value),
                "group" => query.groups.push(value),
                "column" => query.columns.push(value),
                "class" => query.classes.push(class(databases, &value)?),
                "table" => query.tables.push(value),
                "grant" => query.grants.push(number(&name, &value)?),
                "request" => query.requests.push(number(&name, &value)?),
                "session" => query.sessions.push(number(&name, &value)?),
                "kind" => query.kinds.push(kind(&value)?),
                "decision" => query.decisions.push(decision(&value)?),
                "step" => query.steps.push(value),
                "address" => query.addresses.push(read(&name, &value)?),
                "application" => query.applications.push(value),
                "database" => query.databases.push(value),
                "fingerprint" => query.fingerprints.push(value),
                "text" => query.words.extend(value.split_whitespace().map(str::to_owned)),
                "since" => query.since = Some(read(&name, &value)?),
                "until" => query.until = Some(read(&name, &value)?),
                "limit" => paging.limit = Some(page_len(&value)?),
                "before" => paging.before = Some(number(&name, &value)?),
                _ => return Err(wrong(&format!("there is no parameter {name}"))),
            }
        }
        Ok(Self { query, paging })
    }
}

/// Which parameters are there, in the words of records.
pub(super) fn asked(text: &[u8]) -> Asked {
    let names: Vec<_> = form_urlencoded::parse(text).map(|(name, _)| name).collect();
    Asked::of(|name| {
        names.iter().any(|given| name == if given == "text" { "words" } else { given })
    })
}

fn wrong(what: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, SqlState::INVALID_PARAMETER_VALUE, what)
}

fn read<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Problem> {
    value.parse().map_err(|_| wrong(&format!("{name} is not what is said of it in /api")))
}

/// A number as the document has it, which ends where that of signed ones does.
fn number(name: &str, value: &str) -> Result<u64, Problem> {
    let number: u64 = read(name, value)?;
    if i64::try_from(number).is_err() {
        return Err(wrong(&format!("{name} is too large")));
    }
    Ok(number)
}

fn page_len(value: &str) -> Result<u64, Problem> {
    let len: u64 = read("limit", value)?;
    if (1..=PAGE_LEN_MAX).contains(&len) {
        return Ok(len);
    }
    Err(wrong(&format!("limit is 1 to {PAGE_LEN_MAX}")))
}

fn kind(word: &str) -> Result<Kind, Problem> {
    let known = Some(Kind::of(word)).filter(|kind| *kind != Kind::Other);
    known.ok_or_else(|| wrong("there is no such kind of records"))
}

fn decision(word: &str) -> Result<Decision, Problem> {
    let text: StrDeserializer<'_, Error> = word.into_deserializer();
    Decision::deserialize(text).map_err(|_| wrong("there is no such decision"))
}

fn class(databases: &[Database], name: &str) -> Result<Class, Problem> {
    if !databases.iter().any(|database| database.catalog.classes.contains_key(name)) {
        return Err(wrong("no catalog has such a class"));
    }
    let columns = databases.iter().flat_map(|database| {
        let tables = database.catalog.tables.iter();
        tables.flat_map(move |table| {
            let (schema, relation) = (&table.name.schema, &table.name.name);
            let of = table.columns.iter().filter(move |(_, class)| *class == name);
            of.map(move |(column, _)| ClassColumn {
                database: Some(database.name.clone()).filter(|name| name != Database::ANY),
                column: format!("{schema}.{relation}.{column}"),
            })
        })
    });
    Ok(Class { name: name.to_owned(), columns: columns.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_of_the_document_is_read() {
        for parameter in Parameters::into_params(|| None) {
            let value = match &*parameter.name {
                "grant" | "request" | "session" | "limit" | "before" => "1",
                "kind" => "statement",
                "decision" => "raw",
                "address" => "10.1.0.0%2F16",
                "since" | "until" => "2026-01-31T09:00:00Z",
                "class" => continue,
                _ => "x",
            };
            let text = format!("{}={value}", parameter.name);
            assert!(Question::read(text.as_bytes(), &[]).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for text in [
            "colour=red",
            "grant=-1",
            "kind=dream",
            "decision=maybe",
            "since=yesterday",
            "class=nowhere",
            "address=here",
            "limit=many",
            "limit=0",
            "limit=1001",
            "before=9223372036854775808",
        ] {
            assert!(Question::read(text.as_bytes(), &[]).is_err(), "{text}");
        }
        let many = "user=x&".repeat(VALUES_MAX + 1);
        assert!(Question::read(many.as_bytes(), &[]).is_err());
    }
}
