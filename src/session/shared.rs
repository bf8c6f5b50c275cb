//! What a statement's record is made of: lists that are empty for most statements, and the same
//! for every run of a prepared one. Empty ones take no memory, others are shared.

use std::ops::Deref;
use std::sync::Arc;

use crate::decision::Release;

/// A list that does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shared<T>(Option<Arc<[T]>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<Vec<T>> for Shared<T> {
    fn from(items: Vec<T>) -> Self {
        Self(if items.is_empty() { None } else { Some(items.into()) })
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<T: Clone> Shared<T> {
    /// Adds the items of another list behind those that are there.
    pub(super) fn append(&mut self, more: &Self) {
        if self.0.is_none() {
            self.clone_from(more);
        } else if more.0.is_some() {
            *self = [&**self, &**more].concat().into();
        }
    }
}

/// What a statement shows raw: mostly nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SharedRelease(Option<Arc<Release>>);

impl From<Release> for SharedRelease {
    fn from(release: Release) -> Self {
        Self(if release == *Release::nothing() { None } else { Some(Arc::new(release)) })
    }
}

impl Deref for SharedRelease {
    type Target = Release;

    fn deref(&self) -> &Release {
        self.0.as_deref().unwrap_or(Release::nothing())
    }
}

impl SharedRelease {
    pub(super) fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (_, None) => {}
            (None, Some(_)) => self.clone_from(other),
            (Some(release), Some(other)) => Arc::make_mut(release).merge(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_put_together_and_empty_ones_are_nothing() {
        let (empty, one) = (Shared::from(Vec::new()), Shared::from(vec![1]));
        assert_eq!(empty, Shared::default());
        for (first, second, all) in [
            (&empty, &empty, vec![]),
            (&empty, &one, vec![1]),
            (&one, &empty, vec![1]),
            (&one, &Shared::from(vec![1, 2]), vec![1, 1, 2]),
        ] {
            let mut list = first.clone();
            list.append(second);
            assert_eq!(list, Shared::from(all));
        }
    }
}
