//! Counting over time, in a few slots.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// A window's time is cut into so many slots; it looks back one slot less than its length at least.
const SLOTS: i64 = 8;

/// So many of the last records are named as proof.
pub(super) const PROOFS_MAX: usize = 16;

/// So many active days are remembered.
pub(super) const DAYS_MAX: usize = 60;

/// Numbers of the last records of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proofs(VecDeque<u64>);

impl Proofs {
    pub(super) fn add(&mut self, seq: u64) {
        if self.0.len() == PROOFS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(seq);
    }

    pub(super) fn list(&self, count: u64) -> Vec<u64> {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.0.len());
        self.0.iter().skip(self.0.len() - count).copied().collect()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// How many there were lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    slot_ms: i64,
    /// Number of the slot, and how many there were in it.
    slots: VecDeque<(i64, u64)>,
    pub(super) proofs: Proofs,
}

impl Window {
    /// One more; how many there were within the time.
    pub(super) fn add(&mut self, at: Timestamp, within: Duration, seq: u64) -> u64 {
        let slot_ms = i64::try_from(within.as_millis()).unwrap_or(i64::MAX) / SLOTS;
        let slot_ms = slot_ms.max(1);
        if self.slot_ms != slot_ms {
            *self = Self { slot_ms, ..Self::default() };
        }
        let slot = at.as_millisecond().div_euclid(slot_ms);
        while self.slots.front().is_some_and(|(first, _)| *first <= slot - SLOTS) {
            self.slots.pop_front();
        }
        match self.slots.back_mut() {
            // A clock may go back a little: what comes then counts for the last slot.
            Some((last, count)) if *last >= slot => *count += 1,
            Some(_) | None => self.slots.push_back((slot, 1)),
        }
        self.proofs.add(seq);
        self.slots.iter().map(|(_, count)| count).sum()
    }

    /// When the first of those counted was, to within a slot.
    pub(super) fn since(&self, at: Timestamp) -> Timestamp {
        let first = self.slots.front().map(|(slot, _)| slot.saturating_mul(self.slot_ms));
        first.and_then(|ms| Timestamp::from_millisecond(ms).ok()).map_or(at, |first| first.min(at))
    }
}

/// What a user's days came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Peaks {
    /// Number of the day, and its count; the last is today.
    days: VecDeque<(i32, u64)>,
}

impl Peaks {
    /// So many more today; how many it makes.
    pub(super) fn add(&mut self, day: i32, count: u64) -> u64 {
        let today = self.today(day);
        *today = today.saturating_add(count);
        *today
    }

    /// Today came to as many, if not to more.
    pub(super) fn raise(&mut self, day: i32, count: u64) {
        let today = self.today(day);
        *today = count.max(*today);
    }

    fn today(&mut self, day: i32) -> &mut u64 {
        if self.days.back().is_none_or(|(last, _)| *last < day) {
            if self.days.len() > DAYS_MAX {
                self.days.pop_front();
            }
            self.days.push_back((day, 0));
        }
        // There is one: if none was, it has just been added.
        let last = self.days.len() - 1;
        &mut self.days[last].1
    }

    /// The highest of the active days before `day`, of which the last `count` are looked at.
    pub(super) fn highest_before(&self, day: i32, count: u32) -> u64 {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let before = self.days.iter().rev().filter(|(when, _)| *when < day);
        before.take(count).map(|(_, count)| *count).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn what_is_long_ago_does_not_count() {
        let mut window = Window::default();
        let minute = Duration::from_secs(60);
        for second in 0..100 {
            window.add(at(second * 1000), minute, second.unsigned_abs());
        }
        let count = window.add(at(100_000), minute, 100);
        assert!((53..=61).contains(&count), "{count}");
        assert_eq!(window.add(at(10_000_000), minute, 101), 1);
        assert_eq!(window.proofs.list(2), [100, 101]);
        assert_eq!(window.proofs.list(1000).len(), PROOFS_MAX);
    }

    #[test]
    fn today_does_not_raise_its_own_threshold() {
        let mut peaks = Peaks::default();
        assert_eq!(peaks.add(1, 10), 10);
        assert_eq!(peaks.add(1, 5), 15);
        peaks.raise(2, 7);
        peaks.raise(2, 3);
        assert_eq!((peaks.highest_before(1, 30), peaks.highest_before(2, 30)), (0, 15));
        assert_eq!((peaks.highest_before(3, 1), peaks.highest_before(3, 2)), (7, 15));
    }

    proptest! {
        /// Never more than there were within the time, never fewer than within all but a slot.
        #[test]
        fn a_window_counts_what_is_in_it(steps in prop::collection::vec(0..5_000_i64, 1..200)) {
            let within = Duration::from_secs(8);
            let (mut window, mut now, mut times) = (Window::default(), 1_000_000, Vec::new());
            for (step, seq) in steps.into_iter().zip(0..) {
                now += step;
                times.push(now);
                let count = window.add(at(now), within, seq);
                let back = |ms: i64| times.iter().filter(|time| **time > now - ms).count() as u64;
                prop_assert!(back(7_000) <= count && count <= back(8_001), "{count}");
            }
            prop_assert!(window.slots.len() <= 8);
        }

        #[test]
        fn days_are_bounded(days in prop::collection::vec((0..3_i32, 0..9_u64), 0..300)) {
            let (mut peaks, mut day) = (Peaks::default(), 0);
            for (step, count) in days {
                day += step;
                peaks.add(day, count);
            }
            prop_assert!(peaks.days.len() <= DAYS_MAX + 1);
        }
    }
}
