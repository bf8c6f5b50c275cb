//! Codes and words of health, and of gender.

use super::shape::Shape;
use super::{Hits, Signal};

/// Codes of ICD-10: `E11`, `E11.9`, `S72.001A`.
pub(super) fn look(shape: &Shape<'_>, hits: &mut Hits) {
    let text = shape.text.as_bytes();
    let shaped = (3..=8).contains(&text.len())
        && text[0].is_ascii_uppercase()
        && text[1].is_ascii_digit()
        && text[2].is_ascii_alphanumeric()
        && (text.len() == 3
            || text[3] == b'.'
                && (5..=8).contains(&text.len())
                && text[4..].iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()));
    hits.tell_if(Signal::DiseaseCode, shaped);
}

pub(super) fn look_at_words(shape: &Shape<'_>, hits: &mut Hits) {
    let text = shape.text;
    if text.len() <= 3 {
        let group = text.strip_suffix(['+', '-']).unwrap_or_default();
        hits.tell_if(Signal::BloodGroup, matches!(group, "A" | "B" | "AB" | "O" | "0"));
        hits.tell_if(Signal::BloodGroupZero, matches!(group, "O" | "0"));
    }
    hits.tell_if(Signal::GenderWord, GENDERS.iter().any(|word| text.eq_ignore_ascii_case(word)));
}

const GENDERS: &[&str] = &[
    "m",
    "f",
    "w",
    "d",
    "x",
    "u",
    "male",
    "female",
    "man",
    "woman",
    "mann",
    "frau",
    "homme",
    "femme",
    "hombre",
    "mujer",
    "masculino",
    "femenino",
    "maschio",
    "femmina",
    "vrouw",
    "diverse",
    "divers",
    "männlich",
    "weiblich",
    "nonbinary",
    "non-binary",
    "kvinna",
    "kvinde",
    "other",
    "feminino",
    "unknown",
];

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    #[test]
    fn codes_and_groups() {
        for code in ["E11", "E11.9", "S72.001A", "Z00.0"] {
            assert!(look(code).has(Signal::DiseaseCode), "{code}");
        }
        for other in ["e11", "E1", "AB12", "E11-9", "E11.", "EE1.9"] {
            assert!(!look(other).has(Signal::DiseaseCode), "{other}");
        }
        assert!(look("AB+").has(Signal::BloodGroup) && !look("AB").has(Signal::BloodGroup));
        assert!(look("O-").has(Signal::BloodGroupZero) && !look("AB+").has(Signal::BloodGroupZero));
    }
}
