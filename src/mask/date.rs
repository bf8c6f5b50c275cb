//! `date`: truncation to the first day of a year or month, always in UTC.
//!
//! The session's TimeZone must not matter: by moving it (a POSIX zone may be a week off) and
//! watching the month change, a client could find the hidden moment to the second.
//!
//! The calendar begins on 4714-11-24 BC; what would be cut to a day before it becomes that day.
//! Timestamps end with the year 294276, but rounding to a typmod's precision stores the moment
//! after (`timestamp(0) '294276-12-31 23:59:59.9'`), which counts as that year's last day.

use std::io::Write as _;

use crate::catalog::DatePrecision;

use super::kind::Instant;
use super::{ApplyError, Format};

/// 4714-11-24 BC (Julian day 0) and 5874897-12-31, in days from 2000-01-01.
const DATE_MIN: i64 = -2_451_545;
const DATE_MAX: i64 = 2_145_031_948;

/// 294276-12-31, in days from 2000-01-01.
const TIMESTAMP_DAY_MAX: i64 = 106_751_982;

const MICROS_PER_DAY: i64 = 86_400_000_000;
const TIMESTAMP_MIN: i64 = DATE_MIN * MICROS_PER_DAY;
/// The first moment after the last valid timestamp, which rounding can reach.
const TIMESTAMP_END: i64 = (TIMESTAMP_DAY_MAX + 1) * MICROS_PER_DAY;

/// Days from 0000-03-01 to 2000-01-01 in the proleptic Gregorian calendar.
const EPOCH_FROM_MARCH_0: i64 = 730_425;
const DAYS_PER_ERA: i64 = 146_097;

pub(super) fn mask(
    to: DatePrecision,
    kind: Instant,
    format: Format,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ApplyError> {
    match (format, kind) {
        (Format::Binary, Instant::Date) => {
            let days = i32::from_be_bytes(value.try_into().map_err(|_| ApplyError::Malformed)?);
            let masked = match days {
                i32::MIN | i32::MAX => days,
                days if (DATE_MIN..=DATE_MAX).contains(&i64::from(days)) => {
                    i32::try_from(truncate(to, days.into())).map_err(|_| ApplyError::Malformed)?
                }
                _ => return Err(ApplyError::Malformed),
            };
            out.extend_from_slice(&masked.to_be_bytes());
            Ok(())
        }
        (Format::Binary, Instant::Timestamp | Instant::TimestampTz) => {
            let micros = i64::from_be_bytes(value.try_into().map_err(|_| ApplyError::Malformed)?);
            let masked = match micros {
                i64::MIN | i64::MAX => micros,
                TIMESTAMP_MIN..=TIMESTAMP_END => {
                    let day = micros.div_euclid(MICROS_PER_DAY).min(TIMESTAMP_DAY_MAX);
                    truncate(to, day) * MICROS_PER_DAY
                }
                _ => return Err(ApplyError::Malformed),
            };
            out.extend_from_slice(&masked.to_be_bytes());
            Ok(())
        }
        (Format::Text, Instant::Date | Instant::Timestamp) => mask_text(to, kind, value, out),
        (Format::Text, Instant::TimestampTz) => Err(ApplyError::NoForm),
    }
}

fn truncate(to: DatePrecision, day: i64) -> i64 {
    let (year, month) = year_and_month(day);
    let first = match to {
        DatePrecision::Year => first_of(year, 1),
        DatePrecision::Month => first_of(year, month),
    };
    first.max(DATE_MIN)
}

/// The year (0 is 1 BC) and month of a day. Years are counted from March, so that the leap day
/// comes last and months have a linear formula; an era is 400 years.
fn year_and_month(days: i64) -> (i64, i64) {
    let days = days + EPOCH_FROM_MARCH_0;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month)
}

/// The first day of a month, in days from 2000-01-01.
fn first_of(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    year.div_euclid(400) * DAYS_PER_ERA + day_of_era - EPOCH_FROM_MARCH_0
}

fn mask_text(
    to: DatePrecision,
    kind: Instant,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ApplyError> {
    if matches!(value, b"infinity" | b"-infinity") {
        out.extend_from_slice(value);
        return Ok(());
    }
    let first = truncate(to, read_iso(kind, value).ok_or(ApplyError::Malformed)?);
    let (year, month) = year_and_month(first);
    let day = if first == DATE_MIN { 24 } else { 1 };
    let (shown, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    let clock = match kind {
        Instant::Date => "",
        Instant::Timestamp | Instant::TimestampTz => " 00:00:00",
    };
    write!(out, "{shown:04}-{month:02}-{day:02}{clock}{era}").map_err(|_| ApplyError::Malformed)
}

/// The day of a date or timestamp as DateStyle ISO prints it. No other style looks so: there a
/// year of four digits or more never comes first.
fn read_iso(kind: Instant, value: &[u8]) -> Option<i64> {
    let (value, is_bc) = match value.strip_suffix(b" BC") {
        Some(value) => (value, true),
        None => (value, false),
    };
    let (date, time) = match kind {
        Instant::Date => (value, None),
        Instant::Timestamp => {
            let space = value.iter().position(|b| *b == b' ')?;
            (&value[..space], Some(&value[space + 1..]))
        }
        Instant::TimestampTz => return None,
    };
    let (year_digits, rest) = date.split_at_checked(date.len().checked_sub(6)?)?;
    let &[b'-', m1, m2, b'-', d1, d2] = rest else { return None };
    if !(4..=7).contains(&year_digits.len()) {
        return None;
    }
    let (year, month, day) = (number(year_digits)?, number(&[m1, m2])?, number(&[d1, d2])?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let year = if is_bc { 1 - year } else { year };
    let days = first_of(year, month) + day - 1;
    if year_and_month(days) != (year, month) || days < DATE_MIN {
        return None;
    }
    match time {
        None => (days <= DATE_MAX).then_some(days),
        Some(b"00:00:00") if days == TIMESTAMP_DAY_MAX + 1 => Some(TIMESTAMP_DAY_MAX),
        Some(time) => {
            read_time(time)?;
            (days <= TIMESTAMP_DAY_MAX).then_some(days)
        }
    }
}

/// `HH:MM:SS` and up to six digits of a fraction.
fn read_time(time: &[u8]) -> Option<()> {
    let (clock, fraction) = time.split_at_checked(8)?;
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let in_range = number(&[h1, h2])? < 24 && number(&[m1, m2])? < 60 && number(&[s1, s2])? < 60;
    let fraction_reads = match fraction {
        [] => true,
        [b'.', digits @ ..] => digits.len() <= 6 && number(digits).is_some(),
        [_, ..] => false,
    };
    (in_range && fraction_reads).then_some(())
}

fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

/// Whether a configured constant is a date or timestamp in ISO form, the one that every DateStyle
/// reads alike.
pub(super) fn is_iso(kind: Instant, text: &str) -> bool {
    matches!(text, "infinity" | "-infinity") || read_iso(kind, text.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(to: DatePrecision, kind: Instant, value: &str) -> Result<String, ApplyError> {
        let mut out = Vec::new();
        mask(to, kind, Format::Text, value.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn iso_dates_are_cut_to_year_or_month() {
        use DatePrecision::{Month, Year};
        for (to, value, expected) in [
            (Year, "1984-06-30", "1984-01-01"),
            (Month, "1984-06-30", "1984-06-01"),
            (Month, "2024-02-29", "2024-02-01"),
            (Year, "12024-06-30", "12024-01-01"),
            (Year, "5874897-12-31", "5874897-01-01"),
            (Month, "0044-03-15 BC", "0044-03-01 BC"),
            (Year, "4714-12-31 BC", "4714-11-24 BC"),
            (Month, "4714-12-31 BC", "4714-12-01 BC"),
            (Month, "4714-11-30 BC", "4714-11-24 BC"),
            (Year, "infinity", "infinity"),
            (Year, "-infinity", "-infinity"),
        ] {
            assert_eq!(text(to, Instant::Date, value).as_deref(), Ok(expected), "{value}");
        }
        assert_eq!(
            text(Month, Instant::Timestamp, "0044-03-15 12:30:59.123456 BC").as_deref(),
            Ok("0044-03-01 00:00:00 BC")
        );
        assert_eq!(
            text(Year, Instant::Timestamp, "2001-09-09 01:46:40").as_deref(),
            Ok("2001-01-01 00:00:00")
        );
        assert_eq!(
            text(Month, Instant::Timestamp, "294277-01-01 00:00:00").as_deref(),
            Ok("294276-12-01 00:00:00")
        );
    }

    #[test]
    fn other_date_styles_are_refused() {
        for value in [
            "06/30/1984",
            "30.06.1984",
            "06-30-1984",
            "30-06-1984",
            "1984-06-31",
            "1984-13-01",
            "984-06-30",
            "1984-6-30",
            "1984-06-30 ",
            "",
            "BC",
            "0000-01-01",
            "4714-11-23 BC",
            "5874898-01-01",
            "1984-06-30 00:00:00",
            "2023-02-29",
        ] {
            let masked = text(DatePrecision::Year, Instant::Date, value);
            assert_eq!(masked, Err(ApplyError::Malformed), "{value}");
        }
        for value in [
            "Sat Jun 30 12:00:00 1984",
            "06/30/1984 12:00:00",
            "30.06.1984 12:00:00",
            "1984-06-30",
            "1984-06-30 12:00",
            "1984-06-30 24:00:00",
            "1984-06-30 12:00:00.",
            "1984-06-30 12:00:00+00",
            "294277-01-01 00:00:01",
        ] {
            let masked = text(DatePrecision::Year, Instant::Timestamp, value);
            assert_eq!(masked, Err(ApplyError::Malformed), "{value}");
        }
        let zoned = text(DatePrecision::Year, Instant::TimestampTz, "1984-06-30 12:00:00+00");
        assert_eq!(zoned, Err(ApplyError::NoForm));
    }

    #[test]
    fn days_and_months_convert_both_ways() {
        for (days, year, month) in [
            (0, 2000, 1),
            (-1, 1999, 12),
            (59, 2000, 2),
            (60, 2000, 3),
            (DATE_MIN, -4713, 11),
            (DATE_MAX, 5_874_897, 12),
            (TIMESTAMP_DAY_MAX, 294_276, 12),
        ] {
            assert_eq!(year_and_month(days), (year, month), "{days}");
            assert_eq!(year_and_month(first_of(year, month)), (year, month), "{days}");
        }
        assert_eq!(first_of(294_277, 1), TIMESTAMP_DAY_MAX + 1);
    }

    proptest::proptest! {
        #[test]
        fn a_truncated_day_is_the_first_and_stays_where_it_is(days in DATE_MIN..=DATE_MAX) {
            for to in [DatePrecision::Year, DatePrecision::Month] {
                let first = truncate(to, days);
                let longest = if to == DatePrecision::Year { 366 } else { 31 };
                assert!(first <= days && days - first < longest);
                assert_eq!(truncate(to, first), first);
            }
        }
    }
}
