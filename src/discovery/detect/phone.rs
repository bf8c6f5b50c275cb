//! Telephone numbers: the international numbering plan, and how countries write their own.

use super::digits::{Digits, number};
use super::shape::{DASH, DIGIT, DOT, PAREN, PLUS, SLASH, SPACE, Shape};
use super::{Hits, Signal};

/// Country codes of two digits and less with the lengths of their significant numbers; from ITU-T
/// E.164's list of assigned codes and the national plans that it refers to.
const SHORT_CODES: &[(u64, usize, usize)] = &[
    (1, 10, 10),
    (7, 10, 10),
    (20, 8, 10),
    (27, 9, 9),
    (30, 10, 10),
    (31, 9, 9),
    (32, 8, 9),
    (33, 9, 9),
    (34, 9, 9),
    (36, 8, 9),
    (39, 6, 11),
    (40, 9, 9),
    (41, 9, 9),
    (43, 7, 13),
    (44, 9, 10),
    (45, 8, 8),
    (46, 7, 10),
    (47, 8, 8),
    (48, 9, 9),
    (49, 6, 13),
    (51, 8, 9),
    (52, 10, 10),
    (53, 6, 8),
    (54, 10, 11),
    (55, 10, 11),
    (56, 8, 9),
    (57, 8, 10),
    (58, 10, 10),
    (60, 7, 10),
    (61, 9, 9),
    (62, 7, 12),
    (63, 8, 10),
    (64, 8, 10),
    (65, 8, 8),
    (66, 8, 9),
    (81, 9, 10),
    (82, 8, 10),
    (84, 8, 10),
    (86, 10, 11),
    (90, 10, 10),
    (91, 10, 10),
    (92, 9, 10),
    (93, 9, 9),
    (94, 9, 9),
    (95, 7, 10),
    (98, 10, 10),
];

/// Hundreds in which codes of three digits are assigned, with the last two that are not.
const LONG_CODES: &[(u64, &[u64])] = &[
    (2, &[10, 14, 15, 17, 19, 59, 92, 93, 94, 95, 96]),
    (3, &[84, 88]),
    (4, &[22]),
    (5, &[]),
    (6, &[93, 94, 95, 96, 97, 98, 99]),
    (8, &[1, 2, 3, 4, 5, 6, 7, 9, 51, 54, 57, 58, 59, 71, 72, 73, 74, 75, 76, 77, 79]),
    (9, &[69, 78, 90, 91, 97, 99]),
];

/// Whether digits are a country's code and a number of a length that it has.
fn is_international(digits: &[u8]) -> bool {
    if !(8..=15).contains(&digits.len()) {
        return false;
    }
    for length in 1..=2 {
        let code = number(&digits[..length]);
        if let Some((_, least, most)) = SHORT_CODES.iter().find(|(short, ..)| *short == code) {
            let rest = &digits[length..];
            // A zero in parentheses is often left standing.
            let trunk = usize::from(rest[0] == 0 && code != 39);
            let fits = (*least..=*most).contains(&(rest.len() - trunk));
            return fits && (code != 1 || is_north_american(rest));
        }
    }
    let (hundred, rest) = (u64::from(digits[0]), number(&digits[1..3]));
    LONG_CODES.iter().any(|(first, holes)| *first == hundred && !holes.contains(&rest))
        && (7..=15).contains(&digits.len())
}

/// Area and exchange begin with 2 to 9, and neither is a service code (North American Numbering
/// Plan).
fn is_north_american(digits: &[u8]) -> bool {
    digits.len() == 10 && digits[0] >= 2 && digits[3] >= 2 && digits[1..3] != [1, 1]
}

/// Of values that are digits and the separators of telephone numbers.
pub(super) fn look(shape: &Shape<'_>, hits: &mut Hits) {
    if !(6..=17).contains(&shape.digits) {
        return;
    }
    let Some(digits) = Digits::of(shape.text) else { return };
    look_at(shape.text, shape, digits.as_slice(), hits);
}

/// `555-0100 x12`, `+1 555 010 0199 ext. 4`, `Tel. 030 1234567`.
pub(super) fn look_with_extension(shape: &Shape<'_>, hits: &mut Hits) {
    let text = shape.text;
    let end = text.find(['x', 'X', 'e', '#']).unwrap_or(text.len());
    let (number, extension) = text.split_at(end);
    let digits_from = extension.find(|c: char| c.is_ascii_digit()).unwrap_or(extension.len());
    let (word, extension) = extension.split_at(digits_from);
    let word = word.trim_end_matches(['.', ' ', ':']).trim_end();
    let fits = ["x", "X", "ext", "extn", "#"].contains(&word)
        && (1..=6).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_digit());
    if !fits {
        return;
    }
    let shape = Shape::of(number);
    if !shape.only(DIGIT | SPACE | DASH | DOT | SLASH | PLUS | PAREN) || shape.digits < 6 {
        return;
    }
    let Some(digits) = Digits::of(shape.text) else { return };
    look_at(shape.text, &shape, digits.as_slice(), hits);
    if !hits.has(Signal::PhoneInternational) {
        hits.tell(Signal::PhoneNational);
    }
}

fn look_at(text: &str, shape: &Shape<'_>, digits: &[u8], hits: &mut Hits) {
    if shape.any(PLUS) {
        let fits = text.starts_with(['+', '(']) && text.matches('+').count() == 1;
        hits.tell_if(Signal::PhoneInternational, fits && is_international(digits));
        return;
    }
    if digits.len() > 9 && digits[0] == 0 && digits[1] == 0 && is_international(&digits[2..]) {
        hits.tell(Signal::PhoneInternational);
        return;
    }
    if shape.only(DIGIT) {
        hits.tell_if(Signal::PhoneBare, (7..=13).contains(&digits.len()));
        // A leading zero, of which numbers filled up with zeros have several.
        let trunk = matches!(digits.len(), 10 | 11) && digits[0] == 0 && digits[1] != 0;
        hits.tell_if(Signal::PhoneLoose, trunk);
        return;
    }
    match Groups::of(text) {
        Some(groups) if groups.is_national(text, digits) => hits.tell(Signal::PhoneNational),
        Some(groups) if groups.is_loose(digits) => hits.tell(Signal::PhoneLoose),
        Some(_) | None => {}
    }
}

/// Lengths of the runs of digits.
struct Groups {
    lengths: [usize; 7],
    count: usize,
    dots: usize,
    parentheses: bool,
}

impl Groups {
    /// None: too many, or separators follow each other as in no number.
    fn of(text: &str) -> Option<Self> {
        let mut groups = Self { lengths: [0; 7], count: 0, dots: 0, parentheses: false };
        let mut before = b'(';
        for byte in text.bytes() {
            if byte.is_ascii_digit() {
                if !before.is_ascii_digit() {
                    groups.count += 1;
                }
                *groups.lengths.get_mut(groups.count.checked_sub(1)?)? += 1;
            } else {
                groups.dots += usize::from(byte == b'.');
                groups.parentheses |= byte == b'(';
                let doubled = byte == before && byte != b' ';
                if doubled && groups.count > 0 {
                    return None;
                }
            }
            before = byte;
        }
        before.is_ascii_digit().then_some(groups)
    }

    fn lengths(&self) -> &[usize] {
        &self.lengths[..self.count]
    }

    /// An area code in parentheses, a leading zero, or groups as in North America.
    fn is_national(&self, text: &str, digits: &[u8]) -> bool {
        let lengths = self.lengths();
        // Social security numbers, and the parts of a decimal number.
        if lengths == [3, 2, 4] || self.dots == 1 && lengths.len() == 2 {
            return false;
        }
        if self.parentheses {
            return text.starts_with('(') || digits[0] == 0 || digits[0] == 1;
        }
        match lengths {
            [3, 3, 4] => is_north_american(digits) || digits[0] == 0,
            [1, 3, 3, 4] => digits[0] == 1 && is_north_american(&digits[1..]),
            [3, 4] => false,
            [first, ..] => {
                digits[0] == 0 && digits[1] != 0 && (2..=5).contains(first) && digits.len() >= 8
            }
            [] => false,
        }
    }

    /// Nothing of that, yet groups of two to five.
    fn is_loose(&self, digits: &[u8]) -> bool {
        let lengths = self.lengths();
        let dotted_address = self.dots == 3 && lengths.len() == 4 && lengths.contains(&3);
        lengths.len() >= 2
            && lengths != [3, 2, 4]
            && !dotted_address
            && !(self.dots == 1 && lengths.len() == 2)
            && (7..=13).contains(&digits.len())
            && lengths.iter().all(|length| (1..=8).contains(length))
            && lengths.iter().filter(|length| **length == 1).count() <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    /// Numbers that regulators set aside for films and books, among others.
    #[test]
    fn numbers_with_a_country_code() {
        for phone in [
            "+44 20 7946 0958",
            "+1 (202) 555-0143",
            "+49 30 23125 000",
            "+33199001234",
            "0049 30 23125000",
            "+358 50 123 4567",
            "+353 20 912 1234",
            "+81-3-1234-5678",
            "+1-202-555-0143 x12",
            "(+351) 212345678",
            "+44 (0)20 7946 0958",
        ] {
            assert!(look(phone).has(Signal::PhoneInternational), "{phone}");
        }
        for other in
            ["+1 123", "+999 123 4567", "+5", "1+2+3456789", "+1 111 111 1111", "+210 1234567"]
        {
            assert!(!look(other).has(Signal::PhoneInternational), "{other}");
        }
    }

    #[test]
    fn numbers_as_countries_write_them() {
        for phone in [
            "(202) 555-0143",
            "202-555-0143",
            "202.555.0143",
            "030/23125-000",
            "020 7946 0958",
            "01 99 00 12 34",
            "01.99.00.12.34",
            "(030) 23125000",
            "1-800-555-0199",
            "030-0074321",
            "(202) 555-0143 ext. 12",
            "(5) 555-4729",
        ] {
            let hits = look(phone);
            assert!(hits.has(Signal::PhoneNational), "{phone}");
        }
        assert!(look("555-0143").has(Signal::PhoneLoose));
        assert!(look("2025550143").has(Signal::PhoneBare));
    }

    #[test]
    fn other_numbers_with_separators() {
        for other in [
            "078-05-1120",
            "192.168.100.200",
            "1234567.89",
            "2024-01-31",
            "12.30",
            "1,234,567",
            "978-3-16-148410-0",
            "10-20",
            "1--2345678",
            "-73.98765",
            "3.14159265",
        ] {
            let hits = look(other);
            assert!(
                !hits.has(Signal::PhoneNational) && !hits.has(Signal::PhoneInternational),
                "{other}"
            );
        }
        assert!(!look("-73.98765").has(Signal::PhoneLoose));
    }
}
