//! Digits without their separators, and the check digits that many numbers share.

/// Longest number that is looked at: 19 digits of a card, 18 of a Chinese identity card.
const DIGITS_MAX: usize = 24;

/// A number's digits, as values from 0 to 9.
#[derive(Clone, Copy)]
pub(super) struct Digits {
    buffer: [u8; DIGITS_MAX],
    len: usize,
}

impl Digits {
    /// The digits of a text, whatever stands between them; None if there are too many.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut digits = Self { buffer: [0; DIGITS_MAX], len: 0 };
        for byte in text.bytes().filter(u8::is_ascii_digit) {
            *digits.buffer.get_mut(digits.len)? = byte - b'0';
            digits.len += 1;
        }
        Some(digits)
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

/// Digits read as a number.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |sum: u64, &digit| sum.wrapping_mul(10).wrapping_add(u64::from(digit)))
}

/// ISO/IEC 7812-1 annex B.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, u32::from(digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The sum of digits times weights; digits without a weight do not count.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(&digit, &weight)| u32::from(digit) * weight).sum()
}

/// ISO/IEC 7064, MOD 11,10, of the German tax number and the Croatian OIB: over all digits, the
/// check digit last.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((&check, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, &digit| {
        let sum = match (u32::from(digit) + product) % 10 {
            0 => 10,
            sum => sum,
        };
        sum * 2 % 11
    });
    (11 - product) % 10 == u32::from(check)
}

/// Verhoeff's scheme, of the Indian Aadhaar: over all digits, the check digit last.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0, |sum, (place, &digit)| {
        let permuted = PERMUTATIONS[place % 8][usize::from(digit)];
        PRODUCTS[usize::from(sum)][usize::from(permuted)]
    });
    sum == 0
}

/// The dihedral group D5.
const PRODUCTS: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];

const PERMUTATIONS: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

/// Whether month and day can be a date's; the year is not known or does not matter.
pub(super) fn month_and_day(month: u64, day: u64) -> bool {
    (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// Whether six digits at the start are a year's last two, a month and a day.
pub(super) fn yymmdd(digits: &[u8]) -> bool {
    digits.len() >= 6 && month_and_day(number(&digits[2..4]), number(&digits[4..6]))
}

/// Whether six digits at the start are a day, a month and a year's last two.
pub(super) fn ddmmyy(digits: &[u8]) -> bool {
    digits.len() >= 6 && month_and_day(number(&digits[2..4]), number(&digits[..2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Digits {
        Digits::of(text).expect("few digits")
    }

    /// The example of ISO/IEC 7812-1's annex and one digit off.
    #[test]
    fn luhn_tells_a_wrong_digit() {
        assert!(luhn(digits("7992 7398 713").as_slice()));
        assert!(!luhn(digits("7992 7398 714").as_slice()));
    }

    /// 236 gets the check digit 3: the example of Verhoeff's own dissertation.
    #[test]
    fn verhoeff_tells_a_wrong_digit_and_a_swap() {
        assert!(verhoeff(digits("2363").as_slice()));
        assert!(!verhoeff(digits("2364").as_slice()));
        assert!(!verhoeff(digits("3263").as_slice()));
    }

    /// The example of ISO/IEC 7064 for MOD 11,10: 0794 gets the check digit 5.
    #[test]
    fn mod_11_10_tells_a_wrong_digit() {
        assert!(mod_11_10(digits("07945").as_slice()));
        assert!(!mod_11_10(digits("07946").as_slice()));
    }

    #[test]
    fn too_many_digits_are_no_number() {
        assert!(Digits::of(&"1".repeat(25)).is_none());
    }
}
