//! How many requests somebody may send over HTTP: a bucket for each, that fills evenly and holds a
//! minute's worth. Memory is bounded; who is forgotten has a full bucket again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::auth::throttle::neighbourhood;
use crate::model::{Timestamp, User};

/// Buckets in each of two generations, as in the throttle of logins: 2 MB in the worst case.
const GENERATION_MAX: usize = 10_000;

/// Bytes of a user's name that count.
const USER_LEN_MAX: usize = 64;

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Payer(Whose);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whose {
    User(Box<str>),
    Address(IpAddr),
}

impl Payer {
    pub(super) fn user(user: &User) -> Self {
        Self(Whose::User(user.name.chars().take(USER_LEN_MAX).collect()))
    }

    /// Of IPv6, a network of 64 bits, as whoever has an address of it has all.
    pub(super) fn address(address: IpAddr) -> Self {
        Self(Whose::Address(neighbourhood(address)))
    }
}

/// The buckets.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    young: HashMap<Payer, Bucket>,
    old: HashMap<Payer, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    requests: f64,
    at: Timestamp,
}

/// How long it takes until there is room for a request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait(pub(super) Duration);

impl Pace {
    /// Takes one request out of the payer's bucket, which holds `per_minute`.
    ///
    /// # Errors
    /// It is empty.
    pub(super) fn take(&self, payer: Payer, per_minute: u32, now: Timestamp) -> Result<(), Wait> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bucket = buckets.look(&payer, per_minute, now);
        let taken = bucket.room(per_minute);
        if taken.is_ok() {
            bucket.requests -= 1.0;
        }
        buckets.keep(payer, bucket);
        taken
    }

    /// Gives one request back.
    pub(super) fn give_back(&self, payer: Payer, per_minute: u32, now: Timestamp) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bucket = buckets.look(&payer, per_minute, now);
        bucket.requests = (bucket.requests + 1.0).min(f64::from(per_minute));
        buckets.keep(payer, bucket);
    }
}

impl Buckets {
    fn look(&self, payer: &Payer, per_minute: u32, now: Timestamp) -> Bucket {
        let most = f64::from(per_minute);
        let known = self.young.get(payer).or_else(|| self.old.get(payer));
        let Some(Bucket { requests, at }) = known else {
            return Bucket { requests: most, at: now };
        };
        // A clock that goes back fills nothing.
        let passed = Duration::try_from(now.duration_since(*at)).unwrap_or_default();
        let requests = (requests + passed.as_secs_f64() * most / 60.0).min(most);
        // Nor does a request that began long ago have the time since then count once more.
        Bucket { requests, at: now.max(*at) }
    }

    fn keep(&mut self, payer: Payer, bucket: Bucket) {
        if self.young.len() >= GENERATION_MAX && !self.young.contains_key(&payer) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(payer, bucket);
    }
}

impl Bucket {
    fn room(&self, per_minute: u32) -> Result<(), Wait> {
        if self.requests >= 1.0 {
            return Ok(());
        }
        Err(Wait(Duration::from_secs_f64((1.0 - self.requests) * 60.0 / f64::from(per_minute))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn from(address: &str) -> Payer {
        Payer::address(address.parse().unwrap())
    }

    #[test]
    fn a_minutes_worth_comes_at_once_and_then_evenly() {
        let pace = Pace::default();
        let take = |second| pace.take(from("192.0.2.1"), 6, at(second));
        assert!((0..6).all(|_| take(0).is_ok()));
        assert_eq!(take(0), Err(Wait(Duration::from_secs(10))));
        assert_eq!(take(5), Err(Wait(Duration::from_secs(5))));
        assert_eq!(take(10), Ok(()));
        assert_eq!(take(10), Err(Wait(Duration::from_secs(10))));
        assert!((0..6).all(|_| take(1_000).is_ok()) && take(1_000).is_err());
        // Back in time.
        assert!(take(0).is_err());
    }

    #[test]
    fn what_began_long_ago_fills_nothing_twice() {
        let pace = Pace::default();
        let take = |second| pace.take(from("192.0.2.1"), 6, at(second));
        assert!((0..6).all(|_| take(0).is_ok()));
        assert_eq!((take(10), take(0).is_err()), (Ok(()), true));
        assert!(take(10).is_err(), "ten seconds are one request");
        pace.give_back(from("192.0.2.1"), 6, at(0));
        assert_eq!((take(10), take(10).is_err()), (Ok(()), true));
        for _ in 0..9 {
            pace.give_back(from("192.0.2.1"), 6, at(10));
        }
        assert!((0..6).all(|_| take(10).is_ok()) && take(10).is_err(), "no more than it holds");
    }

    #[test]
    fn others_have_buckets_of_their_own() {
        let pace = Pace::default();
        let user = |name| Payer::user(&User::nobody(name));
        for payer in [from("192.0.2.1"), from("192.0.2.2"), user("alice"), user("192.0.2.1")] {
            assert_eq!(pace.take(payer.clone(), 1, at(0)), Ok(()), "{payer:?}");
            assert!(pace.take(payer, 1, at(0)).is_err());
        }
        for same in ["::ffff:192.0.2.1", "192.0.2.2"] {
            assert!(pace.take(from(same), 1, at(0)).is_err());
        }
        assert!(pace.take(from("2001:db8::1"), 1, at(0)).is_ok());
        assert!(pace.take(from("2001:db8::2"), 1, at(0)).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let pace = Pace::default();
        for number in 0..3 * GENERATION_MAX {
            let user = User::nobody(&number.to_string());
            pace.take(Payer::user(&user), 1, at(0)).unwrap();
        }
        let buckets = pace.0.lock().unwrap();
        assert!(buckets.young.len() <= GENERATION_MAX && buckets.old.len() <= GENERATION_MAX);
    }
}
