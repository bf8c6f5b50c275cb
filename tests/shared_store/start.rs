//! How a proxy comes to its store, and when it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyhole::model::Timestamp;
use keyhole::store::approvals::{
    Approvals, Clock, Settings, StoreError, adopt, identify, peek, steady_clock,
};

use crate::life::{Home, alice, covers, dora, sees, standing, user};
use crate::place::{database, grant, grants};
use crate::support::wait::until;
use crate::support::{Postgres, Version};

#[test]
fn proxies_that_start_at_once_make_one_store() {
    for (server, name) in
        [(Postgres::shared(), "start_once_15"), (Postgres::shared_18(), "start_once_18")]
    {
        let database = database(server, name);
        let homes: Vec<Home> = (0..6).map(|_| database.home()).collect();
        let stores: Vec<Approvals> = std::thread::scope(|scope| {
            let opening: Vec<_> = homes.iter().map(|home| scope.spawn(|| home.open())).collect();
            opening.into_iter().map(|opening| opening.join().expect("opens")).collect()
        });
        assert_eq!(database.events(), [(1, "standing_added".to_owned())]);
        for store in &stores {
            assert!(sees(store, user("billing_app", &[], &[]), "email"));
        }
    }
}

#[test]
fn a_store_of_a_later_program_is_refused() {
    let database = database(Postgres::shared(), "start_newer");
    let home = database.home();
    let settings = Settings { max_staleness: Duration::from_secs(1), ..home.settings() };
    let store = Approvals::open(settings).unwrap();
    database.admin().query("UPDATE keyhole.head SET version = 2").ok();
    let error = Approvals::open(database.home().settings()).err().expect("refused");
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    let billing = || user("billing_app", &[], &[]);
    until("nothing counts any more", || (!sees(&store, billing(), "email")).then_some(()));
    database.admin().query("UPDATE keyhole.head SET version = 1").ok();
    until("it counts again", || sees(&store, billing(), "email").then_some(()));
}

#[test]
fn without_the_right_to_make_the_schema_the_statement_for_it_is_told() {
    let database = database(Postgres::shared(), "start_rights");
    let mut admin = database.admin();
    admin.query("CREATE ROLE limited LOGIN PASSWORD 'store-secret'").ok();
    let home = Home::new(|_| database.location_as("limited", database.server.port()));
    for error in [Approvals::open(home.settings()).err(), identify(&home.location).err()] {
        let error = error.expect("refused");
        let StoreError::Schema { sql, .. } = &error else { panic!("{error}") };
        assert_eq!(sql, "CREATE SCHEMA keyhole AUTHORIZATION limited");
        assert!(error.to_string().contains(sql), "{error}");
    }
    admin.query("CREATE SCHEMA keyhole AUTHORIZATION limited").ok();
    assert_eq!(identify(&home.location).unwrap(), None);
    drop(home.open());
    let id = identify(&home.location).unwrap().expect("it is there");
    assert_eq!(id.len(), 32);
}

#[test]
fn a_role_that_may_only_add_is_enough_once_the_tables_are_there() {
    let database = database(Postgres::shared_18(), "start_adds");
    drop(database.home().open());
    let mut admin = database.admin();
    admin.query("CREATE ROLE adds LOGIN PASSWORD 'store-secret'").ok();
    for right in [
        "USAGE ON SCHEMA keyhole",
        "SELECT, UPDATE ON keyhole.head",
        "SELECT, INSERT ON keyhole.event",
    ] {
        admin.query(&format!("GRANT {right} TO adds")).ok();
    }
    let home = Home::new(|_| database.location_as("adds", database.server.port()));
    let store = home.open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(grant(&store, "alice", "ssn", "added")).unwrap();
    assert!(sees(&store, alice(), "ssn"));
}

#[test]
fn events_are_neither_changed_nor_removed_by_their_own_role() {
    let database = database(Postgres::shared(), "start_append_only");
    drop(database.home().open());
    let target = crate::support::Target::new(
        database.server.port(),
        "keyhole",
        "store-secret",
        &database.name,
    );
    let mut owner = target.connect();
    for sql in
        ["UPDATE keyhole.event SET at = at", "DELETE FROM keyhole.event", "TRUNCATE keyhole.event"]
    {
        assert_eq!(owner.query(sql).code(), "42501", "{sql}");
    }
}

#[test]
fn an_audit_log_of_another_store_is_refused_until_it_is_adopted() {
    let (one, other) = (
        database(Postgres::shared(), "start_store_one"),
        database(Postgres::shared(), "start_store_other"),
    );
    let home = one.home();
    drop(home.open());
    drop(other.home().open());
    let mixed = || Approvals::open(Settings { location: other.location(), ..home.settings() });
    let error = mixed().err().expect("refused");
    let ids = [&one, &other]
        .map(|database| identify(&database.location()).unwrap().expect("it is there"));
    let told = error.to_string();
    assert!(ids.iter().all(|id| told.contains(id)) && told.contains("store adopt"), "{told}");
    adopt(&home.folder(), &ids[1]).unwrap();
    drop(mixed().expect("adopted"));
}

#[tokio::test]
async fn a_look_from_outside_sees_what_proxies_see() {
    let database = database(Postgres::shared_18(), "start_peek");
    let location = database.location();
    let look = || {
        let (location, now) = (location.clone(), steady_clock()());
        std::thread::spawn(move || peek(&location, &standing(), now)).join().expect("no panic")
    };
    assert!(look().is_ok(), "nothing is there yet");
    assert_eq!(database.admin().query("SELECT to_regnamespace('keyhole') IS NULL").scalar(), "t");
    let home = database.home();
    let store = home.open();
    grant(&store, "alice", "ssn", "seen").await.unwrap();
    let table = look().unwrap();
    let now = steady_clock()();
    assert!(covers(&table, alice(), "ssn", now));
    assert!(covers(&table, user("billing_app", &[], &[]), "email", now));
    assert!(!covers(&table, user("bob", &[], &[]), "ssn", now));
}

/// The wall clock, and some seconds that can be set.
fn shifted() -> (Clock, Arc<AtomicI64>) {
    let (shift, steady) = (Arc::new(AtomicI64::new(0)), steady_clock());
    let source = Arc::clone(&shift);
    let clock = move || {
        let secs = source.load(Ordering::SeqCst);
        let now: Timestamp = steady();
        Timestamp::from_nanosecond(now.as_nanosecond() + i128::from(secs) * 1_000_000_000)
            .expect("in range")
    };
    (Arc::new(clock), shift)
}

#[test]
fn a_clock_that_is_not_the_databases_is_refused_at_the_start() {
    let database = database(Postgres::shared(), "start_clock");
    for secs in [-3600, -7, 7, 3600] {
        let (clock, shift) = shifted();
        shift.store(secs, Ordering::SeqCst);
        let home = database.home();
        let error = Approvals::open(Settings { clock, ..home.settings() }).err().expect("refused");
        assert!(matches!(error, StoreError::Skew { .. }), "{secs}: {error}");
    }
    for secs in [-3, 3] {
        let (clock, shift) = shifted();
        shift.store(secs, Ordering::SeqCst);
        let home = database.home();
        drop(Approvals::open(Settings { clock, ..home.settings() }).expect("a little is nothing"));
    }
}

#[test]
fn while_the_clock_is_wrong_nothing_counts() {
    let database = database(Postgres::shared_18(), "start_clock_later");
    let home = database.home();
    let (clock, shift) = shifted();
    let settings = Settings { clock, max_staleness: Duration::from_secs(2), ..home.settings() };
    let store = Approvals::open(settings).unwrap();
    let billing = || user("billing_app", &[], &[]);
    assert!(sees(&store, billing(), "email"));
    shift.store(60, Ordering::SeqCst);
    until("nothing counts any more", || (!sees(&store, billing(), "email")).then_some(()));
    shift.store(0, Ordering::SeqCst);
    until("it counts again", || sees(&store, billing(), "email").then_some(()));
}

#[tokio::test]
async fn a_grant_by_a_proxy_whose_clock_is_ahead_ends_no_later() {
    let database = database(Postgres::shared(), "start_clock_ahead");
    let (fast, right) = (database.home(), database.home());
    let right = right.open();
    for secs in [4, -4] {
        let (clock, shift) = shifted();
        shift.store(secs, Ordering::SeqCst);
        let fast = Approvals::open(Settings { clock, ..fast.settings() }).unwrap();
        let id = grant(&fast, "alice", "ssn", "ahead").await.unwrap();
        let latest = right.now().checked_add(crate::life::HALF_HOUR).expect("in range");
        let view =
            until("it is heard of", || right.grants().into_iter().find(|view| view.grant.id == id));
        assert!(view.grant.expires_at.expect("an end") <= latest, "{secs}");
        right.revoke(&dora(), id).await.unwrap();
    }
}

#[tokio::test]
async fn the_last_configuration_decides_on_standing_grants() {
    let database = database(Postgres::shared(), "start_standing");
    let (one, two) = (database.home(), database.home());
    let first = one.open();
    let billing = || user("billing_app", &[], &[]);
    assert!(sees(&first, billing(), "email"));
    let second = Approvals::open(Settings { standing: Vec::new(), ..two.settings() }).unwrap();
    assert!(!sees(&second, billing(), "email"));
    until("the other heard", || (!sees(&first, billing(), "email")).then_some(()));
    first.replace_policies(crate::life::policies(), standing()).await.unwrap();
    until("both heard", || sees(&second, billing(), "email").then_some(()));
    assert_eq!(grants(&first), grants(&second));
}

#[test]
fn what_was_acknowledged_survives_a_crash_of_the_database() {
    // The fixture's servers have synchronous_commit off.
    let server = Postgres::start(Version::V18);
    let database = database(&server, "start_crash");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let home = database.home();
    for round in 0..3 {
        let store = home.open();
        let reason = format!("round {round}");
        runtime.block_on(grant(&store, "alice", "ssn", &reason)).unwrap();
        server.crash();
        drop(store);
        server.start_again();
        let kept = home.open();
        assert!(grants(&kept).iter().any(|(_, _, found, _)| *found == reason), "{reason}");
        let reason = format!("round {round}, another");
        runtime.block_on(grant(&kept, "bob", "ssn", &reason)).unwrap();
    }
}
