//! Hours of the week in a time zone: `Mon-Fri 08:00-18:00 Europe/Berlin`.

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};
use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// Days of the week, from one time of the day to another, in a time zone of the IANA database.
/// Read again from the text that was written, which is what is stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    text: String,
    /// Monday first.
    days: [bool; 7],
    from: Time,
    /// None: until midnight.
    to: Option<Time>,
    zone: TimeZone,
}

/// Hours that could not be read.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum HoursError {
    #[error("hours are days, times and a time zone, such as \"Mon-Fri 08:00-18:00 Europe/Berlin\"")]
    Shape,
    #[error("\"{0}\" is no day of the week: Mon, Tue, Wed, Thu, Fri, Sat, Sun")]
    Day(String),
    #[error("\"{0}\" is no time of the day such as 08:00, or 24:00 for its end")]
    Time(String),
    #[error("hours end after they begin; \"{0}\" does not")]
    Order(String),
    #[error("\"{0}\" is no time zone such as UTC or Europe/Berlin")]
    Zone(String),
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Hours {
    /// Reads `Mon-Fri 08:00-18:00 Europe/Berlin`; days are a list of days and ranges
    /// (`Mon,Wed-Fri`) or `daily`.
    ///
    /// # Errors
    /// [`HoursError`] says which part makes no sense.
    pub fn parse(text: &str) -> Result<Self, HoursError> {
        let mut parts = text.split_whitespace();
        let (Some(days), Some(times), Some(zone), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(HoursError::Shape);
        };
        let (from, to) = times.split_once('-').ok_or(HoursError::Shape)?;
        let (from, to) = (time(from)?, if to == "24:00" { None } else { Some(time(to)?) });
        if to.is_some_and(|to| to <= from) {
            return Err(HoursError::Order(times.to_owned()));
        }
        let unknown = |_| HoursError::Zone(zone.to_owned());
        Ok(Self {
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            days: read_days(days)?,
            from,
            to,
            zone: TimeZone::get(zone).map_err(unknown)?,
        })
    }

    /// Whether the moment lies within, and if so, the first one after it that does not.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned(self.zone.clone());
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).ok()?;
        if !self.days[day] {
            return None;
        }
        // Moments, not the clock's face: where an hour is repeated or missing, it is the same
        // for both ends.
        let begin = self.at(local.date(), Some(self.from))?;
        let end = self.at(local.date(), self.to)?;
        (begin <= now && now < end).then_some(end)
    }

    /// The moment of that time on that date; None: the midnight that ends it.
    fn at(&self, date: Date, time: Option<Time>) -> Option<Timestamp> {
        let local = match time {
            Some(time) => date.to_datetime(time),
            None => date.checked_add(Span::new().days(1)).ok()?.to_datetime(Time::midnight()),
        };
        local.to_zoned(self.zone.clone()).ok().map(|zoned: Zoned| zoned.timestamp())
    }
}

fn time(text: &str) -> Result<Time, HoursError> {
    let wrong = || HoursError::Time(text.to_owned());
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    if hour.len() != 2 || minute.len() != 2 {
        return Err(wrong());
    }
    let number = |digits: &str| digits.parse::<i8>().map_err(|_| wrong());
    Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| wrong())
}

fn read_days(text: &str) -> Result<[bool; 7], HoursError> {
    let mut days = [false; 7];
    if text.eq_ignore_ascii_case("daily") {
        return Ok([true; 7]);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // Sat-Mon goes around the end of the week.
        let mut at = first;
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(days)
}

fn day(text: &str) -> Result<usize, HoursError> {
    let word = text.to_ascii_lowercase();
    DAYS.iter().position(|day| *day == word).ok_or_else(|| HoursError::Day(text.to_owned()))
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Hours {
    type Error = HoursError;

    fn try_from(text: String) -> Result<Self, HoursError> {
        Self::parse(&text)
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> Self {
        hours.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_are_those_of_their_zone() {
        let office = Hours::parse("Mon-Fri 08:00-18:00  Europe/Berlin").unwrap();
        assert_eq!(office.to_string(), "Mon-Fri 08:00-18:00 Europe/Berlin");
        for (moment, until) in [
            ("2026-11-27T06:59:59Z", None),
            ("2026-11-27T07:00:00Z", Some("2026-11-27T17:00:00Z")),
            ("2026-11-27T16:59:59Z", Some("2026-11-27T17:00:00Z")),
            ("2026-11-27T17:00:00Z", None),
            ("2026-11-28T10:00:00Z", None),
            ("2026-07-01T06:30:00Z", Some("2026-07-01T16:00:00Z")),
        ] {
            assert_eq!(office.until(at(moment)), until.map(at), "{moment}");
        }
    }

    #[test]
    fn days_are_lists_and_ranges_also_around_the_week() {
        let weekend = Hours::parse("sat-Mon,Wed 00:00-24:00 UTC").unwrap();
        assert_eq!(weekend.days, [true, false, true, false, false, true, true]);
        assert_eq!(weekend.until(at("2026-11-28T10:00:00Z")), Some(at("2026-11-29T00:00:00Z")));
        assert_eq!(Hours::parse("daily 00:00-24:00 UTC").unwrap().days, [true; 7]);
    }

    #[test]
    fn an_hour_that_the_clocks_skip_or_repeat_does_not_lengthen_anything() {
        let night = Hours::parse("Sun 02:30-03:30 Europe/Berlin").unwrap();
        // 02:30 does not exist on 2026-03-29: it is 03:30 summer time, where the hours end.
        assert_eq!(night.until(at("2026-03-29T01:15:00Z")), None);
        // On 2026-10-25 the hour from 02:00 to 03:00 comes twice; they begin with the first.
        assert_eq!(night.until(at("2026-10-25T00:30:00Z")), Some(at("2026-10-25T02:30:00Z")));
        assert_eq!(night.until(at("2026-10-25T02:30:00Z")), None);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, error) in [
            ("08:00-18:00", HoursError::Shape),
            ("Mon 08:00 UTC", HoursError::Shape),
            ("Mo 08:00-18:00 UTC", HoursError::Day("Mo".into())),
            ("Mon 8:00-18:00 UTC", HoursError::Time("8:00".into())),
            ("Mon 08:00-25:00 UTC", HoursError::Time("25:00".into())),
            ("Mon 18:00-08:00 UTC", HoursError::Order("18:00-08:00".into())),
            ("Mon 08:00-18:00 Mars/Olympus", HoursError::Zone("Mars/Olympus".into())),
        ] {
            assert_eq!(Hours::parse(text), Err(error), "{text}");
        }
    }
}
