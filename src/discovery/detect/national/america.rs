//! The Americas.

use super::super::digits::{luhn, number, weighted, yymmdd};
use super::{
    Alphabet, COMMON, Candidate, ELEVENTH, Fit, HUNDREDTH, OWN, STRUCTURED, Scheme, TENTH, length,
};
use crate::discovery::Country;

pub(super) const SCHEMES: &[Scheme] = &[
    Scheme {
        country: Country("US"),
        plural: "US social security numbers",
        lengths: length(9),
        alphabet: Alphabet::Digits,
        // No check digit: the hyphens in their places are what speaks.
        chance: 0.02,
        weight: 0.8,
        check: social_security,
    },
    Scheme {
        country: Country("CA"),
        plural: "Canadian social insurance numbers",
        lengths: length(9),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: COMMON,
        check: social_insurance,
    },
    Scheme {
        country: Country("BR"),
        plural: "Brazilian CPF numbers",
        lengths: length(11),
        alphabet: Alphabet::Digits,
        chance: HUNDREDTH,
        weight: STRUCTURED,
        check: cpf,
    },
    Scheme {
        country: Country("MX"),
        plural: "Mexican CURP numbers",
        lengths: length(18),
        alphabet: Alphabet::Letters,
        chance: TENTH,
        weight: STRUCTURED,
        check: curp,
    },
    Scheme {
        country: Country("AR"),
        plural: "Argentine CUIL numbers",
        lengths: length(11),
        alphabet: Alphabet::Digits,
        chance: ELEVENTH,
        weight: OWN,
        check: cuil,
    },
    Scheme {
        country: Country("CL"),
        plural: "Chilean RUN numbers",
        lengths: length(8) | length(9),
        alphabet: Alphabet::Letters,
        chance: ELEVENTH,
        weight: OWN,
        check: run,
    },
];

/// Areas 000, 666 and from 900 on, group 00 and serial 0000 were never given out.
fn social_security(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    let (area, group) = (number(&digits[..3]), number(&digits[3..5]));
    if area == 0 || area == 666 || area >= 900 || group == 0 || number(&digits[5..]) == 0 {
        return Fit::No;
    }
    Fit::checked(candidate.reads("999-99-9999") || candidate.reads("999 99 9999"))
}

fn social_insurance(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if matches!(digits[0], 0 | 8) {
        return Fit::No;
    }
    Fit::checked(luhn(digits))
}

fn cpf(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if digits.iter().all(|digit| *digit == digits[0]) {
        return Fit::No;
    }
    let check = |weights: &[u32]| (weighted(digits, weights) * 10 % 11 % 10) as u8;
    Fit::checked(
        check(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[9]
            && check(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[10],
    )
}

fn curp(candidate: &Candidate<'_>) -> Fit {
    let text = candidate.compact();
    let shaped = text[..4].iter().all(u8::is_ascii_uppercase)
        && text[4..10].iter().all(u8::is_ascii_digit)
        && matches!(text[10], b'H' | b'M' | b'X')
        && text[11..16].iter().all(u8::is_ascii_uppercase)
        && text[17].is_ascii_digit()
        && yymmdd(&candidate.digits()[..6]);
    if !shaped {
        return Fit::No;
    }
    // Its alphabet has Ñ after N.
    let sum: u32 = text[..17]
        .iter()
        .zip((2..=18).rev())
        .map(|(&byte, weight)| {
            weight
                * match byte {
                    b'0'..=b'9' => u32::from(byte - b'0'),
                    b'A'..=b'N' => u32::from(byte - b'A') + 10,
                    byte => u32::from(byte - b'A') + 11,
                }
        })
        .sum();
    Fit::checked((10 - sum % 10) % 10 == u32::from(text[17] - b'0'))
}

fn cuil(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if !matches!(number(&digits[..2]), 20 | 23 | 24 | 25 | 26 | 27) {
        return Fit::No;
    }
    let check = match 11 - weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => 0,
        10 => 9,
        check => check,
    };
    Fit::checked(check == u32::from(digits[10]))
}

/// Only with the hyphen before the check character: bare digits are too many other things.
fn run(candidate: &Candidate<'_>) -> Fit {
    let text = candidate.compact();
    let Some((&check, body)) = text.split_last() else { return Fit::No };
    let hyphen = candidate.raw.len().checked_sub(2).and_then(|place| candidate.written(place));
    if hyphen != Some(b'-') || !body.iter().all(u8::is_ascii_digit) {
        return Fit::No;
    }
    let sum: u32 = body
        .iter()
        .rev()
        .zip([2, 3, 4, 5, 6, 7].into_iter().cycle())
        .map(|(&byte, weight)| u32::from(byte - b'0') * weight)
        .sum();
    Fit::checked(b"0K987654321"[(sum % 11) as usize] == check)
}
