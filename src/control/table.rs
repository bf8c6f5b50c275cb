//! What a command answers: a table or the tag of a command done.

use crate::model::Timestamp;

/// The types of the console's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Int8,
    Text,
    Timestamptz,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
}

impl Column {
    pub const fn int(name: &'static str) -> Self {
        Self { name, kind: Kind::Int8 }
    }

    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: Kind::Text }
    }

    pub const fn time(name: &'static str) -> Self {
        Self { name, kind: Kind::Timestamptz }
    }
}

/// A value under a column of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Null,
    Int(i64),
    Text(String),
    Time(Timestamp),
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Timestamp> for Cell {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub columns: &'static [Column],
    /// Each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Table(Table),
    /// The tag of CommandComplete, and what to tell beside it.
    Done {
        tag: String,
        notices: Vec<String>,
    },
}

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Microseconds from PostgreSQL's epoch, 2000-01-01: the binary form of a timestamptz.
pub fn postgres_micros(time: Timestamp) -> i64 {
    const EPOCH_SECS: i64 = 946_684_800;
    time.as_microsecond() - EPOCH_SECS * MICROS_PER_SECOND
}

/// The text form of a timestamptz under `DateStyle = ISO` and `TimeZone = UTC`.
pub fn postgres_text(time: Timestamp) -> String {
    let seconds = time.strftime("%Y-%m-%d %H:%M:%S");
    let micros = time.as_microsecond().rem_euclid(MICROS_PER_SECOND);
    if micros == 0 {
        return format!("{seconds}+00");
    }
    let fraction = format!("{micros:06}");
    format!("{seconds}.{}+00", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_show_as_postgresql_shows_them() {
        for (time, text) in [
            ("2026-01-31T08:00:00Z", "2026-01-31 08:00:00+00"),
            ("2026-01-31T08:00:00.12Z", "2026-01-31 08:00:00.12+00"),
            ("2026-01-31T08:00:00.000001999Z", "2026-01-31 08:00:00.000001+00"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31 23:59:59.5+00"),
        ] {
            assert_eq!(postgres_text(time.parse().unwrap()), text);
        }
    }

    #[test]
    fn the_binary_form_counts_from_the_year_2000() {
        assert_eq!(postgres_micros("2000-01-01T00:00:00.000002Z".parse().unwrap()), 2);
        assert_eq!(postgres_micros("1999-12-31T23:59:59Z".parse().unwrap()), -MICROS_PER_SECOND);
    }
}
