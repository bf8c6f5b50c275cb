//! The store's events for those who follow them at their own pace.

use tokio::sync::{oneshot, watch};

use super::writer::Command;
use super::{Approvals, stopped};
use crate::grant::{GrantId, GrantView, Origin, RecordedEvent, Request, RequestId};
use crate::model::Report;

impl Approvals {
    /// Which store this is, for as long as it exists: numbers of events mean something in it only.
    pub fn store_id(&self) -> &str {
        self.inner.shared.store_id()
    }

    /// The last event that is in the store and that the sink took; wakes at each further one.
    pub fn recorded(&self) -> watch::Receiver<u64> {
        self.inner.shared.recorded.subscribe()
    }

    /// The events behind `sequence` that the sink took, in order, at most `count`, and whether this
    /// proxy wrote them. Waits behind
    /// changes under way; cancel safe.
    ///
    /// # Errors
    /// The store cannot be read now.
    pub async fn events_after(
        &self,
        sequence: u64,
        count: usize,
    ) -> Result<Vec<(RecordedEvent, Origin)>, Report> {
        let (answer, done) = oneshot::channel();
        self.send(Command::Read { sequence, count, answer })?;
        done.await.map_err(|_| stopped())?
    }

    /// A request that is pending or was decided in the last day.
    pub fn find_request(&self, id: RequestId) -> Option<Request> {
        self.inner.shared.ledger().request_view(id)
    }

    /// A grant that counts, will count or ended in the last day.
    pub fn find_grant(&self, id: GrantId) -> Option<GrantView> {
        self.inner.shared.ledger().grant_view(id, self.now())
    }
}
