use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use crate::model::Timestamp;

/// Asks for the time. Hand the same one to everything that compares times with grants.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The wall clock, except that it never runs slower than real time: when the system's clock is
/// set back, this one goes on from where it was, so no grant lives longer for it. When it is set
/// forward, this one follows at once, so grants end earlier rather than later.
#[expect(clippy::disallowed_methods, reason = "this is where the shell asks for the time")]
pub fn steady_clock() -> Clock {
    let start = Instant::now();
    steady(move || (nanos(start.elapsed().as_nanos()), nanos(Timestamp::now().as_nanosecond())))
}

/// `read` gives nanoseconds of a monotonic clock and of the wall clock since 1970.
fn steady(read: impl Fn() -> (i64, i64) + Send + Sync + 'static) -> Clock {
    let ahead = AtomicI64::new(i64::MIN);
    Arc::new(move || {
        let (elapsed, wall) = read();
        let ahead_now = wall.saturating_sub(elapsed);
        let ahead = ahead.fetch_max(ahead_now, Ordering::Relaxed).max(ahead_now);
        let now = i128::from(elapsed.saturating_add(ahead));
        Timestamp::from_nanosecond(now).unwrap_or(Timestamp::MAX)
    })
}

/// Saturating: the year 2262 is the end of time here.
fn nanos<N: TryInto<i64>>(nanos: N) -> i64 {
    nanos.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_clock_that_is_set_back_does_not_lengthen_anything() {
        let reading = Arc::new(Mutex::new((0, 1_000)));
        let source = Arc::clone(&reading);
        let clock = steady(move || *source.lock().unwrap());
        let at = |elapsed: i64, wall: i64| {
            *reading.lock().unwrap() = (elapsed, wall);
            clock().as_nanosecond()
        };
        assert_eq!(at(0, 1_000), 1_000);
        assert_eq!(at(10, 1_010), 1_010);
        assert_eq!(at(20, 500), 1_020, "set back: real time goes on");
        assert_eq!(at(30, 2_000), 2_000, "set forward: follows");
        assert_eq!(at(40, 1_040), 2_010, "set right again: still never back");
    }
}
