//! Slows down whoever guesses passwords.
//!
//! Failures are counted by address and user: after a few, the answer to the next one waits, twice
//! as long each time. A right password never waits, so nobody is locked out by somebody else's
//! guesses. Memory and the number of answers that wait are bounded: beyond the latter, answers are
//! not delayed, as the alternative is that guesses take the places of people.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rules::Origin;
use crate::model::Timestamp;

/// Failures that are answered at once: slips.
const FREE_FAILURES: u32 = 2;

/// The first delay; each further failure doubles it.
const DELAY_FIRST: Duration = Duration::from_millis(200);

/// The longest delay.
const DELAY_MAX: Duration = Duration::from_secs(10);

/// Failures are forgotten this long after the last one.
const MEMORY: Duration = Duration::from_secs(15 * 60);

/// Pairs of address and user in one of the two generations that are remembered. About 100 bytes
/// each, so 3 MB in the worst case.
const GENERATION_MAX: usize = 10_000;

/// Answers that wait at a time.
const WAITING_MAX: usize = 128;

/// Bytes of a user's name that count. PostgreSQL's names have 63.
const USER_LEN_MAX: usize = 64;

/// Gives the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Who failed: an address, or an IPv6 network, which one host has all of; and the name it claimed.
type Key = (Option<IpAddr>, Box<str>);

/// Who failed lately, and how many answers wait because of it.
pub struct Throttle {
    clock: Clock,
    failures: Mutex<Failures>,
    waiting: Arc<Semaphore>,
}

/// What becomes of the answer to a failure.
#[derive(Debug)]
pub enum Pace {
    /// It is given at once: there were few failures.
    AtOnce,
    /// It waits that long; the place among those that wait is kept until this is dropped.
    Wait { delay: Duration, place: OwnedSemaphorePermit },
    /// It ought to wait, but too many do.
    Crowded,
}

/// Two generations: when the younger one is full, it becomes the older one, and what was that is
/// forgotten. So nothing has to be searched for what to forget.
#[derive(Default)]
struct Failures {
    young: HashMap<Key, Failed>,
    old: HashMap<Key, Failed>,
}

#[derive(Clone, Copy)]
struct Failed {
    times: u32,
    last: Timestamp,
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Throttle(…)")
    }
}

impl Throttle {
    pub fn new(clock: Clock) -> Self {
        let waiting = Arc::new(Semaphore::new(WAITING_MAX));
        Self { clock, failures: Mutex::default(), waiting }
    }

    /// Counts a failure.
    pub fn failed(&self, origin: Origin, user: &str) -> Pace {
        let times = self.failures().count(key(origin, user), (self.clock)());
        let Some(delay) = delay(times) else { return Pace::AtOnce };
        match Arc::clone(&self.waiting).try_acquire_owned() {
            Ok(place) => Pace::Wait { delay, place },
            Err(_) => Pace::Crowded,
        }
    }

    /// Forgets the failures of somebody who has come in.
    pub fn succeeded(&self, origin: Origin, user: &str) {
        self.failures().forget(&key(origin, user));
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        // Counting cannot be left half done.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    fn count(&mut self, key: Key, now: Timestamp) -> u32 {
        let before = self.young.get(&key).copied().or_else(|| self.old.remove(&key));
        let fresh = |failed: &Failed| {
            let age = Duration::try_from(now.duration_since(failed.last)).unwrap_or_default();
            age < MEMORY
        };
        let times = before.filter(fresh).map_or(0, |failed| failed.times).saturating_add(1);
        if self.young.len() >= GENERATION_MAX && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, Failed { times, last: now });
        times
    }

    fn forget(&mut self, key: &Key) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

/// None: no delay.
fn delay(times: u32) -> Option<Duration> {
    let doublings = times.checked_sub(FREE_FAILURES + 1)?;
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    Some(DELAY_FIRST.saturating_mul(factor).min(DELAY_MAX))
}

fn key(origin: Origin, user: &str) -> Key {
    (origin.address().map(neighbourhood), user.chars().take(USER_LEN_MAX).collect())
}

/// What counts as one address: of IPv6 the first 64 bits, as whoever has one has all of them.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    fn from(address: &str) -> Origin {
        Origin::Address(address.parse().unwrap())
    }

    /// A throttle, and the seconds on its clock.
    fn throttle() -> (Throttle, Arc<AtomicI64>) {
        let seconds = Arc::new(AtomicI64::new(1_000_000));
        let hand = Arc::clone(&seconds);
        let clock = move || Timestamp::from_second(hand.load(Ordering::Relaxed)).unwrap();
        (Throttle::new(Arc::new(clock)), seconds)
    }

    fn millis(pace: &Pace) -> u128 {
        match pace {
            Pace::AtOnce => 0,
            Pace::Wait { delay, .. } => delay.as_millis(),
            Pace::Crowded => panic!("nobody waits"),
        }
    }

    #[test]
    fn each_failure_waits_twice_as_long_up_to_a_limit() {
        let (throttle, _) = throttle();
        let delays: Vec<_> =
            (0..9).map(|_| millis(&throttle.failed(from("192.0.2.1"), "alice"))).collect();
        assert_eq!(delays, [0, 0, 200, 400, 800, 1600, 3200, 6400, 10_000]);
        assert_eq!(delay(u32::MAX), Some(DELAY_MAX));
    }

    #[test]
    fn others_do_not_wait() {
        let (throttle, _) = throttle();
        for _ in 0..9 {
            throttle.failed(from("192.0.2.1"), "alice");
        }
        for (address, user) in [("192.0.2.2", "alice"), ("192.0.2.1", "bob"), ("::1", "alice")] {
            assert_eq!(millis(&throttle.failed(from(address), user)), 0, "{address} {user}");
        }
        // The same host in other words.
        assert_ne!(millis(&throttle.failed(from("::ffff:192.0.2.1"), "alice")), 0);
    }

    #[test]
    fn a_host_has_its_whole_network_of_version_6() {
        let (throttle, _) = throttle();
        for _ in 0..4 {
            throttle.failed(from("2001:db8::1"), "alice");
        }
        assert_ne!(millis(&throttle.failed(from("2001:db8::ffff:2"), "alice")), 0);
        assert_eq!(millis(&throttle.failed(from("2001:db8:0:1::1"), "alice")), 0);
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let same = |a: &str, b: &str| {
            neighbourhood(a.parse().unwrap()) == neighbourhood(b.parse().unwrap())
        };
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8:0:1::1", "2001:db8:0:2::1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
    }

    #[test]
    fn success_and_time_forget() {
        let (throttle, seconds) = throttle();
        let fail = || millis(&throttle.failed(from("192.0.2.1"), "alice"));
        let until_delayed = || (0..4).map(|_| fail()).max();
        assert_ne!(until_delayed(), Some(0));
        throttle.succeeded(from("192.0.2.1"), "alice");
        assert_eq!(fail(), 0);
        assert_ne!(until_delayed(), Some(0));
        seconds.fetch_add(i64::try_from(MEMORY.as_secs()).unwrap(), Ordering::Relaxed);
        assert_eq!(fail(), 0);
    }

    #[test]
    fn memory_and_waiting_are_bounded() {
        let (throttle, _) = throttle();
        for number in 0..3 * GENERATION_MAX {
            throttle.failed(from("192.0.2.1"), &number.to_string());
        }
        let (young, old) = {
            let failures = throttle.failures();
            (failures.young.len(), failures.old.len())
        };
        assert!(young <= GENERATION_MAX && old <= GENERATION_MAX, "{young} {old}");
        let long = "x".repeat(100_000);
        assert!(key(from("192.0.2.1"), &long).1.len() <= USER_LEN_MAX);

        let fail = || throttle.failed(from("192.0.2.1"), "alice");
        let mut waiting: Vec<_> = (0..FREE_FAILURES).map(|_| fail()).collect();
        waiting.extend((0..WAITING_MAX).map(|_| fail()));
        assert!(matches!(waiting.last(), Some(Pace::Wait { .. })));
        assert!(matches!(fail(), Pace::Crowded));
        drop(waiting);
        assert!(matches!(fail(), Pace::Wait { .. }));
    }
}
