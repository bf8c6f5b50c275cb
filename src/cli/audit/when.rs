//! Times as people write them: `2026-01-31`, `2026-01-31 09:00`, `yesterday`, `2 hours ago`.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use crate::model::{Timestamp, parse_duration};

/// Which end of a day that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    Begin,
    /// The beginning of the next.
    End,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no time: it is a date or time such as 2026-01-31 or '2026-01-31 09:00' (UTC), \
     2026-01-31T09:00+01, now, today, yesterday, or a while such as '2 hours ago'"
)]
pub(super) struct WhenError(String);

/// Dates and times without an offset are UTC, as those of the log are.
///
/// # Errors
/// It is none of these.
pub(super) fn when(text: &str, now: Timestamp, edge: Edge) -> Result<Timestamp, WhenError> {
    read(text.trim(), now, edge).ok_or_else(|| WhenError(text.to_owned()))
}

fn read(text: &str, now: Timestamp, edge: Edge) -> Option<Timestamp> {
    let today = now.to_zoned(TimeZone::UTC).date();
    match text {
        "now" => return Some(now),
        "today" => return day(today, edge),
        "yesterday" => return day(today.yesterday().ok()?, edge),
        _ => {}
    }
    let ago = text.strip_suffix("ago").unwrap_or(text);
    if let Ok(ago) = parse_duration(ago) {
        return now.checked_sub(ago).ok();
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    // A civil time is a date, too.
    match text.len() {
        0..=10 => day(text.parse().ok()?, edge),
        _ => utc(text.parse().ok()?),
    }
}

fn day(date: Date, edge: Edge) -> Option<Timestamp> {
    let days: Span = match edge {
        Edge::Begin => 0.days(),
        Edge::End => 1.day(),
    };
    utc(date.checked_add(days).ok()?.to_datetime(jiff::civil::Time::midnight()))
}

fn utc(time: DateTime) -> Option<Timestamp> {
    time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_write_them() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        for (text, begin, end) in [
            ("now", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
            ("today", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"),
            ("yesterday", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("2 hours ago", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
            ("90min", "2026-03-01T10:30:00Z", "2026-03-01T10:30:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"),
            ("2026-01-31 09:00", "2026-01-31T09:00:00Z", "2026-01-31T09:00:00Z"),
            ("2026-01-31T09:00:30", "2026-01-31T09:00:30Z", "2026-01-31T09:00:30Z"),
            ("2026-01-31T09:00+01", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00Z"),
        ] {
            assert_eq!(when(text, now, Edge::Begin), Ok(begin.parse().unwrap()), "{text}");
            assert_eq!(when(text, now, Edge::End), Ok(end.parse().unwrap()), "{text}");
        }
        for wrong in ["", "soon", "2026-02-30", "2026-01", "12:00", "ago", "1 fortnight ago"] {
            assert!(when(wrong, now, Edge::Begin).is_err(), "{wrong}");
        }
    }
}
