//! Asia, Africa and Australia.

use super::super::digits::{luhn, month_and_day, number, verhoeff, weighted, yymmdd};
use super::{Alphabet, COMMON, Candidate, ELEVENTH, Fit, OWN, STRUCTURED, Scheme, TENTH, length};
use crate::discovery::Country;

pub(super) const SCHEMES: &[Scheme] = &[
    Scheme {
        country: Country("IN"),
        plural: "Indian Aadhaar numbers",
        lengths: length(12),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: OWN,
        check: aadhaar,
    },
    Scheme {
        country: Country("IN"),
        plural: "Indian permanent account numbers (PAN)",
        lengths: length(10),
        alphabet: Alphabet::Letters,
        // No check digit: that a person's has a P in its place is what speaks.
        chance: 1.0 / 26.0,
        weight: 0.75,
        check: permanent_account,
    },
    Scheme {
        country: Country("CN"),
        plural: "Chinese resident identity numbers",
        lengths: length(18),
        alphabet: Alphabet::Letters,
        chance: ELEVENTH,
        weight: STRUCTURED,
        check: chinese,
    },
    Scheme {
        country: Country("JP"),
        plural: "Japanese individual numbers (My Number)",
        lengths: length(12),
        alphabet: Alphabet::Digits,
        chance: ELEVENTH,
        weight: OWN,
        check: japanese,
    },
    Scheme {
        country: Country("KR"),
        plural: "Korean resident registration numbers",
        lengths: length(13),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: STRUCTURED,
        check: korean,
    },
    Scheme {
        country: Country("TH"),
        plural: "Thai identity numbers",
        lengths: length(13),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: OWN,
        check: thai,
    },
    Scheme {
        country: Country("SG"),
        plural: "Singaporean NRIC numbers",
        lengths: length(9),
        alphabet: Alphabet::Letters,
        chance: ELEVENTH,
        weight: STRUCTURED,
        check: singaporean,
    },
    Scheme {
        country: Country("TW"),
        plural: "Taiwanese identity numbers",
        lengths: length(10),
        alphabet: Alphabet::Letters,
        chance: TENTH,
        weight: STRUCTURED,
        check: taiwanese,
    },
    Scheme {
        country: Country("IL"),
        plural: "Israeli identity numbers",
        lengths: length(9),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: COMMON,
        check: israeli,
    },
    Scheme {
        country: Country("ZA"),
        plural: "South African identity numbers",
        lengths: length(13),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: STRUCTURED,
        check: south_african,
    },
    Scheme {
        country: Country("AU"),
        plural: "Australian tax file numbers",
        lengths: length(9),
        alphabet: Alphabet::Digits,
        chance: ELEVENTH,
        weight: OWN,
        check: tax_file,
    },
    Scheme {
        country: Country("AU"),
        plural: "Australian Medicare numbers",
        lengths: length(10) | length(11),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: OWN,
        check: medicare,
    },
];

fn aadhaar(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if digits[0] < 2 {
        return Fit::No;
    }
    Fit::checked(verhoeff(digits))
}

fn permanent_account(candidate: &Candidate<'_>) -> Fit {
    if !candidate.compact_reads("AAAAA9999A") {
        return Fit::No;
    }
    Fit::checked(candidate.compact()[3] == b'P')
}

/// GB 11643-1999.
fn chinese(candidate: &Candidate<'_>) -> Fit {
    let text = candidate.compact();
    let (body, check) = text.split_at(17);
    if !body.iter().all(u8::is_ascii_digit) || !matches!(check[0], b'0'..=b'9' | b'X') {
        return Fit::No;
    }
    let digits = candidate.digits();
    let born = number(&digits[6..10]);
    if !(1850..2100).contains(&born)
        || !month_and_day(number(&digits[10..12]), number(&digits[12..14]))
    {
        return Fit::No;
    }
    let sum = weighted(digits, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    Fit::checked(b"10X98765432"[(sum % 11) as usize] == check[0])
}

fn japanese(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    let check = match weighted(digits, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    Fit::checked(check == u32::from(digits[11]))
}

fn korean(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if !yymmdd(digits) {
        return Fit::No;
    }
    let sum = weighted(digits, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    Fit::checked((11 - sum % 11) % 10 == u32::from(digits[12]))
}

fn thai(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if !matches!(digits[0], 1..=8) {
        return Fit::No;
    }
    let sum = weighted(digits, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    Fit::checked((11 - sum % 11) % 10 == u32::from(digits[12]))
}

fn singaporean(candidate: &Candidate<'_>) -> Fit {
    let text = candidate.compact();
    if !candidate.compact_reads("A9999999A") {
        return Fit::No;
    }
    let (offset, letters) = match text[0] {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        _ => return Fit::No,
    };
    let sum = offset + weighted(candidate.digits(), &[2, 7, 6, 5, 4, 3, 2]);
    Fit::checked(letters[(sum % 11) as usize] == text[8])
}

fn taiwanese(candidate: &Candidate<'_>) -> Fit {
    /// What the letter of the place of registration counts as.
    const PLACES: &[u8; 26] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let text = candidate.compact();
    if !candidate.compact_reads("A999999999") || !matches!(text[1], b'1' | b'2' | b'8' | b'9') {
        return Fit::No;
    }
    let Some(place) = PLACES.iter().position(|place| *place == text[0]) else { return Fit::No };
    let place = place as u32 + 10;
    let sum =
        place / 10 + place % 10 * 9 + weighted(candidate.digits(), &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    Fit::checked(sum.is_multiple_of(10))
}

fn israeli(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if digits.iter().all(|digit| *digit == 0) {
        return Fit::No;
    }
    Fit::checked(luhn(digits))
}

fn south_african(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if !yymmdd(digits) || digits[10] > 2 {
        return Fit::No;
    }
    Fit::checked(luhn(digits))
}

fn tax_file(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    Fit::checked(weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11))
}

/// Nine digits with a check digit, the number of the card's issue and that of a person on it.
fn medicare(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if !matches!(digits[0], 2..=6) || digits[9] == 0 {
        return Fit::No;
    }
    let sum = weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9]);
    Fit::checked(sum % 10 == u32::from(digits[8]))
}
