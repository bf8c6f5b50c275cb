//! What the form of the explorer asks for.

use jiff::ToSpan;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::super::form::Fields;
use crate::audit::query::Query;
use crate::control::desk::Database;
use crate::control::http::audit::question;
use crate::control::http::body::Pairs;
use crate::control::http::problem::Problem;
use crate::control::http::requests::unreadable;
use crate::model::Timestamp;

/// Value and word of each choice; the first is what is chosen if nothing is.
pub(super) const PERIODS: &[(&str, &str)] = &[
    ("", "the last 7 days"),
    ("1", "the last hour"),
    ("24", "the last 24 hours"),
    ("720", "the last 30 days"),
    ("all", "all there is"),
];
const HOURS_DEFAULT: i64 = 7 * 24;

pub(super) const KINDS: &[(&str, &str)] = &[
    ("", "any"),
    ("statement", "statement"),
    ("release", "release"),
    ("login", "login"),
    ("login_failed", "failed login"),
    ("logout", "logout"),
    ("grant", "request or grant"),
    ("signal", "signal"),
    ("configuration", "configuration"),
    ("catalog", "catalog"),
];

pub(super) const DECISIONS: &[(&str, &str)] = &[
    ("", "any"),
    ("raw", "raw"),
    ("shown", "masked"),
    ("computed", "computed on masks"),
    ("refused", "refused"),
    ("cut", "cut"),
    ("clear", "clear"),
    ("local", "local"),
    ("observed", "observed"),
];

/// Whether a field is used that stands behind "More".
pub(super) fn is_fine(asked: &Fields) -> bool {
    const NAMES: [&str; 9] = [
        "group",
        "class",
        "database",
        "address",
        "application",
        "grant",
        "request",
        "session",
        "words",
    ];
    NAMES.iter().any(|name| asked.some(name).is_some())
}

/// The fields that say something, by the names that the API has for them; times are not among them.
pub(super) fn said(asked: &Fields) -> Pairs {
    const NAMES: [(&str, &str); 14] = [
        ("user", "user"),
        ("group", "group"),
        ("column", "column"),
        ("table", "table"),
        ("class", "class"),
        ("grant", "grant"),
        ("request", "request"),
        ("session", "session"),
        ("kind", "kind"),
        ("decision", "decision"),
        ("address", "address"),
        ("application", "application"),
        ("database", "database"),
        ("words", "text"),
    ];
    let some = |(field, name): (&str, &str)| Some((name.to_owned(), asked.some(field)?));
    NAMES.into_iter().filter_map(some).collect()
}

/// # Errors
/// A field cannot be read, or no catalog has the class.
pub(super) fn read(
    asked: &Fields,
    databases: &[Database],
    now: Timestamp,
) -> Result<Query, Problem> {
    let (since, until) = period(asked, now)?;
    Ok(Query { since, until, ..question::read(&said(asked), databases)? })
}

fn period(
    asked: &Fields,
    now: Timestamp,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    let (since, until) = (moment(asked, "since")?, moment(asked, "until")?);
    let hours = match asked.get("period") {
        "" => HOURS_DEFAULT,
        "all" => return Ok((since, until)),
        text => text
            .parse()
            .ok()
            .filter(|hours| (1..=1_000_000).contains(hours))
            .ok_or_else(|| unreadable("the period is a number of hours, or all"))?,
    };
    // What is said exactly counts.
    Ok((since.or_else(|| now.checked_sub(hours.hours()).ok()), until))
}

fn moment(asked: &Fields, name: &str) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = asked.some(name) else { return Ok(None) };
    let civil = text.parse::<DateTime>().ok();
    let moment = civil.and_then(|civil| civil.to_zoned(TimeZone::UTC).ok());
    let wrong = || unreadable(format!("{name} is a date and a time such as 2026-01-31T09:00"));
    moment.map(|moment| Some(moment.timestamp())).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Decision, Kind};

    fn asked(query: &str) -> Result<Query, Problem> {
        let now = "2026-02-01T00:00:00Z".parse().unwrap();
        read(&Fields::read(query.as_bytes()), &[], now)
    }

    #[test]
    fn the_form_becomes_a_query() {
        let query =
            asked("user=alice&decision=raw&kind=statement&grant=7&words=a+b&period=24").unwrap();
        assert_eq!(query.users, ["alice"]);
        assert_eq!(query.decisions, [Decision::Raw]);
        assert_eq!((query.kinds, query.grants), (vec![Kind::Statement], vec![7]));
        assert_eq!(query.words, ["a", "b"]);
        assert_eq!(query.since, Some("2026-01-31T00:00:00Z".parse().unwrap()));
        let exact = asked("since=2026-01-05T10:00&until=2026-01-06T11:30").unwrap();
        assert_eq!(exact.since, Some("2026-01-05T10:00:00Z".parse().unwrap()));
        assert_eq!(exact.until, Some("2026-01-06T11:30:00Z".parse().unwrap()));
        assert_eq!(asked("period=all").unwrap().since, None);
        let usual = asked("").unwrap().since;
        assert_eq!(usual, Some("2026-01-25T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for wrong in [
            "grant=x",
            "decision=x",
            "kind=x",
            "address=x",
            "since=x",
            "period=x",
            "period=0",
            "class=x",
        ] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_choice_can_be_asked_for() {
        for (name, choices) in [("kind", KINDS), ("decision", DECISIONS), ("period", PERIODS)] {
            for (value, _) in choices {
                assert!(asked(&format!("{name}={value}")).is_ok(), "{name} {value}");
            }
        }
    }
}
