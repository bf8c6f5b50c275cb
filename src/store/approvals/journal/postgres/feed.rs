//! Events for those who follow them, a page at a time.

use tokio::time::timeout;
use tokio_postgres::Row;

use super::Journal;
use crate::grant::{Origin, RecordedEvent};
use crate::store::approvals::StoreError;
use crate::store::approvals::journal::recorded;

const PAGE: &str =
    "SELECT id, mark, at, body FROM keyhole.event WHERE id > $1 ORDER BY id LIMIT $2";

impl Journal {
    /// The first `count` events after `sequence`, and whether their marks are this proxy's.
    pub(in crate::store::approvals::journal) fn page_after(
        &mut self,
        sequence: u64,
        count: usize,
    ) -> Result<Vec<(RecordedEvent, Origin)>, StoreError> {
        let session = self.session()?;
        let from = i64::try_from(sequence).unwrap_or(i64::MAX);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let paging =
            async { timeout(self.patience, session.client().query(PAGE, &[&from, &count])).await };
        let rows = match self.runtime.block_on(paging) {
            Ok(Ok(rows)) => rows,
            Ok(Err(source)) => return Err(self.failed(source)),
            Err(_) => return Err(self.late(self.patience)),
        };
        self.session = Some(session);
        rows.iter().map(|row| self.told(row)).collect()
    }

    fn told(&self, row: &Row) -> Result<(RecordedEvent, Origin), StoreError> {
        let id: i64 = row.try_get(0).map_err(|source| self.failed(source))?;
        let column = |at: usize| row.try_get::<_, &str>(at).map_err(|source| self.failed(source));
        let event = recorded(id, column(2)?, column(3)?);
        let event = event.ok_or(StoreError::Corrupt { event: id })?;
        let ours = column(1)?.starts_with(&self.proxy);
        Ok((event, if ours { Origin::Here } else { Origin::Elsewhere }))
    }
}
