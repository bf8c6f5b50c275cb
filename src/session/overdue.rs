//! A release whose grant ends before the server has said anything of its result: what it says may
//! stand in a buffer of its own, behind answers to earlier messages, for as long as that is not
//! full. So the statement is cancelled when the grant ends, and not when its rows come.

use super::queue::{Expected, Queue};
use super::{Cancel, Effects, Env, Session};
use crate::decision::Release;
use crate::model::{Report, SqlState};

/// Whether what is under way was cancelled because its grant has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overdue {
    #[default]
    No,
    Cancelled,
}

impl Queue {
    /// What may stream already although the front is something before it: the next release of the
    /// same message, or of the same batch behind messages that run nothing.
    pub(super) fn coming_release(&self) -> Option<&Release> {
        for expected in self.iter() {
            match expected {
                Expected::Parse { .. }
                | Expected::Bind { .. }
                | Expected::Close { .. }
                | Expected::DescribeStatement { .. }
                | Expected::DescribePortal { .. } => {}
                Expected::Query { runs, at } => {
                    let mut releases = runs.iter().skip(*at).map(|run| &*run.release);
                    return releases.find(|release| !release.is_empty());
                }
                Expected::Execute { run, .. } => {
                    return Some(&*run.release).filter(|release| !release.is_empty());
                }
                Expected::Sync
                | Expected::OwnSync
                | Expected::Path { .. }
                | Expected::Own { .. }
                | Expected::Refused { .. } => return None,
            }
        }
        None
    }
}

impl Session {
    /// Has the server stop what must not be shown any more.
    pub(super) fn cancel_overdue(&mut self, env: Env<'_>, out: &mut Effects) {
        if self.overdue == Overdue::Cancelled || self.queue.front_release().is_some() {
            return;
        }
        let Some(release) = self.queue.coming_release() else { return };
        if !release.holds(self.standpoint(env)) {
            self.overdue = Overdue::Cancelled;
            out.cancel = Some(Cancel::Statement);
        }
    }

    /// What the client is told where the server says that it was cancelled.
    pub(super) fn overdue(&self, state: SqlState, env: Env<'_>) -> Option<Box<Report>> {
        let ours = self.overdue == Overdue::Cancelled && state == SqlState::QUERY_CANCELED;
        let columns = self.queue.coming_release().map(|release| release.columns.as_slice());
        ours.then(|| super::plan::ended(env.world, columns.unwrap_or_default()).into())
    }
}
