//! What names stand for: most often one making, several until the server has confirmed the last.

use std::collections::HashMap;

/// A client could choose names that collide under a hash that it knows; this one is seeded anew
/// in each process.
type Hash = foldhash::quality::RandomState;

/// Unnamed makings for which an idle session keeps memory.
const UNNAMED_KEPT: usize = 4;

/// Makings by name, the last one at the end. The empty name, which clients use over and over, has
/// a place of its own that is kept.
pub(super) struct Makings<T> {
    unnamed: Vec<T>,
    named: HashMap<String, Vec<T>, Hash>,
}

impl<T> Default for Makings<T> {
    fn default() -> Self {
        Self { unnamed: Vec::new(), named: HashMap::default() }
    }
}

impl<T> Makings<T> {
    /// Everything that the name may stand for.
    pub(super) fn of(&self, name: &str) -> &[T] {
        if name.is_empty() {
            return &self.unnamed;
        }
        self.named.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn of_mut(&mut self, name: &str) -> &mut [T] {
        if name.is_empty() {
            return &mut self.unnamed;
        }
        self.named.get_mut(name).map(Vec::as_mut_slice).unwrap_or_default()
    }

    pub(super) fn push(&mut self, name: &str, making: T) {
        if name.is_empty() {
            self.unnamed.push(making);
        } else if let Some(makings) = self.named.get_mut(name) {
            makings.push(making);
        } else {
            self.named.insert(name.to_owned(), vec![making]);
        }
    }

    /// Keeps such makings of the name.
    pub(super) fn retain(&mut self, name: &str, such: impl FnMut(&T) -> bool) {
        if name.is_empty() {
            self.retain_unnamed(such);
        } else if let Some(makings) = self.named.get_mut(name) {
            makings.retain(such);
            if makings.is_empty() {
                self.named.remove(name);
            }
        }
    }

    /// Keeps such makings of all names.
    pub(super) fn retain_all(&mut self, mut such: impl FnMut(&T) -> bool) {
        self.retain_unnamed(&mut such);
        if !self.named.is_empty() {
            self.named.retain(|_, makings| {
                makings.retain(&mut such);
                !makings.is_empty()
            });
        }
    }

    /// After a long pipeline, its memory is given back.
    fn retain_unnamed(&mut self, such: impl FnMut(&T) -> bool) {
        self.unnamed.retain(such);
        if self.unnamed.is_empty() {
            self.unnamed.shrink_to(UNNAMED_KEPT);
        }
    }

    /// Names that stand for something, the empty one not counted.
    pub(super) fn names(&self) -> usize {
        self.named.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_there_as_long_as_something_was_made_under_it() {
        for (name, names) in [("", 0), ("a", 1)] {
            let mut makings = Makings::default();
            makings.push(name, 1);
            makings.push(name, 2);
            makings.push("other", 3);
            assert_eq!((makings.of(name), makings.names()), (&[1, 2][..], names + 1));
            makings.retain(name, |making| *making > 1);
            makings.of_mut(name)[0] = 4;
            assert_eq!(makings.of(name), [4]);
            makings.retain_all(|making| *making == 3);
            assert_eq!((makings.of(name), makings.names()), (&[][..], 1));
            makings.retain("other", |_| false);
            makings.retain("nobody", |_| false);
            assert_eq!((makings.of("other"), makings.names()), (&[][..], 0));
        }
    }
}
