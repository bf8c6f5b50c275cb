//! Numbers that nobody counts along the way: looked up now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::house::House;
use crate::grant::{GrantState, RequestState};

/// How old the numbers may be.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Keeps the gauges up to date.
pub(super) async fn keep_up(house: Arc<House>) {
    let mut changes = house.approvals.subscribe();
    let mut records = 0;
    loop {
        look(&house, &mut records);
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            // The store lives as long as the house.
            _ = changes.changed() => {}
        }
    }
}

fn look(house: &House, records: &mut u64) {
    let metrics = &house.metrics;
    let grants = house.approvals.grants();
    let live = grants.iter().filter(|view| match view.state {
        GrantState::Active | GrantState::Standing => true,
        GrantState::Scheduled
        | GrantState::Expired
        | GrantState::Revoked
        | GrantState::Exhausted => false,
    });
    metrics.grants_live.set(live.count() as i64);
    let requests = house.approvals.requests();
    let open = requests.iter().filter(|request| request.state == RequestState::Pending);
    metrics.requests_open.set(open.count() as i64);
    metrics.notifications_waiting.set(house.notices.waiting().try_into().unwrap_or(i64::MAX));
    // The gauges of sinks are set by it.
    house.sinks.look(house.now());
    let needed = house.sinks.behind().map_or(0, |at| at.seq);
    metrics.sinks.needed.set(needed.try_into().unwrap_or(i64::MAX));
    metrics.store_sync_age.set(house.approvals.sync_age().as_secs_f64());
    metrics.audit_failing.set(i64::from(!house.audit.healthy()));
    let now = house.audit.stats().records;
    metrics.audit_records.inc_by(now.saturating_sub(*records));
    *records = now;
}
