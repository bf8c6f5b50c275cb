//! Accounts and banks.

use super::digits::{Digits, number, weighted};
use super::shape::{DASH, DIGIT, DOT, LOWER, SLASH, SPACE, Shape};
use super::{Hits, Signal};

/// Lengths by country, of SWIFT's IBAN registry.
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

/// Countries with banks and no IBANs, for BICs.
const OTHER_COUNTRIES: &str = "AF AG AM AO AR AU AW BB BD BF BJ BM BN BO BS BT BW BZ CA CD CF CG \
                               CI CL CM CN CO CU CV DM DZ EC ER ET FJ GA GD GH GM GN GQ GW GY HK \
                               HN HT ID IM IN IR JE JM JP KE KG KH KI KM KN KP KR KY LA LK LR LS \
                               MA MG MH ML MM MO MS MV MW MX MY MZ NA NC NE NG NP NR NZ PA PE PF \
                               PG PH PR PY RW SB SG SL SN SR SS SY SZ TD TG TH TJ TM TO TT TV TW \
                               TZ UG US UY UZ VC VE VN VU WS ZA ZM ZW";

pub(super) fn look(shape: &Shape<'_>, hits: &mut Hits) {
    if shape.any(DOT | SLASH) {
        return;
    }
    if shape.digits >= 8 && shape.len() >= 15 {
        match iban(shape.text) {
            Some(true) => {
                hits.tell(Signal::IbanShaped);
                hits.tell(Signal::Iban);
            }
            Some(false) => hits.tell(Signal::IbanShaped),
            None => {}
        }
    }
    if matches!(shape.len(), 8 | 11) && !shape.any(LOWER | SPACE | DASH) {
        bic(shape.text.as_bytes(), hits);
    }
}

/// Whether it has an IBAN's form and, if so, whether its check digits hold (ISO 13616).
pub(super) fn iban(text: &str) -> Option<bool> {
    let mut compact = [0; 34];
    let mut len = 0;
    for byte in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
        if !byte.is_ascii_alphanumeric() {
            return None;
        }
        *compact.get_mut(len)? = byte.to_ascii_uppercase();
        len += 1;
    }
    let compact = &compact[..len];
    let country = str::from_utf8(compact.get(..2)?).ok()?;
    let place = IBAN_LENGTHS.binary_search_by_key(&country, |(country, _)| country).ok()?;
    if IBAN_LENGTHS[place].1 != len || !compact[2..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let rest = compact[4..].iter().chain(&compact[..4]).fold(0_u32, |rest, &byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    Some(rest == 1)
}

/// ISO 9362.
fn bic(text: &[u8], hits: &mut Hits) {
    let shaped = text[..6].iter().all(u8::is_ascii_uppercase)
        && text[6..].iter().all(u8::is_ascii_alphanumeric);
    if !shaped {
        return;
    }
    hits.tell(Signal::BicShaped);
    let country = str::from_utf8(&text[4..6]).unwrap_or_default();
    let assigned = IBAN_LENGTHS.binary_search_by_key(&country, |(country, _)| country).is_ok()
        || OTHER_COUNTRIES.split(' ').any(|other| other == country);
    hits.tell_if(Signal::Bic, assigned);
}

/// Numbers of accounts and banks of countries that check them.
pub(super) fn look_at_digits(shape: &Shape<'_>, hits: &mut Hits) {
    if !shape.only(DIGIT | SPACE | DASH) {
        return;
    }
    let Some(digits) = Digits::of(shape.text) else { return };
    let digits = digits.as_slice();
    let checked = match digits.len() {
        // Routing numbers of the American Bankers Association.
        9 => {
            matches!(number(&digits[..2]), 1..=12 | 21..=32 | 61..=72)
                && weighted(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        }
        // The Mexican CLABE.
        18 => clabe(digits),
        _ => false,
    };
    hits.tell_if(Signal::AccountBare, checked || (8..=17).contains(&digits.len()));
}

fn clabe(digits: &[u8]) -> bool {
    let sum: u32 = digits[..17]
        .iter()
        .zip([3, 7, 1].into_iter().cycle())
        .map(|(&digit, weight)| u32::from(digit) * weight % 10)
        .sum();
    (10 - sum % 10) % 10 == u32::from(digits[17])
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    #[test]
    fn the_lengths_are_sorted_by_country() {
        assert!(IBAN_LENGTHS.is_sorted_by_key(|(country, _)| country));
    }

    /// Examples of SWIFT's IBAN registry.
    #[test]
    fn registered_examples_are_ibans() {
        for text in [
            "DE89370400440532013000",
            "GB29 NWBK 6016 1331 9268 19",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "nl91abna0417164300",
            "CH9300762011623852957",
        ] {
            assert_eq!(iban(text), Some(true), "{text}");
            assert!(look(text).has(Signal::Iban), "{text}");
        }
        assert_eq!(iban("DE89370400440532013001"), Some(false));
        assert_eq!(iban("XX89370400440532013000"), None);
        assert_eq!(iban("DE8937040044053201300"), None);
    }

    #[test]
    fn a_bic_names_a_country() {
        for (text, country) in
            [("DEUTDEFF", true), ("NEDSZAJJXXX", true), ("BNPAFRPP", true), ("PRODUCTS", false)]
        {
            let hits = look(text);
            assert!(hits.has(Signal::BicShaped), "{text}");
            assert_eq!(hits.has(Signal::Bic), country, "{text}");
        }
        assert!(!look("deutdeff").has(Signal::BicShaped));
        assert!(!look("DEUT-DEF").has(Signal::BicShaped));
    }

    /// Of Wikipedia's pages on the CLABE.
    #[test]
    fn a_clabe_has_a_check_digit() {
        let digits = Digits::of("032180000118359719").expect("few digits");
        assert!(clabe(digits.as_slice()));
        let digits = Digits::of("032180000118359718").expect("few digits");
        assert!(!clabe(digits.as_slice()));
    }
}
