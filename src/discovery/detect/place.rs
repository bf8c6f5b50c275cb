//! Streets, postal codes, coordinates.

use super::names::{STREET, STREET_SUFFIX, look_up};
use super::shape::{COMMA, DASH, DIGIT, DOT, LETTER, PLUS, SPACE, Shape, WIDE};
use super::{Hits, Signal, script};

/// Ends of words that are a street by themselves: Hauptstraße, Kerkstraat, Storgatan.
const ENDINGS: &[&str] = &[
    "straße", "strasse", "str", "gasse", "platz", "allee", "weg", "damm", "ufer", "ring",
    "chaussee", "straat", "laan", "plein", "gracht", "kade", "singel", "dijk", "gatan", "vägen",
    "gade", "vej", "gata", "veien", "vegen", "katu", "tie", "utca", "steig", "markt",
];

const ENDING_WORD_LEN_MIN: usize = 7;

/// A word for a street, and whether a number stands beside it.
pub(super) fn look_at_streets(shape: &Shape<'_>, hits: &mut Hits) {
    if shape.digits > 14 {
        return;
    }
    let (mut street, mut words, mut starts_with_number) = (false, 0, false);
    for (place, word) in shape.text.split([' ', ',', ';', '\n']).enumerate() {
        let word = word.trim_matches(['.', '(', ')', '#']);
        if word.is_empty() {
            continue;
        }
        if place == 0 {
            starts_with_number = house_number(word);
        }
        words += usize::from(!word.bytes().all(|byte| byte.is_ascii_digit()));
        street |= is_street(word)
            || starts_with_number && words >= 2 && look_up(word) & STREET_SUFFIX != 0;
    }
    let number = shape.any(DIGIT);
    if street && words >= 1 {
        hits.tell_if(Signal::Street, number && shape.spaces >= 1);
        hits.tell_if(Signal::StreetWord, !number);
        return;
    }
    if number
        && (shape.any(WIDE) && script::is_address(shape.text) || has_house_and_code(shape.text))
    {
        hits.tell(Signal::Street);
        return;
    }
    // What is left: a number before two words, "1913 Hanoi Central", or behind a comma.
    let plain = shape.only(DIGIT | LETTER | WIDE | SPACE | DOT | COMMA | DASH);
    let behind_a_comma = shape.text.split(", ").skip(1).any(house_number);
    let fits = plain && words >= 2 && number && (starts_with_number || behind_a_comma);
    hits.tell_if(Signal::StreetWord, fits);
}

/// `Bergemoen 72, 1583 Mathiasfjord`: a word, the number of a house, a postal code, a word.
fn has_house_and_code(text: &str) -> bool {
    let capitalized = |word: &str| word.starts_with(char::is_uppercase);
    let (mut before, mut house, mut code) = ("", false, 0);
    for word in text.split([' ', ',', '\n']).filter(|word| !word.is_empty()) {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        if house && (4..=8).contains(&code) && capitalized(word) {
            return true;
        }
        let numeric = digits > 0 && digits + 1 >= word.len();
        if !house && numeric && digits <= 4 && capitalized(before) {
            house = true;
        } else if house && digits == word.len() || house && numeric && word.contains('-') {
            code += digits;
        } else {
            code = 0;
        }
        before = word;
    }
    false
}

/// `12`, `12a`, `12-14`, `12/3`.
fn house_number(word: &str) -> bool {
    word.len() <= 7
        && word.starts_with(|c: char| c.is_ascii_digit())
        && word.bytes().filter(u8::is_ascii_alphabetic).count() <= 1
}

fn is_street(word: &str) -> bool {
    look_up(word) & STREET != 0
        || word.len() >= ENDING_WORD_LEN_MIN
            && ENDINGS.iter().any(|end| {
                let start = word.len().saturating_sub(end.len());
                word.is_char_boundary(start) && word[start..].eq_ignore_ascii_case(end)
            })
}

/// Four to six digits, or an American ZIP+4; Brazil's, Poland's, Portugal's, Japan's.
pub(super) fn look_at_postal_digits(shape: &Shape<'_>, hits: &mut Hits) {
    if shape.len() > 10 || !shape.only(DIGIT | DASH | SPACE) {
        return;
    }
    let text = shape.text.as_bytes();
    let hyphen = text.iter().position(|byte| *byte == b'-');
    let spaced = text.iter().position(|byte| *byte == b' ');
    let fits = match (hyphen, spaced, text.len()) {
        (None, None, length) => (4..=6).contains(&length),
        (Some(5), None, 9 | 10) | (Some(2), None, 6) | (Some(4), None, 8) | (Some(3), None, 8) => {
            shape.digits + 1 == text.len()
        }
        (None, Some(3), 6) => shape.digits == 5,
        _ => false,
    };
    hits.tell_if(Signal::PostalDigits, fits);
}

/// Formats of countries whose codes have letters.
pub(super) fn look_at_postal_format(shape: &Shape<'_>, hits: &mut Hits) {
    if !shape.only(DIGIT | LETTER | SPACE | DASH) {
        return;
    }
    let mut pattern = [0; 10];
    for (place, byte) in shape.text.bytes().enumerate() {
        pattern[place] = match byte {
            b'0'..=b'9' => b'9',
            b'A'..=b'Z' => b'A',
            b'a'..=b'z' => b'a',
            b'-' => b'-',
            _ => b' ',
        };
    }
    let fits = matches!(
        &pattern[..shape.len()],
        // British
        b"A9 9AA" | b"A99 9AA" | b"AA9 9AA" | b"AA99 9AA" | b"A9A 9AA" | b"AA9A 9AA"
        // Canadian
            | b"A9A 9A9"
        // Dutch
            | b"9999 AA"
        // Swedish, Finnish, German and others with a country's letters
            | b"A-9999" | b"A-99999" | b"AA-9999" | b"AA-99999"
            | b"A-999 99"
    );
    hits.tell_if(Signal::PostalFormat, fits);
}

/// Least number of decimals of a place that is somebody's: about 100 metres.
const DECIMALS_MIN: usize = 3;

/// A latitude or longitude, or both.
pub(super) fn look_at_coordinates(shape: &Shape<'_>, hits: &mut Hits) {
    if shape.len() > 44 || !shape.only(DIGIT | DOT | DASH | COMMA | SPACE | PLUS | super::PAREN) {
        return;
    }
    let text = shape.text.trim_matches(['(', ')']);
    match text.split_once([',', ' ']) {
        None => hits.tell_if(Signal::Latitude, degrees(text).is_some_and(|d| d.abs() <= 180.0)),
        Some((first, second)) => {
            let pair = degrees(first.trim()).zip(degrees(second.trim_matches([',', ' '])));
            let fits = pair.is_some_and(|(first, second)| {
                first.abs() <= 90.0 && second.abs() <= 180.0
                    || first.abs() <= 180.0 && second.abs() <= 90.0
            });
            hits.tell_if(Signal::CoordinatePair, fits);
        }
    }
}

fn degrees(text: &str) -> Option<f64> {
    let (_, decimals) = text.split_once('.')?;
    if decimals.len() < DECIMALS_MIN {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    #[test]
    fn streets_of_several_countries() {
        for address in [
            "10 Downing Street",
            "1600 Pennsylvania Ave. NW",
            "Unter den Linden 77, Platz",
            "Hauptstraße 12a",
            "12, rue de Rivoli",
            "Via Roma 1",
            "Calle Mayor 5",
            "ul. Długa 7",
            "Kerkstraat 3",
            "Bergemoen 72, 1583 Mathiasfjord",
            "Dolni 954 563 38 Bystrice",
            "Storgatan 18",
            "P.O. Box 123",
            "Obere Str. 57",
        ] {
            assert!(look(address).has(Signal::Street), "{address}");
        }
        for other in [
            "Canon 70 Body",
            "Windows 10 Pro 2004",
            "Version 2.0 final",
            "Chapter 3",
            "Abbey Road",
            "Model X 200",
            "3 apples",
        ] {
            assert!(!look(other).has(Signal::Street), "{other}");
        }
        assert!(look("1913 Hanoi Central").has(Signal::StreetWord));
    }

    #[test]
    fn postal_codes_by_their_format() {
        for code in ["SW1A 2AA", "K1A 0B1", "1012 AB", "M1 1AE"] {
            assert!(look(code).has(Signal::PostalFormat), "{code}");
        }
        for code in ["10115", "20500-0003", "00-950", "1000-205", "150-0001", "114 55"] {
            assert!(look(code).has(Signal::PostalDigits), "{code}");
        }
        assert!(!look("AB-123-CD").has(Signal::PostalFormat));
    }

    #[test]
    fn places_and_prices() {
        assert!(look("52.5200, 13.4050").has(Signal::CoordinatePair));
        assert!(look("(52.5200,13.4050)").has(Signal::CoordinatePair));
        assert!(look("-33.8688").has(Signal::Latitude));
        for other in ["52.50", "1234.5678", "52.5", "181.0000"] {
            assert!(!look(other).has(Signal::Latitude), "{other}");
        }
    }
}
