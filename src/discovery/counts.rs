//! What was counted of values that are no longer there.

use std::fmt;
use std::hash::BuildHasher;

use foldhash::fast::{FixedState, RandomState};

use super::detect::{self, Hits, Signal};

/// Bits of the sketch that estimates how many values differ: good to about 5,000.
const SKETCH_WORDS: usize = 16;
/// Decades from 1900 on in which dates lie.
const DECADES: usize = 14;
/// National numbers' schemes that are counted: [`detect::schemes`].
const SCHEMES_MAX: usize = 64;

/// Counts of one column, or of one path within its documents: about 600 bytes, and 512 more once a
/// value had the form of a state's number.
pub(super) struct Counts {
    /// Values that were neither NULL nor blank.
    seen: u64,
    signals: [u32; Signal::COUNT],
    /// Shaped, and valid.
    schemes: Option<Box<[(u32, u32); SCHEMES_MAX]>>,
    sketch: [u64; SKETCH_WORDS],
    decades: [u32; DECADES],
    /// Which hashes of full names' surnames occurred.
    surnames: [u64; 4],
    /// Numbers that were one more than the number before.
    steps: u32,
    /// What the next number of a sequence would hash to, under a key of this process: not the
    /// number.
    next: u64,
    key: RandomState,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            seen: 0,
            signals: [0; Signal::COUNT],
            schemes: None,
            sketch: [0; SKETCH_WORDS],
            decades: [0; DECADES],
            surnames: [0; 4],
            steps: 0,
            next: 0,
            key: RandomState::default(),
        }
    }

    pub(super) fn see(&mut self, value: &str) {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        self.seen += 1;
        let hash = FixedState::default().hash_one(value) as usize;
        self.sketch[hash / 64 % SKETCH_WORDS] |= 1 << (hash % 64);
        let hits = detect::look(value);
        if hits.has(Signal::Digits) {
            self.count_step(value);
        }
        self.count(&hits);
    }

    fn count(&mut self, hits: &Hits) {
        for signal in hits.signals() {
            self.signals[signal] = self.signals[signal].saturating_add(1);
        }
        if let Some(year) = hits.year() {
            let decade = usize::from(year.saturating_sub(1900) / 10).min(DECADES - 1);
            self.decades[decade] = self.decades[decade].saturating_add(1);
        }
        if let Some(hash) = hits.surname() {
            self.surnames[usize::from(hash / 64)] |= 1 << (hash % 64);
        }
        for (number, valid) in hits.schemes() {
            let schemes = self.schemes.get_or_insert_with(|| Box::new([(0, 0); SCHEMES_MAX]));
            schemes[number].0 = schemes[number].0.saturating_add(1);
            schemes[number].1 = schemes[number].1.saturating_add(u32::from(valid));
        }
    }

    fn count_step(&mut self, value: &str) {
        let Ok(number) = value.parse::<u64>() else { return };
        let follows = self.seen > 1 && self.key.hash_one(number) == self.next;
        self.steps = self.steps.saturating_add(u32::from(follows));
        self.next = self.key.hash_one(number.wrapping_add(1));
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    pub(super) fn of(&self, signal: Signal) -> u64 {
        u64::from(self.signals[signal as usize])
    }

    /// The share of values with a signal, from 0 to 1.
    pub(super) fn share(&self, signal: Signal) -> f64 {
        self.part(self.of(signal))
    }

    pub(super) fn part(&self, count: u64) -> f64 {
        if self.seen == 0 { 0.0 } else { (count as f64 / self.seen as f64).min(1.0) }
    }

    /// Of each scheme of [`detect::schemes`], those shaped and those valid.
    pub(super) fn schemes(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.schemes
            .iter()
            .flat_map(|schemes| schemes.iter())
            .map(|(shaped, valid)| (u64::from(*shaped), u64::from(*valid)))
    }

    /// Decades that hold one date in twenty at least, of those from 1920 to 2009.
    pub(super) fn decades(&self) -> usize {
        let all: u32 = self.decades.iter().sum();
        self.decades[2..11].iter().filter(|count| **count > 0 && **count * 20 >= all).count()
    }

    /// About how many values differ: linear counting (Whang et al. 1990).
    pub(super) fn distinct(&self) -> f64 {
        let bits = (SKETCH_WORDS * 64) as f64;
        let unset: u32 = self.sketch.iter().map(|word| word.count_zeros()).sum();
        -bits * (f64::from(unset.max(1)) / bits).ln()
    }

    /// Hashes of surnames of full names that occurred, of 256.
    pub(super) fn surnames(&self) -> u32 {
        self.surnames.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether it is a few labels again and again.
    pub(super) fn is_enumeration(&self) -> bool {
        self.seen >= 40 && self.distinct() < 7.5
    }

    /// Whether it is a list of so few that a population's first names would be more.
    pub(super) fn is_closed_set(&self) -> bool {
        self.seen >= 100 && self.distinct() * 8.0 < self.seen.min(1_000) as f64
    }

    /// Whether numbers follow each other, as a sequence gives them out.
    pub(super) fn is_sequence(&self) -> bool {
        u64::from(self.steps) * 2 > self.seen
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counts({} values)", self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_differ_is_about_right() {
        let mut counts = Counts::new();
        for number in 0..2_000 {
            counts.see(&format!("value {}", number % 300));
        }
        assert!((270.0..330.0).contains(&counts.distinct()), "{}", counts.distinct());
        assert!(!counts.is_enumeration());
    }

    #[test]
    fn a_sequence_is_told_from_numbers_in_no_order() {
        let (mut sequence, mut others) = (Counts::new(), Counts::new());
        for number in 0..100_u64 {
            sequence.see(&(4_000_000_000_000_000 + number).to_string());
            others.see(&(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20).to_string());
        }
        assert!(sequence.is_sequence() && !others.is_sequence());
    }
}
