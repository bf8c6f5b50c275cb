//! Eight writers, three proxies, and everything that can break in between.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use keyhole::grant::{GrantEvent, GrantState};
use keyhole::model::SqlState;
use keyhole::store::approvals::Approvals;

use crate::life::{Home, dora};
use crate::place::{Database, Heard, database, grant, grants};
use crate::support::wait::until;
use crate::support::{Client, Postgres, Tap, Version};

const WRITERS: usize = 8;
const PROXIES: usize = 3;
/// Acknowledged grants of each writer; every second is revoked.
const GRANTS: usize = 40;
/// And each goes on until so much was broken.
const FAULTS: usize = 16;

/// What a writer was told about each of its grants, by reason.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Granted,
    Revoked,
    /// Granted, and nobody knows about its revocation.
    Perhaps,
    /// Not made.
    Refused,
    /// Nobody knows.
    Unknown,
}

struct Proxy {
    home: Home,
    heard: Heard,
    store: RwLock<Approvals>,
}

#[test]
fn no_change_is_lost_or_out_of_order_on_15() {
    nothing_is_lost(Version::V15);
}

#[test]
fn no_change_is_lost_or_out_of_order_on_18() {
    nothing_is_lost(Version::V18);
}

#[expect(clippy::print_stdout, reason = "what was tried is the result")]
fn nothing_is_lost(version: Version) {
    let server = Postgres::start(version);
    let database = database(&server, "writers");
    let taps: Vec<Tap> = (0..PROXIES).map(|_| Tap::new(server.port())).collect();
    let proxies: Vec<Proxy> = taps
        .iter()
        .map(|tap| {
            let home = Home::new(|_| database.location_through(tap.port()));
            let heard = Heard::default();
            let store = RwLock::new(Approvals::open(heard.by(&home)).expect("opens"));
            Proxy { home, heard, store }
        })
        .collect();
    let told = Mutex::new(BTreeMap::new());
    let (done, faults) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                scope.spawn({
                    let (proxy, told, faults) = (&proxies[number % PROXIES], &told, &faults);
                    move || write(number, proxy, told, faults)
                })
            })
            .collect();
        let breaking = scope.spawn(|| break_things(&database, &taps, &proxies, &done, &faults));
        for writer in writers {
            writer.join().expect("no panic");
        }
        done.store(true, Ordering::SeqCst);
        breaking.join().expect("no panic");
    });
    let told = told.into_inner().expect("unpoisoned");
    let faults = faults.into_inner();
    agree(&database, &proxies, &told);
    let count = |wanted: Told| told.values().filter(|told| **told == wanted).count();
    println!(
        "{} changes acknowledged, {} refused, {} open, {faults} faults, {} events",
        count(Told::Granted) + count(Told::Perhaps) + 2 * count(Told::Revoked),
        count(Told::Refused),
        count(Told::Unknown) + count(Told::Perhaps),
        database.events().len(),
    );
}

fn write(number: usize, proxy: &Proxy, told: &Mutex<BTreeMap<String, Told>>, faults: &AtomicUsize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut acknowledged = 0;
    for attempt in 0.. {
        if acknowledged >= GRANTS && faults.load(Ordering::SeqCst) >= FAULTS {
            break;
        }
        let reason = format!("{number}-{attempt}");
        let store = proxy.store.read().expect("unpoisoned").clone();
        let made = runtime.block_on(grant(&store, &format!("user{number}"), "ssn", &reason));
        let id = match made {
            Ok(id) => id,
            Err(report) => {
                told.lock().expect("unpoisoned").insert(reason, failed(report.state));
                // Like a person who tries again, and not like a loop that fills the disk.
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
        };
        acknowledged += 1;
        let now = if acknowledged % 2 == 0 {
            match runtime.block_on(store.revoke(&dora(), id)).map_err(|report| report.state) {
                Ok(_) => Told::Revoked,
                Err(state) if failed(state) == Told::Refused => Told::Granted,
                Err(_) => Told::Perhaps,
            }
        } else {
            Told::Granted
        };
        told.lock().expect("unpoisoned").insert(reason, now);
    }
}

fn failed(state: SqlState) -> Told {
    match state {
        SqlState::IO_ERROR => Told::Refused,
        SqlState::CONNECTION_FAILURE => Told::Unknown,
        other => panic!("{other:?}"),
    }
}

/// One fault after the other until the writers are done.
fn break_things(
    database: &Database<'_>,
    taps: &[Tap],
    proxies: &[Proxy],
    done: &AtomicBool,
    faults: &AtomicUsize,
) {
    for round in 0.. {
        if done.load(Ordering::SeqCst) {
            return;
        }
        match round % 8 {
            // The server's own restart takes its time.
            3 => {
                database.server.stop();
                database.server.start_again();
            }
            5 => restart(&proxies[round % PROXIES]),
            7 => {
                database.server.crash();
                database.server.start_again();
            }
            even if even % 2 == 0 => end_all(&mut database.server.admin("postgres"), database),
            _ => taps[round % PROXIES].cut(),
        }
        faults.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(60));
    }
}

fn end_all(admin: &mut Client, database: &Database<'_>) {
    admin.query(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
        database.name
    ));
}

fn restart(proxy: &Proxy) {
    let opened = until("it opens again", || Approvals::open(proxy.heard.by(&proxy.home)).ok());
    let old = std::mem::replace(&mut *proxy.store.write().expect("unpoisoned"), opened);
    drop(old);
}

fn agree(database: &Database<'_>, proxies: &[Proxy], told: &BTreeMap<String, Told>) {
    let events = database.events();
    let numbers: Vec<u64> = events.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>(), "without a gap");
    let open = |proxy: &Proxy| proxy.store.read().expect("unpoisoned").clone();
    let fresh = database.home();
    let fresh = grants(&fresh.open());
    for proxy in proxies {
        until("it knows all", || (grants(&open(proxy)) == fresh).then_some(()));
    }
    let mut states: BTreeMap<String, GrantState> = BTreeMap::new();
    for (_, _, reason, state) in fresh {
        let twice = states.insert(reason.clone(), state);
        assert_eq!(twice, None, "{reason} is there twice");
    }
    for (reason, told) in told {
        let state = states.get(reason);
        let fits = match told {
            Told::Granted => state == Some(&GrantState::Active),
            Told::Revoked => state == Some(&GrantState::Revoked),
            Told::Perhaps => state.is_some(),
            Told::Refused => state.is_none(),
            Told::Unknown => true,
        };
        assert!(fits, "{reason}: told {told:?}, is {state:?}");
    }
    for proxy in proxies {
        audited(proxy, &events);
    }
}

/// Every proxy's sink heard every event, each for the first time in the store's order.
fn audited(proxy: &Proxy, events: &[(u64, String)]) {
    let mut heard = proxy.heard.all();
    let mut last = 0;
    heard.retain(|event| {
        let new = event.sequence > last;
        last = last.max(event.sequence);
        new
    });
    let heard: Vec<_> =
        heard.iter().map(|event| (event.sequence, event.event.kind().to_owned())).collect();
    assert_eq!(heard, events);
    let dated = proxy.heard.all();
    let standing = dated.iter().filter(|e| matches!(e.event, GrantEvent::StandingAdded { .. }));
    assert!(standing.count() >= 1);
}
