//! For whom no grant counts.

use std::sync::Arc;

use super::LiveTable;
use crate::model::Timestamp;

impl LiveTable {
    /// From now on no grant counts for the user, until that moment or until they resume.
    pub fn suspend(&mut self, user: &str, until: Option<Timestamp>) {
        Arc::make_mut(&mut self.suspended).insert(user.into(), until);
    }

    /// Grants count again for the user.
    pub fn resume(&mut self, user: &str) {
        Arc::make_mut(&mut self.suspended).remove(user);
    }

    pub(super) fn is_suspended(&self, user: &str, now: Timestamp) -> bool {
        !self.suspended.is_empty()
            && self.suspended.get(user).is_some_and(|until| until.is_none_or(|end| now < end))
    }
}
