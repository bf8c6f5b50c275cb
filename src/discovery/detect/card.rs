//! Payment cards: ISO/IEC 7812 with the ranges of known issuers.

use super::digits::{Digits, luhn, number};
use super::shape::{DIGIT, DOT, SLASH, Shape};
use super::{Hits, Signal};

pub(super) fn look(shape: &Shape<'_>, hits: &mut Hits) {
    if shape.any(DOT | SLASH) {
        return;
    }
    let Some(digits) = Digits::of(shape.text) else { return };
    let digits = digits.as_slice();
    if digits.len() == 15 && is_device(digits) {
        hits.tell_if(Signal::Imei, luhn(digits));
    }
    if !is_issued(digits) || !(shape.only(DIGIT) || is_grouped(shape.text)) {
        return;
    }
    hits.tell(Signal::CardShaped);
    hits.tell_if(Signal::Card, luhn(digits));
}

/// Whether issuers give out numbers of this length with this beginning: Visa, Mastercard, American
/// Express, Discover, Diners, JCB, UnionPay, Maestro, Mir, RuPay, Troy, Elo.
pub(super) fn is_issued(digits: &[u8]) -> bool {
    let len = digits.len();
    if !(13..=19).contains(&len) {
        return false;
    }
    let (two, four) = (number(&digits[..2]), number(&digits[..4]));
    let lengths = match (digits[0], two, four) {
        (4, _, _) => 13..=19,
        (_, 34 | 37, _) | (_, _, 1800 | 2131) => 15..=15,
        (_, 51..=55, _) | (_, _, 2221..=2720) => 16..=16,
        (_, 36 | 38 | 39, _) | (_, _, 3000..=3059 | 3095) => 14..=16,
        (_, _, 3528..=3589) => 16..=19,
        (_, 65 | 60 | 81, _) | (_, _, 6440..=6499 | 6200..=6288 | 2200..=2205) => 16..=19,
        (_, _, 5018 | 5020 | 5038 | 5893 | 6304 | 6390 | 6759 | 6761..=6763) => 13..=19,
        _ => return false,
    };
    // Visa's have 13, 16 or 19.
    lengths.contains(&len) && (digits[0] != 4 || matches!(len, 13 | 16 | 19))
}

/// Type allocation codes of IMEIs begin with a reporting body's number (GSMA TS.06).
fn is_device(digits: &[u8]) -> bool {
    matches!(number(&digits[..2]), 1 | 35 | 86 | 91 | 98 | 99)
}

/// In groups of four, or as American Express and Diners write them; separated alike.
fn is_grouped(text: &str) -> bool {
    let separator = if text.contains(' ') { ' ' } else { '-' };
    let mut groups = [0; 6];
    for (place, group) in text.split(separator).enumerate() {
        let Some(slot) = groups.get_mut(place) else { return false };
        if !group.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        *slot = group.len();
    }
    matches!(groups, [4, 4, 4, 4, 0..=3, 0] | [4, 6, 4 | 5, 0, 0, 0] | [4, 4, 4, 1, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    /// Test numbers that card networks and payment providers publish.
    #[test]
    fn published_test_numbers_are_cards() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "30569309025904",
            "3530111333300000",
            "6200000000000005",
            "4222222222222",
        ] {
            assert!(look(card).has(Signal::Card), "{card}");
        }
    }

    #[test]
    fn other_numbers_are_none() {
        for other in [
            "4111111111111112",
            "1234567890123452",
            "41111111 11111111",
            "4006381333931",
            "9780306406157",
            "20240131123456",
            "4111.1111.1111.1111",
            "6299000000000000",
            "6299000000000018",
        ] {
            assert!(!look(other).has(Signal::Card), "{other}");
        }
        // An IMEI passes Luhn, yet no issuer has its beginning.
        assert!(look("490154203237518").signals().next().is_some());
        assert!(look("356938035643809").has(Signal::Imei));
        assert!(!look("356938035643809").has(Signal::Card));
    }
}
