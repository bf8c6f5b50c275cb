//! Events as rows, and rows as events.

use tokio_postgres::{Error, Row};

use super::schema::VERSION;
use crate::grant::RecordedEvent;
use crate::model::Timestamp;
use crate::store::approvals::StoreError;
use crate::store::approvals::journal::local::Position;
use crate::store::approvals::journal::recorded;

/// Times are microseconds since 1970.
pub(super) const READ: &str = "SELECT h.version, h.store_id, h.sequence, \
     (extract(epoch FROM h.seen_at) * 1000000)::bigint, \
     (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, \
     e.id, e.mark, e.at, e.body \
     FROM keyhole.head h LEFT JOIN keyhole.event e ON e.id >= $1 ORDER BY e.id";

/// What a reading brought.
pub(super) struct Found {
    pub(super) store_id: String,
    /// The number of the last event.
    pub(super) sequence: u64,
    pub(super) seen_at: Option<Timestamp>,
    pub(super) time: Option<Timestamp>,
    /// In order, as are the events that belong to them.
    pub(super) positions: Vec<Position>,
    pub(super) events: Vec<Result<RecordedEvent, StoreError>>,
}

impl Found {
    pub(super) fn read(rows: &[Row], place: &str) -> Result<Self, StoreError> {
        let failed = |source: Error| StoreError::Database { place: place.to_owned(), source };
        let head = rows.first().ok_or_else(|| StoreError::Headless { place: place.to_owned() })?;
        let version: i32 = head.try_get(0).map_err(failed)?;
        if version > VERSION {
            let place = place.to_owned();
            return Err(StoreError::Newer { place, found: version, known: VERSION });
        }
        let time = |column: usize| {
            let micros: Option<i64> = head.try_get(column).map_err(failed)?;
            Ok::<_, StoreError>(micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()))
        };
        let sequence: i64 = head.try_get(2).map_err(failed)?;
        let mut found = Self {
            store_id: head.try_get(1).map_err(failed)?,
            sequence: u64::try_from(sequence)
                .map_err(|_| StoreError::Corrupt { event: sequence })?,
            seen_at: time(3)?,
            time: time(4)?,
            positions: Vec::with_capacity(rows.len()),
            events: Vec::with_capacity(rows.len()),
        };
        for row in rows {
            // Without events, the head stands alone.
            let Some(id) = row.try_get::<_, Option<i64>>(5).map_err(failed)? else { break };
            let corrupt = || StoreError::Corrupt { event: id };
            let sequence = u64::try_from(id).map_err(|_| corrupt())?;
            let mark: String = row.try_get(6).map_err(failed)?;
            let (at, body): (&str, &str) =
                (row.try_get(7).map_err(failed)?, row.try_get(8).map_err(failed)?);
            found.positions.push(Position { sequence, mark });
            found.events.push(recorded(id, at, body).ok_or_else(corrupt));
        }
        Ok(found)
    }
}

/// Events as columns.
pub(super) struct Written {
    pub(super) ids: Vec<i64>,
    pub(super) at: Vec<String>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) bodies: Vec<String>,
    pub(super) last: i64,
}

impl Written {
    pub(super) fn new(events: &[RecordedEvent]) -> Result<Self, StoreError> {
        let number = |event: &RecordedEvent| i64::try_from(event.sequence).unwrap_or(i64::MAX);
        let body = |event: &RecordedEvent| {
            let text = serde_json::to_string(&event.event);
            text.map_err(|_| StoreError::Corrupt { event: number(event) })
        };
        Ok(Self {
            ids: events.iter().map(number).collect(),
            at: events.iter().map(|event| event.at.to_string()).collect(),
            kinds: events.iter().map(|event| event.event.kind()).collect(),
            bodies: events.iter().map(body).collect::<Result<_, _>>()?,
            last: events.last().map_or(0, number),
        })
    }
}
