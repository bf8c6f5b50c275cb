//! Numbers that nobody counts along the way: looked up now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::house::House;
use crate::discovery::drift::{DriftKind, Found, Severity};
use crate::grant::{GrantState, GrantView, Request, RequestState};
use crate::telemetry::labels::{Label, Part};

/// How old the numbers may be.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Keeps the gauges up to date.
pub(super) async fn keep_up(house: Arc<House>) {
    let mut changes = house.approvals.subscribe();
    let mut records = 0;
    house.metrics.start.set(house.now().as_second());
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
    metrics.requests_open.set(open.clone().count() as i64);
    let now = house.now();
    let waited = |request: &Request| now.duration_since(request.requested_at).as_secs();
    metrics.request_oldest.set(open.map(waited).max().unwrap_or(0).max(0));
    look_at_emergencies(house, &grants);
    let unready = house.unready();
    for part in Part::ALL {
        let is_it = unready.iter().any(|unready| unready.part == *part);
        metrics.unready.of(*part).set(i64::from(is_it));
    }
    look_at_drift(house);
    metrics.notifications_waiting.set(house.notices.waiting().try_into().unwrap_or(i64::MAX));
    // The gauges of sinks are set by it.
    house.sinks.look(now);
    let needed = house.sinks.behind().map_or(0, |at| at.seq);
    metrics.sinks.needed.set(needed.try_into().unwrap_or(i64::MAX));
    metrics.store_sync_age.set(house.approvals.sync_age().as_secs_f64());
    metrics.audit_failing.set(i64::from(!house.audit.healthy()));
    let stats = house.audit.stats();
    metrics.audit_records.inc_by(stats.records.saturating_sub(*records));
    metrics.audit_lost.inc_by(stats.lost.saturating_sub(metrics.audit_lost.get()));
    *records = stats.records;
}

/// Over all databases; what is hidden or refused already is no alarm.
fn look_at_drift(house: &House) {
    let sites = house.databases.list();
    let drift: Vec<_> = sites.iter().map(|site| site.drift.load_full()).collect();
    for kind in <DriftKind as Label>::ALL {
        let is_one =
            |found: &&Found| found.drift.kind == *kind && found.drift.severity != Severity::Note;
        let count = drift.iter().flat_map(|found| found.iter()).filter(is_one).count();
        house.metrics.catalog_drift.of(*kind).set(count.try_into().unwrap_or(i64::MAX));
    }
}

/// Break-glass grants, each of which somebody has to review.
fn look_at_emergencies(house: &House, grants: &[GrantView]) {
    let emergencies = grants.iter().filter(|view| view.grant.review.is_some());
    let live = emergencies.filter(|view| view.state == GrantState::Active).count();
    house.metrics.break_glass_live.set(live as i64);
    house.metrics.break_glass_unreviewed.set(house.approvals.unreviewed_count() as i64);
}
