//! Central and eastern Europe, and Turkey.

use super::super::digits::{mod_11_10, month_and_day, number, weighted};
use super::{
    Alphabet, Candidate, ELEVENTH, Fit, HUNDREDTH, OWN, STRUCTURED, Scheme, TENTH, length,
};
use crate::discovery::Country;

pub(super) const SCHEMES: &[Scheme] = &[
    Scheme {
        country: Country("PL"),
        plural: "Polish PESEL numbers",
        lengths: length(11),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: STRUCTURED,
        check: polish,
    },
    Scheme {
        country: Country("CZ"),
        plural: "Czech or Slovak birth numbers",
        lengths: length(10),
        alphabet: Alphabet::Digits,
        chance: ELEVENTH,
        weight: STRUCTURED,
        check: czech,
    },
    Scheme {
        country: Country("RO"),
        plural: "Romanian CNP numbers",
        lengths: length(13),
        alphabet: Alphabet::Digits,
        chance: ELEVENTH,
        weight: STRUCTURED,
        check: romanian,
    },
    Scheme {
        country: Country("BG"),
        plural: "Bulgarian EGN numbers",
        lengths: length(10),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: STRUCTURED,
        check: bulgarian,
    },
    Scheme {
        country: Country("HR"),
        plural: "Croatian OIB numbers",
        lengths: length(11),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: OWN,
        check: croatian,
    },
    Scheme {
        country: Country("RS"),
        plural: "JMBG numbers of Serbia and its neighbours",
        lengths: length(13),
        alphabet: Alphabet::Digits,
        chance: ELEVENTH,
        weight: STRUCTURED,
        check: serbian,
    },
    Scheme {
        country: Country("TR"),
        plural: "Turkish identity numbers",
        lengths: length(11),
        alphabet: Alphabet::Digits,
        chance: HUNDREDTH,
        weight: STRUCTURED,
        check: turkish,
    },
];

/// The month tells the century: 80, 20, 40 or 60 are added to it.
fn polish(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if !month_and_day(number(&digits[2..4]) % 20, number(&digits[4..6])) {
        return Fit::No;
    }
    Fit::checked(weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10))
}

/// Women's months have 50 added and, where numbers ran out, 20 more.
fn czech(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    let month = match number(&digits[2..4]) {
        month @ 50.. => month - 50,
        month => month,
    };
    let month = if month > 20 { month - 20 } else { month };
    if !month_and_day(month, number(&digits[4..6])) {
        return Fit::No;
    }
    let rest = number(&digits[..9]) % 11 % 10;
    Fit::checked(rest == u64::from(digits[9]))
}

fn romanian(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if digits[0] == 0 || !month_and_day(number(&digits[3..5]), number(&digits[5..7])) {
        return Fit::No;
    }
    let check = match weighted(digits, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11 {
        10 => 1,
        check => check,
    };
    Fit::checked(check == u32::from(digits[12]))
}

/// The month tells the century: 20 or 40 are added to it.
fn bulgarian(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    let month = number(&digits[2..4]);
    if month > 52 || !month_and_day(month % 20, number(&digits[4..6])) {
        return Fit::No;
    }
    let check = weighted(digits, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    Fit::checked(check == u32::from(digits[9]))
}

fn croatian(candidate: &Candidate<'_>) -> Fit {
    Fit::checked(mod_11_10(candidate.digits()))
}

fn serbian(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    let born = digits[4];
    if !month_and_day(number(&digits[2..4]), number(&digits[..2])) || !matches!(born, 0 | 8 | 9) {
        return Fit::No;
    }
    let sum = weighted(digits, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    Fit::checked((11 - sum % 11) % 11 == u32::from(digits[12]))
}

fn turkish(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if digits[0] == 0 {
        return Fit::No;
    }
    let odd = weighted(digits, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(digits, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let tenth = (odd * 7 + 100 - even) % 10;
    let eleventh = (odd + even + tenth) % 10;
    Fit::checked(tenth == u32::from(digits[9]) && eleventh == u32::from(digits[10]))
}
