//! Who is here how often: connections by address, sessions by user.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// How many of each there are.
#[derive(Debug)]
pub(super) struct Crowd<K: Eq + Hash> {
    counts: Mutex<HashMap<K, usize>>,
}

/// One of them, until dropped.
#[derive(Debug)]
pub(super) struct Member<K: Eq + Hash> {
    crowd: Arc<Crowd<K>>,
    key: K,
    /// How many there were with this one when it came.
    pub(super) number: usize,
}

impl<K: Eq + Hash> Default for Crowd<K> {
    fn default() -> Self {
        Self { counts: Mutex::default() }
    }
}

impl<K: Eq + Hash + Clone> Crowd<K> {
    pub(super) fn enter(self: &Arc<Self>, key: K) -> Member<K> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        *count += 1;
        Member { crowd: Arc::clone(self), key, number: *count }
    }
}

impl<K: Eq + Hash> Drop for Member<K> {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_counted_as_long_as_they_stay() {
        let crowd = Arc::new(Crowd::default());
        let (one, two, other) = (crowd.enter("a"), crowd.enter("a"), crowd.enter("b"));
        assert_eq!([one.number, two.number, other.number], [1, 2, 1]);
        drop(one);
        assert_eq!(crowd.enter("a").number, 2);
        drop((two, other));
        assert!(crowd.counts.lock().unwrap().is_empty(), "nothing is kept of who has left");
    }
}
