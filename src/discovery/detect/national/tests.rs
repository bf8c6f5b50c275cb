use super::*;

/// Published examples: of the documentation of python-stdnum, which checks the same numbers; of
/// Wikipedia's pages on the personnummer (SE), the NRIC (SG), the TW number and JMBG; and of
/// Revenue's on the PPS number. GB's national insurance number is made up of allowed letters.
const EXAMPLES: &[(&str, &str)] = &[
    ("US", "536-90-4399"),
    ("CA", "123-456-782"),
    ("BR", "390.533.447-05"),
    ("MX", "BOXW310820HNERXN09"),
    ("AR", "20-05536168-2"),
    ("CL", "12.531.909-2"),
    ("CL", "76086428-5"),
    ("SE", "880320-0016"),
    ("SE", "19880320-0016"),
    ("SE", "811228-9874"),
    ("NO", "151086 95088"),
    ("DK", "211062-5629"),
    ("FI", "131052-308T"),
    ("EE", "36805280109"),
    ("DE", "36 574 261 809"),
    ("FR", "2 95 10 99 126 111 93"),
    ("FR", "253072B07300470"),
    ("FR", "253072A07300443"),
    ("GB", "JG 10 37 59 A"),
    ("GB", "943-476-5870"),
    ("IE", "1234567T"),
    ("ES", "54362315-K"),
    ("ES", "x-2482300w"),
    ("PT", "123 456 789"),
    ("IT", "RCCMNL83S18D969H"),
    ("NL", "1112.22.333"),
    ("BE", "85 07 30 033 28"),
    ("BE", "17 07 30 033 84"),
    ("CH", "756.9217.0769.85"),
    ("AT", "1237 010180"),
    ("GR", "01013099997"),
    ("PL", "44051401359"),
    ("CZ", "710319/2745"),
    ("RO", "1630615123457"),
    ("BG", "8032056031"),
    ("HR", "33392005961"),
    ("RS", "0101006500006"),
    ("TR", "17291716060"),
    ("IN", "2341 2341 2346"),
    ("IN", "ACUPA7085R"),
    ("CN", "360426199101010071"),
    ("CN", "11010519491231002X"),
    ("JP", "6214 9832 0257"),
    ("KR", "971013-9019902"),
    ("TH", "3-1006-00445-63-5"),
    ("SG", "S1234567D"),
    ("TW", "A123456789"),
    ("IL", "039337423"),
    ("ZA", "7503305044089"),
    ("AU", "123 456 782"),
    ("AU", "2123 45670 1"),
];

fn fits(value: &str) -> Vec<(&'static Scheme, Fit)> {
    let Some(candidate) = Candidate::of(value) else { return Vec::new() };
    let mut fits = Vec::new();
    look(&candidate, |number, fit| {
        fits.push((schemes().nth(number).expect("a scheme's number"), fit));
    });
    fits
}

fn valid(value: &str, country: &str) -> bool {
    fits(value).iter().any(|(scheme, fit)| scheme.country.0 == country && *fit == Fit::Valid)
}

#[test]
fn published_examples_are_valid() {
    for (country, value) in EXAMPLES {
        assert!(valid(value, country), "{country} {value}: {:?}", fits(value));
    }
}

/// Of a value with check digits, most single changes of a digit are found.
#[test]
fn a_wrong_digit_is_found() {
    for (country, value) in EXAMPLES {
        // Of these the form is all there is.
        if matches!(*country, "US" | "DK" | "GB") || *value == "ACUPA7085R" {
            continue;
        }
        let (mut changes, mut passed) = (0, 0);
        for (place, digit) in value.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
            for other in ('0'..='9').filter(|other| *other != digit) {
                let mut changed = value.as_bytes().to_vec();
                changed[place] = other as u8;
                let changed = String::from_utf8(changed).expect("ASCII");
                changes += 1;
                passed += u32::from(changed != *value && valid(&changed, country));
            }
        }
        assert!(passed * 10 <= changes, "{country} {value}: {passed} of {changes} changes pass");
    }
}

/// What chance gives is what is said, so that weighing compares with the truth.
#[test]
fn chance_is_what_each_scheme_says() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut counts = [(0_u32, 0_u32); 64];
    for _ in 0..400_000 {
        let length = 8 + random(8);
        let value: String = (0..length).map(|_| char::from(b'0' + random(10) as u8)).collect();
        let Some(candidate) = Candidate::of(&value) else { continue };
        look(&candidate, |number, fit| {
            counts[number].0 += 1;
            counts[number].1 += u32::from(fit == Fit::Valid);
        });
    }
    let mut measured = 0;
    for (scheme, (shaped, passed)) in schemes().zip(counts) {
        if shaped < 1_000 {
            continue;
        }
        measured += 1;
        let share = f64::from(passed) / f64::from(shaped);
        let allowed = scheme.chance * 1.3 + 0.01;
        assert!(share <= allowed, "{}: {share:.3} of random digits pass", scheme.plural);
    }
    assert!(measured >= 20, "{measured} schemes were measured");
}

#[test]
fn look_alikes_are_no_valid_numbers() {
    for (country, value) in [
        ("US", "000-12-3456"),
        ("US", "666-12-3456"),
        ("US", "900-12-3456"),
        ("US", "123-00-4567"),
        ("US", "123456789"),
        ("GB", "QQ123456C"),
        ("GB", "BG123456C"),
        ("BR", "111.111.111-11"),
        ("CA", "046 454 286"),
        ("DK", "2110625629"),
        ("CL", "125319092"),
        ("DE", "12345678903"),
    ] {
        assert!(!valid(value, country), "{country} {value}");
    }
}

#[test]
fn schemes_have_numbers_that_fit_into_a_word() {
    assert!(schemes().count() <= 64);
}
