use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::Timestamp;

/// How many values each user has looked up of late, in all their sessions.
///
/// A bucket per user that fills up with one minute's worth in one minute. Asked only by statements
/// that look something up.
#[derive(Debug, Default)]
pub struct LookupMeter {
    used: Mutex<HashMap<Arc<str>, Used>>,
}

/// What is missing from a full bucket, in thousandths of a value, at some moment.
#[derive(Clone, Copy, Debug)]
struct Used {
    milli: u64,
    at: Timestamp,
}

/// Buckets that are kept; full ones are forgotten beyond that.
const USERS_MAX: usize = 1024;

impl LookupMeter {
    /// Takes `values` from the user's bucket of `per_minute`.
    ///
    /// # Errors
    /// After how many seconds it may be asked again; None: never, for more than a full bucket.
    pub fn take(
        &self,
        user: &Arc<str>,
        values: usize,
        per_minute: u32,
        now: Timestamp,
    ) -> Result<(), Option<u64>> {
        let room = u64::from(per_minute) * 1000;
        let asked = u64::try_from(values).unwrap_or(u64::MAX).saturating_mul(1000);
        if asked > room {
            return Err(None);
        }
        let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= USERS_MAX {
            all.retain(|_, used| used.left(room, now) > 0);
        }
        let used = all.get(user).map_or(0, |used| used.left(room, now));
        let total = used + asked;
        if total > room {
            // A minute brings `room`.
            let milliseconds = (total - room).saturating_mul(60_000).div_ceil(room.max(1));
            return Err(Some(milliseconds.div_ceil(1000)));
        }
        all.insert(user.clone(), Used { milli: total, at: now });
        Ok(())
    }
}

impl Used {
    /// What is still missing `now`. A clock that went back brings nothing.
    fn left(self, room: u64, now: Timestamp) -> u64 {
        let passed = u64::try_from(now.duration_since(self.at).as_millis()).unwrap_or(0);
        self.milli.saturating_sub(passed.saturating_mul(room) / 60_000)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(seconds: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_minute_brings_a_minutes_worth() {
        let (meter, alice) = (LookupMeter::default(), Arc::from("alice"));
        assert_eq!(meter.take(&alice, 4, 6, after(0)), Ok(()));
        assert_eq!(meter.take(&alice, 2, 6, after(0)), Ok(()));
        assert_eq!(meter.take(&alice, 1, 6, after(0)), Err(Some(10)));
        assert_eq!(meter.take(&alice, 1, 6, after(10)), Ok(()));
        assert_eq!(meter.take(&alice, 1, 6, after(10)), Err(Some(10)));
        assert_eq!(meter.take(&alice, 6, 6, after(75)), Ok(()));
    }

    #[test]
    fn more_than_a_bucket_is_never_given_and_others_have_their_own() {
        let (meter, alice, bob) = (LookupMeter::default(), Arc::from("alice"), Arc::from("bob"));
        assert_eq!(meter.take(&alice, 7, 6, after(0)), Err(None));
        assert_eq!(meter.take(&alice, 6, 6, after(0)), Ok(()));
        assert_eq!(meter.take(&bob, 6, 6, after(0)), Ok(()));
        assert_eq!(meter.take(&bob, 1, 0, after(600)), Err(None));
    }

    #[test]
    fn a_clock_that_goes_back_brings_nothing() {
        let (meter, alice) = (LookupMeter::default(), Arc::from("alice"));
        assert_eq!(meter.take(&alice, 6, 6, after(60)), Ok(()));
        assert!(meter.take(&alice, 1, 6, after(0)).is_err());
    }
}
