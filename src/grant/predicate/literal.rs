use jiff::civil::{Date, DateTime};

use super::{Literal, PredicateError};
use crate::model::{Oid, Timestamp, misleads};
use crate::schema::ValueType;

// Types of pg_type.dat whose text form is checked here, so that a predicate can neither fail
// when it runs nor mean something else under another DateStyle, TimeZone or locale.
const DATE: Oid = 1082;
const TIMESTAMP: Oid = 1114;
const TIMESTAMPTZ: Oid = 1184;
const MONEY: Oid = 790;
const UUID: Oid = 2950;

/// Digits of a number; PostgreSQL's own limit is far above.
const DIGITS_MAX: usize = 60;

/// The literal as it is compared with a column of that type.
pub(super) fn settle(
    written: Literal,
    column: &str,
    value: &ValueType,
) -> Result<Literal, PredicateError> {
    let wrong = |wanted| PredicateError::Literal { column: column.to_owned(), wanted };
    let text = |wanted| match &written {
        Literal::Text(text) => Ok(text.as_str()),
        Literal::Number(_) | Literal::Boolean(_) => Err(wrong(wanted)),
    };
    match (value.oid, value.category) {
        (DATE, _) => {
            let wanted = "a date such as '2025-01-31'";
            date(text(wanted)?).map(Literal::Text).ok_or_else(|| wrong(wanted))
        }
        (TIMESTAMP, _) => {
            let wanted = "a time such as '2025-01-31 12:00:00'";
            date_time(text(wanted)?).map(Literal::Text).ok_or_else(|| wrong(wanted))
        }
        (TIMESTAMPTZ, _) => {
            let wanted = "a time with its zone such as '2025-01-31 12:00:00+00'";
            instant(text(wanted)?).map(Literal::Text).ok_or_else(|| wrong(wanted))
        }
        (UUID, _) => {
            let wanted = "a UUID in its usual form";
            uuid(text(wanted)?).map(Literal::Text).ok_or_else(|| wrong(wanted))
        }
        (oid, b'N') if oid != MONEY => match written {
            Literal::Number(digits) if is_number(&digits) => Ok(Literal::Number(digits)),
            Literal::Number(_) | Literal::Boolean(_) | Literal::Text(_) => {
                Err(wrong("a plain number"))
            }
        },
        (_, b'B') => match written {
            Literal::Boolean(truth) => Ok(Literal::Boolean(truth)),
            Literal::Number(_) | Literal::Text(_) => Err(wrong("true or false")),
        },
        (_, b'S' | b'E') => {
            let wanted = "a string without control characters";
            let text = text(wanted)?;
            let fits = !text.chars().any(misleads);
            if fits { Ok(Literal::Text(text.to_owned())) } else { Err(wrong(wanted)) }
        }
        _ => Err(PredicateError::Type { column: column.to_owned(), type_sql: value.sql.clone() }),
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.len() <= DIGITS_MAX && all(whole) && all(fraction)
}

/// Years that every PostgreSQL type of dates holds.
fn is_common(date: Date) -> bool {
    date.year() >= 1
}

fn date(text: &str) -> Option<String> {
    let shape = text.len() == 10 && text.as_bytes()[4] == b'-';
    let date: Date = text.parse().ok().filter(|_| shape)?;
    is_common(date).then(|| date.to_string())
}

fn date_time(text: &str) -> Option<String> {
    if let Some(midnight) = date(text) {
        return Some(format!("{midnight} 00:00:00"));
    }
    // jiff would drop a zone; what follows the date must be a time of day only.
    let time = text.get(11..)?;
    if !time.bytes().all(|b| b.is_ascii_digit() || b == b':' || b == b'.') {
        return None;
    }
    let moment: DateTime = text.parse().ok()?;
    is_common(moment.date()).then(|| moment.to_string().replace('T', " "))
}

fn instant(text: &str) -> Option<String> {
    let moment: Timestamp = text.parse().ok()?;
    let common = is_common(moment.to_zoned(jiff::tz::TimeZone::UTC).date());
    common.then(|| moment.to_string().replace('T', " ").replace('Z', "+00"))
}

fn uuid(text: &str) -> Option<String> {
    let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let fits = text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| if dash(at) { b == b'-' } else { b.is_ascii_hexdigit() });
    fits.then(|| text.to_ascii_lowercase())
}
