//! When tables are read, and how much of the time.

use std::time::Duration;

/// The first round is not long after the start, and neither is the one after a failure.
const SOON: Duration = Duration::from_secs(600);

/// So many times as long as reading a table took, nothing is read.
const REST_FACTOR: u32 = 4;
const REST_MIN: Duration = Duration::from_millis(20);

/// What the next round is waited for since.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Since {
    /// `dice` is anything from 0 to 1: proxies that start together do not read together.
    Start {
        dice: f64,
    },
    Round,
    Failure,
}

impl Since {
    pub(super) fn pause(self, every: Duration) -> Duration {
        let soon = every.min(SOON);
        match self {
            Self::Start { dice } => soon.mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0),
            Self::Round => every,
            Self::Failure => soon,
        }
    }
}

/// Reading takes a fifth of the time at most.
pub(super) fn rest(reading: Duration) -> Duration {
    reading.saturating_mul(REST_FACTOR).max(REST_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: Duration = Duration::from_secs(7 * 86_400);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_round_is_soon_and_not_everybodys_at_once() {
        let secs = |every: Duration, dice| Since::Start { dice }.pause(every).as_secs_f64();
        assert_eq!([0.0, 0.5, 1.0].map(|dice| secs(WEEK, dice)), [300.0, 450.0, 600.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|dice| secs(SECOND, dice)), [0.5, 0.75, 1.0]);
    }

    #[test]
    fn the_next_one_is_as_configured_or_soon_after_a_failure() {
        assert_eq!(Since::Round.pause(WEEK), WEEK);
        assert_eq!(Since::Failure.pause(WEEK), SOON);
        assert_eq!(Since::Failure.pause(SECOND), SECOND);
    }

    #[test]
    fn reading_takes_a_fifth_of_the_time_at_most() {
        let millis = |reading| rest(Duration::from_millis(reading)).as_millis();
        assert_eq!([0, 3, 5, 6, 5_000].map(millis), [20, 20, 20, 24, 20_000]);
        assert_eq!(rest(Duration::MAX), Duration::MAX);
    }
}
