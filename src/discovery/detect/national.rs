//! Numbers that states give to persons, with their check digits.
//!
//! A check digit proves little by itself: one in ten numbers passes by chance. So each scheme says
//! what chance gives, and whoever weighs compares that with what was counted.

mod america;
mod asia;
mod east;
mod north;
mod west;

use super::digits::Digits;
use crate::discovery::Country;

/// How a number fits a scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::discovery) enum Fit {
    No,
    /// It has the scheme's form: it could have been one.
    Shaped,
    /// The check digits hold too or, where there are none, everything that the scheme demands.
    Valid,
}

impl Fit {
    /// Of a number that has the form: whether its check digits hold.
    #[expect(clippy::fn_params_excessive_bools, reason = "a check's answer, said at once")]
    fn checked(holds: bool) -> Self {
        if holds { Self::Valid } else { Self::Shaped }
    }
}

#[derive(Debug)]
pub(in crate::discovery) struct Scheme {
    pub(in crate::discovery) country: Country,
    /// In a sentence: "Dutch citizen service numbers (BSN)".
    pub(in crate::discovery) plural: &'static str,
    /// Lengths without separators, a bit each.
    lengths: u32,
    /// Whether numbers of it are digits and nothing else.
    alphabet: Alphabet,
    /// Share of shaped values that pass by chance.
    pub(in crate::discovery) chance: f64,
    /// How much values alone can say, from 0 to 1.
    pub(in crate::discovery) weight: f64,
    check: fn(&Candidate<'_>) -> Fit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alphabet {
    Digits,
    /// Digits, letters or both.
    Letters,
}

/// A tenth: one check digit from 0 to 9.
const TENTH: f64 = 0.1;
/// One check digit of eleven.
const ELEVENTH: f64 = 1.0 / 11.0;
/// Two check digits.
const HUNDREDTH: f64 = 0.01;

/// Luhn's check digit over bare digits: numbers of companies, accounts and devices have it too.
const COMMON: f64 = 0.45;
/// Bare digits with a check digit of a kind that few others use.
const OWN: f64 = 0.7;
/// Further structure beside the check digit: a date, letters in their places, two check digits.
const STRUCTURED: f64 = 0.84;

/// All schemes, at most 64.
pub(in crate::discovery) fn schemes() -> impl Iterator<Item = &'static Scheme> {
    [america::SCHEMES, asia::SCHEMES, east::SCHEMES, north::SCHEMES, west::SCHEMES]
        .into_iter()
        .flatten()
}

const fn length(length: u32) -> u32 {
    1 << length
}

/// A value without its separators.
pub(super) struct Candidate<'a> {
    /// Capitals and digits.
    compact: [u8; COMPACT_MAX],
    len: usize,
    /// Its digits alone, letters left out.
    digits: Digits,
    raw: &'a str,
}

/// Mexico's and China's have 18 characters.
const COMPACT_MAX: usize = 18;

impl<'a> Candidate<'a> {
    /// None: too long, or it holds what no such number holds.
    pub(super) fn of(raw: &'a str) -> Option<Self> {
        let mut candidate =
            Self { compact: [0; COMPACT_MAX], len: 0, digits: Digits::of(raw)?, raw };
        for byte in raw.bytes() {
            match byte {
                b' ' | b'-' | b'.' | b'/' | b'+' => continue,
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                    *candidate.compact.get_mut(candidate.len)? = byte.to_ascii_uppercase();
                    candidate.len += 1;
                }
                _ => return None,
            }
        }
        Some(candidate)
    }

    fn compact(&self) -> &[u8] {
        &self.compact[..self.len]
    }

    fn digits(&self) -> &[u8] {
        self.digits.as_slice()
    }

    /// The byte at a place of the value as it was written.
    fn written(&self, place: usize) -> Option<u8> {
        self.raw.as_bytes().get(place).copied()
    }

    /// Whether the value reads like this: `9` a digit, `A` a letter, others themselves.
    fn reads(&self, pattern: &str) -> bool {
        like(self.raw.as_bytes(), pattern)
    }

    /// The same of the value without separators.
    fn compact_reads(&self, pattern: &str) -> bool {
        like(self.compact(), pattern)
    }
}

fn like(text: &[u8], pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.iter().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_alphabetic(),
            wanted => *byte == wanted,
        })
}

/// Tells of each scheme that the value fits, by its number in [`schemes`].
pub(super) fn look(candidate: &Candidate<'_>, mut tell: impl FnMut(usize, Fit)) {
    let length = 1 << candidate.len;
    let digits_only = candidate.digits().len() == candidate.len;
    for (number, scheme) in schemes().enumerate() {
        if scheme.lengths & length == 0 || (scheme.alphabet == Alphabet::Digits && !digits_only) {
            continue;
        }
        match (scheme.check)(candidate) {
            Fit::No => {}
            fit @ (Fit::Shaped | Fit::Valid) => tell(number, fit),
        }
    }
}

#[cfg(test)]
mod tests;
