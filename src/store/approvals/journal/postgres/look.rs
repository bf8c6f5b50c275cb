//! A look at the store from outside, which writes nothing.

use super::FIRST_READING;
use super::rows::Found;
use super::schema;
use super::session::{Line, Lock};
use crate::store::approvals::StoreError;
use crate::store::approvals::journal::Kept;
use crate::store::approvals::settings::Shared;

/// The store as it is; None if there are no tables.
pub(in crate::store::approvals::journal) fn look(
    store: &Shared,
) -> Result<Option<Kept>, StoreError> {
    once(async {
        let Some(line) = visit(store).await? else { return Ok(None) };
        let session = line.prepare(&store.place).await?;
        let reading = session.read(Lock::None, 0).await;
        let failed = |source| StoreError::Database { place: store.place.clone(), source };
        let Found { events, seen_at, .. } = Found::read(&reading.map_err(failed)?, &store.place)?;
        let events = events.into_iter().collect::<Result<_, _>>()?;
        Ok(Some(Kept { events, seen_at }))
    })
}

/// Which store it is; None if there are no tables yet and they can be made.
pub(in crate::store::approvals::journal) fn identify(
    store: &Shared,
) -> Result<Option<String>, StoreError> {
    once(async {
        let Some(line) = visit(store).await? else { return Ok(None) };
        schema::store_id(&line.client, &store.place).await.map(Some)
    })
}

/// A connection that writes nothing.
async fn visit(store: &Shared) -> Result<Option<Line>, StoreError> {
    let line = Line::open(store, FIRST_READING).await?;
    if schema::version(&line.client, &store.place).await?.is_none() {
        schema::may_create(&line.client, &store.place).await?;
        return Ok(None);
    }
    Ok(Some(line))
}

fn once<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let runtime = crate::store::approvals::runtime().map_err(StoreError::Thread)?;
    runtime.block_on(work)
}
