//! Western and southern Europe.

use super::super::digits::{ddmmyy, luhn, mod_11_10, number, weighted};
use super::{
    Alphabet, Candidate, ELEVENTH, Fit, HUNDREDTH, OWN, STRUCTURED, Scheme, TENTH, length,
};
use crate::discovery::Country;

pub(super) const SCHEMES: &[Scheme] = &[
    Scheme {
        country: Country("DE"),
        plural: "German tax identification numbers",
        lengths: length(11),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: STRUCTURED,
        check: german,
    },
    Scheme {
        country: Country("FR"),
        plural: "French social security numbers (NIR)",
        lengths: length(15),
        alphabet: Alphabet::Letters,
        chance: HUNDREDTH,
        weight: STRUCTURED,
        check: french,
    },
    Scheme {
        country: Country("GB"),
        plural: "British national insurance numbers",
        lengths: length(9),
        alphabet: Alphabet::Letters,
        chance: 0.1,
        weight: 0.75,
        check: national_insurance,
    },
    Scheme {
        country: Country("GB"),
        plural: "British NHS numbers",
        lengths: length(10),
        alphabet: Alphabet::Digits,
        chance: ELEVENTH,
        // ISBNs of ten digits have the same check digit.
        weight: 0.55,
        check: health_service,
    },
    Scheme {
        country: Country("IE"),
        plural: "Irish PPS numbers",
        lengths: length(8) | length(9),
        alphabet: Alphabet::Letters,
        chance: 1.0 / 23.0,
        weight: STRUCTURED,
        check: irish,
    },
    Scheme {
        country: Country("ES"),
        plural: "Spanish DNI or NIE numbers",
        lengths: length(9),
        alphabet: Alphabet::Letters,
        chance: 1.0 / 23.0,
        weight: STRUCTURED,
        check: spanish,
    },
    Scheme {
        country: Country("PT"),
        plural: "Portuguese tax numbers (NIF)",
        lengths: length(9),
        alphabet: Alphabet::Digits,
        chance: ELEVENTH,
        weight: 0.55,
        check: portuguese,
    },
    Scheme {
        country: Country("IT"),
        plural: "Italian tax codes",
        lengths: length(16),
        alphabet: Alphabet::Letters,
        chance: 1.0 / 26.0,
        weight: 0.9,
        check: italian,
    },
    Scheme {
        country: Country("NL"),
        plural: "Dutch citizen service numbers (BSN)",
        lengths: length(9),
        alphabet: Alphabet::Digits,
        chance: ELEVENTH,
        weight: OWN,
        check: dutch,
    },
    Scheme {
        country: Country("BE"),
        plural: "Belgian national numbers",
        lengths: length(11),
        alphabet: Alphabet::Digits,
        chance: HUNDREDTH,
        weight: STRUCTURED,
        check: belgian,
    },
    Scheme {
        country: Country("CH"),
        plural: "Swiss AHV numbers",
        lengths: length(13),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: STRUCTURED,
        check: swiss,
    },
    Scheme {
        country: Country("AT"),
        plural: "Austrian social insurance numbers",
        lengths: length(10),
        alphabet: Alphabet::Digits,
        chance: ELEVENTH,
        weight: STRUCTURED,
        check: austrian,
    },
    Scheme {
        country: Country("GR"),
        plural: "Greek AMKA numbers",
        lengths: length(11),
        alphabet: Alphabet::Digits,
        chance: TENTH,
        weight: STRUCTURED,
        check: greek,
    },
];

/// Among the first ten digits one occurs twice or three times, and at least one not at all.
fn german(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    let mut counts = [0_u8; 10];
    for &digit in &digits[..10] {
        counts[usize::from(digit)] += 1;
    }
    let repeated = counts.iter().filter(|&&count| count > 1).count();
    if digits[0] == 0 || repeated != 1 || counts.iter().any(|&count| count > 3) {
        return Fit::No;
    }
    Fit::checked(mod_11_10(digits))
}

/// The key is 97 less the number's remainder; departments 2A and 2B of Corsica count as 19 and 18.
fn french(candidate: &Candidate<'_>) -> Fit {
    let text = candidate.compact();
    let corsica = match &text[5..7] {
        b"2A" => Some(19),
        b"2B" => Some(18),
        _ => None,
    };
    let mut digits = [0; 15];
    for (place, &byte) in text.iter().enumerate() {
        digits[place] = match (byte, corsica, place) {
            (b'0'..=b'9', _, _) => byte - b'0',
            (_, Some(department), 6) => department % 10,
            _ => return Fit::No,
        };
    }
    if corsica.is_some() {
        digits[5] = 1;
    }
    let month = number(&digits[3..5]);
    if !matches!(digits[0], 1..=4 | 7 | 8) || !matches!(month, 1..=12 | 20..=42 | 50..=99) {
        return Fit::No;
    }
    Fit::checked(97 - number(&digits[..13]) % 97 == number(&digits[13..]))
}

fn national_insurance(candidate: &Candidate<'_>) -> Fit {
    let text = candidate.compact();
    if !candidate.compact_reads("AA999999A") {
        return Fit::No;
    }
    let prefix = &text[..2];
    let holds = !prefix.iter().any(|letter| b"DFIQUV".contains(letter))
        && prefix[1] != b'O'
        && ![*b"BG", *b"GB", *b"KN", *b"NK", *b"NT", *b"TN", *b"ZZ"].iter().any(|p| p == prefix)
        && matches!(text[8], b'A'..=b'D');
    Fit::checked(holds)
}

fn health_service(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if digits.iter().all(|digit| *digit == digits[0]) {
        return Fit::No;
    }
    Fit::checked(weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11))
}

fn irish(candidate: &Candidate<'_>) -> Fit {
    let text = candidate.compact();
    if !candidate.compact_reads("9999999A") && !candidate.compact_reads("9999999AA") {
        return Fit::No;
    }
    let second = match text.get(8) {
        Some(b'W') | None => 0,
        Some(letter) => u32::from(letter - b'A') + 1,
    };
    let sum = weighted(candidate.digits(), &[8, 7, 6, 5, 4, 3, 2]) + 9 * second;
    Fit::checked(b"WABCDEFGHIJKLMNOPQRSTUV"[(sum % 23) as usize] == text[7])
}

fn spanish(candidate: &Candidate<'_>) -> Fit {
    let text = candidate.compact();
    let lead = match text[0] {
        b'X' => 0,
        b'Y' => 10_000_000,
        b'Z' => 20_000_000,
        b'0'..=b'9' => u64::from(text[0] - b'0') * 10_000_000,
        _ => return Fit::No,
    };
    if !text[1..8].iter().all(u8::is_ascii_digit) || !text[8].is_ascii_uppercase() {
        return Fit::No;
    }
    let rest = text[1..8].iter().fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0'));
    Fit::checked(b"TRWAGMYFPDXBNJZSQVHLCKE"[((lead + rest) % 23) as usize] == text[8])
}

/// Those of persons begin with 1, 2, 3 or 45.
fn portuguese(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if !matches!(digits[0], 1..=3) && number(&digits[..2]) != 45 {
        return Fit::No;
    }
    let check = match 11 - weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
        10 | 11 => 0,
        check => check,
    };
    Fit::checked(check == u32::from(digits[8]))
}

/// Where two persons would have the same code, letters stand for digits ("omocodia").
fn italian(candidate: &Candidate<'_>) -> Fit {
    /// Values of the characters at odd places: of digits and of the letters A to J alike.
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let text = candidate.compact();
    let digit = |byte: &u8| byte.is_ascii_digit() || b"LMNPQRSTUV".contains(byte);
    let shaped = text[..6].iter().all(u8::is_ascii_uppercase)
        && text[6..8].iter().all(digit)
        && b"ABCDEHLMPRST".contains(&text[8])
        && text[9..11].iter().all(digit)
        && text[11].is_ascii_uppercase()
        && text[12..15].iter().all(digit)
        && text[15].is_ascii_uppercase();
    if !shaped {
        return Fit::No;
    }
    let sum: u32 = text[..15]
        .iter()
        .enumerate()
        .map(|(place, &byte)| {
            let value = match byte {
                b'0'..=b'9' => byte - b'0',
                byte => byte - b'A',
            };
            if place % 2 == 0 { ODD[usize::from(value)] } else { u32::from(value) }
        })
        .sum();
    Fit::checked((sum % 26) as u8 == text[15] - b'A')
}

/// The eleven-test, with the last digit taken away instead of added.
fn dutch(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    let sum = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]);
    if sum == 0 {
        return Fit::No;
    }
    Fit::checked(sum % 11 == u32::from(digits[8]))
}

/// Who was born from 2000 on has a 2 put before the number when it is divided.
fn belgian(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    let month = number(&digits[2..4]);
    if !matches!(month, 0..=12 | 20..=32 | 40..=52) || number(&digits[4..6]) > 31 {
        return Fit::No;
    }
    let (body, check) = (number(&digits[..9]), number(&digits[9..]));
    Fit::checked(97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
}

/// An EAN whose country is 756.
fn swiss(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if number(&digits[..3]) != 756 {
        return Fit::No;
    }
    Fit::checked(weighted(digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10))
}

fn austrian(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if digits[0] == 0 || !ddmmyy(&digits[4..]) {
        return Fit::No;
    }
    let sum = weighted(digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    Fit::checked(sum % 11 == u32::from(digits[3]))
}

fn greek(candidate: &Candidate<'_>) -> Fit {
    let digits = candidate.digits();
    if !ddmmyy(digits) {
        return Fit::No;
    }
    Fit::checked(luhn(digits))
}
