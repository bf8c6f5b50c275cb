//! How long to wait before the next attempt.

use std::time::Duration;

/// Each wait is twice the one before, up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub first: Duration,
    pub longest: Duration,
    /// A receiver that asks for more patience than this gets this much.
    pub asked_for_max: Duration,
    pub attempts_max: u32,
}

impl Default for Pace {
    /// A day's worth of attempts; whatever ends first, these or the age of the event.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(120),
            asked_for_max: Duration::from_secs(600),
            attempts_max: 1_000,
        }
    }
}

impl Pace {
    /// After `attempts` in vain, from 1. `dice` is anything from 0 to 1: it keeps receivers that
    /// come back from being asked by everybody at once. What the receiver `asked` for counts if it
    /// is longer.
    pub fn wait(&self, attempts: u32, dice: f64, asked: Option<Duration>) -> Duration {
        let doublings = attempts.saturating_sub(1).min(30);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        let own = full.mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0);
        asked.map_or(own, |asked| asked.min(self.asked_for_max).max(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let pace = Pace::default();
        let millis = |attempts, dice| pace.wait(attempts, dice, None).as_millis();
        assert_eq!([1, 2, 3, 8].map(|n| millis(n, 1.0)), [500, 1_000, 2_000, 64_000]);
        assert_eq!([9, 100, u32::MAX].map(|n| millis(n, 1.0)), [120_000; 3]);
        assert_eq!(millis(1, 0.0), 250, "at least half of it");
        assert_eq!(millis(1, f64::MAX), 500);
    }

    #[test]
    fn receivers_are_listened_to_within_bounds() {
        let pace = Pace::default();
        let secs = |asked| pace.wait(1, 1.0, Some(Duration::from_secs(asked))).as_secs_f64();
        assert_eq!(secs(7), 7.0);
        assert_eq!(secs(0), 0.5, "not sooner than anyway");
        assert_eq!(secs(86_400), 600.0, "not for as long as it likes");
    }
}
