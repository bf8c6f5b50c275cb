//! How many different ones there were, in little memory.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// So many of the smallest hashes are kept: up to as many different ones are counted exactly,
/// more to within a few percent.
const KEPT_MAX: usize = 512;

/// Keyed hashes are spread evenly, so the smallest of them tell how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sketch {
    smallest: BTreeSet<u64>,
}

impl Sketch {
    /// Takes the hash, in hexadecimal digits, of one.
    pub(super) fn add(&mut self, relation: &str, key: &str) {
        // Hashes of different relations are of different keys, or of one that both share.
        let salt = relation.bytes().fold(0xcbf2_9ce4_8422_2325, fnv);
        let hash = mixed(key.bytes().fold(salt, fnv));
        self.smallest.insert(hash);
        if self.smallest.len() > KEPT_MAX {
            self.smallest.pop_last();
        }
    }

    pub(super) fn count(&self) -> u64 {
        let kept = self.smallest.len();
        match self.smallest.last() {
            Some(last) if kept == KEPT_MAX => {
                let share = u128::from(*last) + 1;
                let count = ((KEPT_MAX as u128 - 1) << 64) / share;
                u64::try_from(count).unwrap_or(u64::MAX)
            }
            _ => kept as u64,
        }
    }
}

fn fnv(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
}

/// The finalizer of splitmix64: FNV's high bits alone are not even enough.
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u64) -> Sketch {
        let mut sketch = Sketch::default();
        for number in (0..count).chain(0..count) {
            sketch.add("public.customers", &format!("{number:016x}"));
        }
        sketch
    }

    #[test]
    fn few_are_counted_exactly_and_many_to_within_a_tenth() {
        for count in [0, 1, 200, 511] {
            assert_eq!(of(count).count(), count);
        }
        for count in [1_000_u64, 20_000, 100_000] {
            let estimate = of(count).count();
            assert!(estimate.abs_diff(count) * 10 < count, "{estimate} of {count}");
        }
    }
}
