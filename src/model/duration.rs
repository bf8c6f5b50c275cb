use std::time::Duration;

/// A duration that could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DurationError {
    #[error("a duration is a number and a unit, such as '30 minutes' or '2h'")]
    Shape,
    #[error("unknown unit of time \"{0}\" (s, min, h, d)")]
    Unit(String),
    #[error("a duration is longer than nothing and shorter than a hundred years")]
    Range,
}

const RANGE_SECS_MAX: u64 = 100 * 366 * 86_400;

/// Reads `30s`, `30 minutes`, `1h`, `2 days`, `1h 30min`, and `500ms` for configuration.
///
/// # Errors
/// [`DurationError`] when it is no duration, has an unknown unit, or is nothing at all.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Shape);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError::Shape)?;
        let number: u64 = rest[..digits].parse().map_err(|_| DurationError::Shape)?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let millis = match rest[..letters].to_ascii_lowercase().as_str() {
            "ms" => 1,
            "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
            "h" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            "w" | "week" | "weeks" => 604_800_000,
            "" => return Err(DurationError::Shape),
            other => return Err(DurationError::Unit(other.to_owned())),
        };
        let part = number.checked_mul(millis).ok_or(DurationError::Range)?;
        total = total.checked_add(Duration::from_millis(part)).ok_or(DurationError::Range)?;
        rest = rest[letters..].trim_start();
    }
    if total.is_zero() || total.as_secs() > RANGE_SECS_MAX {
        return Err(DurationError::Range);
    }
    Ok(total)
}

/// The duration in the shortest exact words: `90min` is `1h 30min`.
pub fn show_duration(duration: Duration) -> String {
    let secs = duration.as_secs();
    let parts = [("d", secs / 86_400), ("h", secs / 3_600 % 24), ("min", secs / 60 % 60)];
    let mut words: Vec<String> =
        parts.iter().filter(|(_, n)| *n > 0).map(|(unit, n)| format!("{n}{unit}")).collect();
    if !secs.is_multiple_of(60) || words.is_empty() {
        words.push(format!("{}s", secs % 60));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, secs) in [
            ("30 minutes", 1800),
            ("30 min", 1800),
            ("1h", 3600),
            ("1h 30min", 5400),
            ("2 days", 172_800),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(secs)), "{text}");
        }
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn nonsense_is_no_duration() {
        for text in ["", "30", "minutes", "-1h", "0s", "1 fortnight", "99999999999999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_show_in_short_words() {
        assert_eq!(show_duration(Duration::from_secs(5400)), "1h 30min");
        assert_eq!(show_duration(Duration::from_secs(61)), "1min 1s");
        assert_eq!(show_duration(Duration::ZERO), "0s");
    }
}
