//! The store out of reach: for how long grants count, and what happens when it is back.

use std::time::Duration;

use keyhole::store::approvals::{Approvals, Settings};

use crate::life::{Home, alice, dora, sees, user};
use crate::place::{database, grant, grants};
use crate::support::postgres::Extras;
use crate::support::wait::{now, until};
use crate::support::{Postgres, Tap, Version};

fn billing() -> keyhole::model::User {
    user("billing_app", &[], &[])
}

#[tokio::test]
async fn without_the_store_grants_count_for_max_staleness_and_again_when_it_is_back() {
    let server = Postgres::start(Version::V15);
    let database = database(&server, "outage_staleness");
    let home = database.home();
    let max_staleness = Duration::from_secs(3);
    let store = Approvals::open(Settings { max_staleness, ..home.settings() }).unwrap();
    grant(&store, "alice", "ssn", "before").await.unwrap();
    assert!(store.sync_age() < max_staleness);
    server.stop();
    let stopped = now();
    assert!(sees(&store, alice(), "ssn"), "it lives on for a while");
    let refused = grant(&store, "bob", "ssn", "meanwhile").await.unwrap_err();
    assert_eq!(refused.state, keyhole::model::SqlState::IO_ERROR, "{refused:?}");
    until("nothing counts", || (!sees(&store, billing(), "email")).then_some(()));
    assert!(stopped.elapsed() < max_staleness + Duration::from_secs(1));
    assert!(!sees(&store, alice(), "ssn"));
    assert!(store.sync_age() >= max_staleness, "{:?}", store.sync_age());
    server.start_again();
    until("it counts again", || sees(&store, alice(), "ssn").then_some(()));
    assert!(store.sync_age() < max_staleness, "{:?}", store.sync_age());
    assert!(grants(&store).iter().all(|(_, _, reason, _)| reason != "meanwhile"));
    grant(&store, "bob", "ssn", "after").await.unwrap();
}

#[tokio::test]
async fn a_revocation_that_happened_while_cut_off_counts_when_the_store_is_back() {
    let server = Postgres::start(Version::V18);
    let database = database(&server, "outage_catch_up");
    let tap = Tap::new(server.port());
    let far = Home::new(|_| database.location_through(tap.port()));
    let near = database.home();
    let (near, far) = (near.open(), far.open());
    let id = grant(&near, "alice", "ssn", "before").await.unwrap();
    until("it is heard of", || sees(&far, alice(), "ssn").then_some(()));
    // Whatever it says from now on is lost, and nobody tells it so.
    tap.lose_all();
    near.revoke(&dora(), id).await.unwrap();
    until("it is heard of", || (!sees(&far, alice(), "ssn")).then_some(()));
    assert!(sees(&far, billing(), "email"), "found well before max_staleness");
    grant(&far, "bob", "ssn", "after").await.unwrap();
}

#[test]
fn a_failover_is_followed() {
    let rules = "host replication all 127.0.0.1/32 scram-sha-256\n";
    let extras =
        Extras { settings: "wal_level = replica\nmax_wal_senders = 4\n", rules, files: &[] };
    let primary = Postgres::start_with(Version::V18, extras);
    let database = database(&primary, "outage_failover");
    let standby = primary.standby();
    // In the wrong order, too: the standby is asked first and will not do.
    let ports = [standby.port(), primary.port()];
    let home = Home::new(|_| database.location_of("keyhole", &ports));
    let store = home.open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(grant(&store, "alice", "ssn", "before")).unwrap();
    let events = database.events().len().to_string();
    until("the standby has it", || {
        let mut there = standby.admin(&database.name);
        let count = there.query("SELECT count(*) FROM keyhole.event");
        (count.error().is_none() && count.ok().scalar() == events).then_some(())
    });
    primary.stop();
    standby.admin("postgres").query("SELECT pg_promote()").ok();
    let again = || runtime.block_on(grant(&store, "bob", "ssn", "after")).ok();
    until("the other server is written", again);
    assert!(sees(&store, alice(), "ssn"));
    let there = standby.admin(&database.name).query("SELECT count(*) FROM keyhole.event").scalar();
    assert!(there > events, "{there} events");
}

#[tokio::test]
async fn a_connection_that_was_cut_between_two_changes_fails_neither() {
    let database = database(Postgres::shared(), "outage_cut");
    let home = database.home();
    let store = home.open();
    let mut admin = database.server.admin("postgres");
    let cut = format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{}'",
        database.name
    );
    for round in 0..10 {
        let id = grant(&store, "alice", "ssn", &format!("round {round}")).await.unwrap();
        let ended = admin.query(&cut).ok().rows().len();
        assert!(ended >= 1, "round {round}");
        store.revoke(&dora(), id).await.unwrap();
    }
}

#[tokio::test]
async fn a_proxy_that_stops_in_the_middle_does_not_keep_others_waiting_for_ever() {
    let database = database(Postgres::shared_18(), "outage_stopped");
    let home = database.home();
    let settings = Settings { max_staleness: Duration::from_secs(8), ..home.settings() };
    let store = Approvals::open(settings).unwrap();
    let target = crate::support::Target::new(
        database.server.port(),
        "keyhole",
        "store-secret",
        &database.name,
    );
    // As a proxy does it: its connections have this limit.
    let mut stopped = target.connect();
    stopped.query("SET idle_in_transaction_session_timeout = '1s'").ok();
    stopped.query("BEGIN; SELECT FROM keyhole.head FOR UPDATE").ok();
    grant(&store, "alice", "ssn", "waits").await.unwrap();
    assert!(sees(&store, alice(), "ssn"));
}
