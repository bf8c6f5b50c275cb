//! Dates and times: what telephone numbers and identifiers are taken for.

use super::shape::{COLON, COMMA, DASH, DIGIT, DOT, PAREN, PLUS, SLASH, SPACE, Shape};
use super::{Hits, Signal};

/// Whether the value is a date or a point in time, and if so, of what years.
pub(super) fn look(shape: &Shape<'_>, hits: &mut Hits) -> bool {
    if !(8..=35).contains(&shape.len())
        || shape.any(PAREN | COMMA)
        || shape.any(PLUS) && !shape.any(COLON)
    {
        return false;
    }
    let Some(year) = year(shape) else { return false };
    hits.tell(Signal::Date);
    hits.year = u16::try_from(year).ok();
    hits.tell_if(Signal::BirthYear, (1905..=2012).contains(&year));
    hits.tell_if(Signal::RecentYear, year > 2012);
    true
}

/// The year of a date that the value begins with: 1999-12-31, 31.12.1999, 12/31/1999; a time may
/// follow.
fn year(shape: &Shape<'_>) -> Option<u32> {
    let text = shape.text;
    let (date, rest) = match text.find([' ', 'T']) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, ""),
    };
    let is_time = rest.contains(':') && rest.starts_with(|c: char| c.is_ascii_digit());
    if !(rest.is_empty() || is_time) {
        return None;
    }
    if !shape.any(DASH | DOT | SLASH) || !shape.any(DIGIT) || rest.is_empty() && shape.any(SPACE) {
        return None;
    }
    let separator = date.find(['-', '.', '/']).map(|place| date.as_bytes()[place])?;
    let mut parts = date.split(char::from(separator));
    let parts = [parts.next()?, parts.next()?, parts.next()?, parts.next().unwrap_or_default()];
    if !parts[3].is_empty() {
        return None;
    }
    let number = |part: &str| part.parse::<u32>().ok();
    let [first, second, third] = [number(parts[0])?, number(parts[1])?, number(parts[2])?];
    let (year, month, day) = if parts[0].len() == 4 && parts[1].len() <= 2 && parts[2].len() <= 2 {
        (first, second, third)
    } else if parts[2].len() == 4 && parts[0].len() <= 2 && parts[1].len() <= 2 {
        if second > 12 { (third, first, second) } else { (third, second, first) }
    } else {
        return None;
    };
    let fits = (1000..3000).contains(&year)
        && ((1..=12).contains(&month) || separator == b'/' && (1..=12).contains(&day))
        && (1..=31).contains(&day);
    fits.then_some(year)
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    #[test]
    fn dates_are_told_from_other_numbers_with_separators() {
        for date in [
            "1984-02-29",
            "29.02.1984",
            "2/29/1984",
            "1984/02/29",
            "1984-02-29 12:00:00+01",
            "1984-02-29T12:00:00.000",
        ] {
            let hits = look(date);
            assert!(hits.has(Signal::Date) && hits.has(Signal::BirthYear), "{date}");
            assert!(!hits.has(Signal::PhoneLoose), "{date}");
        }
        for other in ["555-12-3456", "030-0074321", "1.2.3.4", "1984-13-01", "1234-5678"] {
            assert!(!look(other).has(Signal::Date), "{other}");
        }
        assert!(look("2024-02-29").has(Signal::RecentYear));
    }
}
