//! Waiting for events, with bounds that are generous because the machine may be busy.

use std::time::{Duration, Instant};

/// How long an event that must come may take before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again until the answer is `Some`; panics with `what` when [`PATIENCE`] is over.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(now() < end, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[expect(clippy::disallowed_methods, reason = "tests watch real processes in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
