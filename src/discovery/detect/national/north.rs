//! The Nordic and Baltic countries.

use super::super::digits::{ddmmyy, luhn, number, weighted, yymmdd};
use super::{Alphabet, Candidate, ELEVENTH, Fit, STRUCTURED, Scheme, TENTH, length};
use crate::discovery::Country;

pub(super) const SCHEMES: &[Scheme] = &[
    Scheme {
        country: Country("SE"),
        plural: "Swedish personal identity numbers",
        lengths: length(10) | length(12),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: STRUCTURED,
        check: swedish,
    },
    Scheme {
        country: Country("NO"),
        plural: "Norwegian birth numbers",
        lengths: length(11),
        alphabet: Alphabet::Digits,
        chance: 1.0 / 121.0,
        weight: STRUCTURED,
        check: norwegian,
    },
    Scheme {
        country: Country("DK"),
        plural: "Danish CPR numbers",
        lengths: length(10),
        alphabet: Alphabet::Digits,
        // No check digit since 2007: a date and a hyphen in its place are what speaks.
        chance: 0.05,
        weight: 0.65,
        check: danish,
    },
    Scheme {
        country: Country("FI"),
        plural: "Finnish personal identity codes",
        lengths: length(10) | length(11),
        alphabet: Alphabet::Letters,
        chance: 1.0 / 31.0,
        weight: STRUCTURED,
        check: finnish,
    },
    Scheme {
        country: Country("EE"),
        plural: "Estonian or Lithuanian personal codes",
        lengths: length(11),
        alphabet: Alphabet::Digits,
        chance: ELEVENTH,
        weight: STRUCTURED,
        check: baltic,
    },
];

/// Co-ordination numbers add 60 to the day.
fn swedish(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    let ten = match digits.len() {
        12 if !matches!(number(&digits[..2]), 18..=20) => return Fit::No,
        12 => &digits[2..],
        _ => digits,
    };
    let day = number(&ten[4..6]);
    let shaped = matches!(number(&ten[2..4]), 1..=12) && matches!(day, 1..=31 | 61..=91);
    if !shaped {
        return Fit::No;
    }
    Fit::checked(luhn(ten))
}

/// D numbers add 40 to the day.
fn norwegian(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    let day = number(&digits[..2]);
    if !matches!(number(&digits[2..4]), 1..=12) || !matches!(day, 1..=31 | 41..=71) {
        return Fit::No;
    }
    Fit::checked(
        weighted(digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
            && weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11),
    )
}

fn danish(candidate: &Candidate<'_>) -> Fit {
    if !ddmmyy(candidate.digits()) {
        return Fit::No;
    }
    Fit::checked(candidate.reads("999999-9999"))
}

/// The sign of the century is part of it; `-` is one.
fn finnish(candidate: &Candidate<'_>) -> Fit {
    let raw = candidate.raw.as_bytes();
    let shaped = raw.len() == 11
        && raw[..6].iter().all(u8::is_ascii_digit)
        && matches!(raw[6], b'-' | b'+' | b'A'..=b'F' | b'U'..=b'Y')
        && raw[7..10].iter().all(u8::is_ascii_digit)
        && raw[10].is_ascii_alphanumeric()
        && ddmmyy(&candidate.digits()[..6]);
    if !shaped {
        return Fit::No;
    }
    let rest = number(&candidate.digits()[..9]) % 31;
    Fit::checked(b"0123456789ABCDEFHJKLMNPRSTUVWXY"[rest as usize] == raw[10].to_ascii_uppercase())
}

fn baltic(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if !matches!(digits[0], 1..=8) || !yymmdd(&digits[1..7]) {
        return Fit::No;
    }
    let check = match weighted(digits, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
        10 => weighted(digits, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        check => check,
    };
    Fit::checked(check == u32::from(digits[10]))
}
