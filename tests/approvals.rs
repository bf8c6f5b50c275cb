//! The approval store from outside: what was acknowledged survives, what ended stays ended.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyhole::grant::{
    Approvers, DirectGrant, GrantState, Proof, RecordedEvent, RequestState, Subject,
};
use keyhole::model::{SigningKey, SqlState, Timestamp};
use keyhole::store::approvals::{Approvals, Clock, Location, Settings, StoreError, steady_clock};

use life::{
    HALF_HOUR, Home, PATIENCE, alice, ask, client, dora, policies, sees, standing, user, view,
};

#[path = "approvals/life.rs"]
mod life;

mod on_sqlite {
    crate::life::lives!(|_: &str| crate::sqlite());
}

fn sqlite() -> Home {
    Home::new(|folder| Location::Sqlite(folder.join("keyhole.db")))
}

fn settings(dir: &Path) -> Settings {
    Settings {
        location: Location::Sqlite(dir.join("keyhole.db")),
        local: dir.to_owned(),
        max_staleness: Duration::from_secs(30),
        policies: policies(),
        standing: standing(),
        approvers: Approvers::default(),
        key: SigningKey::from_seed(&[1; 32]).expect("a key"),
        clock: steady_clock(),
        on_event: Arc::new(|_| Ok(())),
    }
}

fn open(dir: &Path) -> Approvals {
    Approvals::open(settings(dir)).expect("opens")
}

/// A clock that stands until it is set.
fn manual_clock(start: i64) -> (Clock, Arc<AtomicI64>) {
    let secs = Arc::new(AtomicI64::new(start));
    let source = Arc::clone(&secs);
    let read = move || Timestamp::from_second(source.load(Ordering::SeqCst)).expect("in range");
    (Arc::new(read), secs)
}

#[tokio::test]
async fn a_grant_is_over_at_its_end_event_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let (clock, time) = manual_clock(1_000_000);
    let (sink, log) = std::sync::mpsc::channel();
    let on_event = move |e: &RecordedEvent| {
        sink.send((e.sequence, e.event.kind())).map_err(|error| error.to_string())
    };
    let store =
        Approvals::open(Settings { clock, on_event: Arc::new(on_event), ..settings(dir.path()) })
            .unwrap();
    let request =
        store.request(&client(alice()), &view(), ask("customers.ssn", HALF_HOUR)).await.unwrap();
    assert_eq!(request.state, RequestState::Pending);
    assert!(!sees(&store, alice(), "ssn"));
    assert!(
        store.approve(&alice(), request.id, Proof::default()).await.is_err(),
        "not by the requester"
    );
    let request = store.approve(&dora(), request.id, Proof::default()).await.unwrap();
    assert_eq!(request.state, RequestState::Approved);
    assert!(sees(&store, alice(), "ssn"), "published before the answer");
    assert!(!sees(&store, user("bob", &[], &[]), "ssn"));
    time.fetch_add(1800, Ordering::SeqCst);
    assert!(!sees(&store, alice(), "ssn"), "over at its end, event or not");
    let grant = request.grant.unwrap();
    let heard: Vec<_> = (0..5).map(|_| log.recv_timeout(PATIENCE).unwrap()).collect();
    let kinds = ["standing_added", "requested", "approved", "granted", "expired"];
    assert_eq!(heard, (1..).zip(kinds).collect::<Vec<_>>());
    let view = store.grants().into_iter().find(|view| view.grant.id == grant).unwrap();
    assert_eq!(view.state, GrantState::Expired);
    drop(store);
    assert!(log.try_recv().is_err(), "each event once");
}

#[tokio::test]
async fn a_clock_that_went_back_while_the_proxy_was_down_ends_all_grants() {
    let dir = tempfile::tempdir().unwrap();
    let at = |secs| Settings { clock: manual_clock(secs).0, ..settings(dir.path()) };
    let store = Approvals::open(at(1_003_600)).unwrap();
    store.request(&client(alice()), &view(), ask("customers.email", HALF_HOUR)).await.unwrap();
    drop(store);
    let store = Approvals::open(at(1_003_597)).unwrap();
    let state = |store: &Approvals| store.grants().last().unwrap().state;
    assert_ne!(state(&store), GrantState::Revoked, "a few seconds are nothing");
    drop(store);
    let store = Approvals::open(at(1_000_000)).unwrap();
    assert_eq!(state(&store), GrantState::Revoked);
    assert!(sees(&store, user("billing_app", &[], &[]), "email"), "standing grants stand");
}

#[test]
fn a_store_that_cannot_be_used_is_an_error_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let failure = |file: &str| {
        let location = Location::Sqlite(dir.path().join(file));
        let error = Approvals::open(Settings { location, ..settings(dir.path()) });
        error.err().expect("refused")
    };
    assert!(matches!(failure("no/such/folder/keyhole.db"), StoreError::File { .. }));
    std::fs::write(dir.path().join("text.db"), "this is no database, whatever its name says")
        .unwrap();
    assert!(matches!(failure("text.db"), StoreError::Sqlite { .. }));
    let _first = open(dir.path());
    assert!(matches!(failure("keyhole.db"), StoreError::InUse(_)));
}

#[test]
fn an_audit_log_goes_on_with_its_own_store_only() {
    let (one, other) = (sqlite(), sqlite());
    drop((one.open(), other.open()));
    let mixed = || Approvals::open(Settings { local: one.folder(), ..other.settings() });
    let error = mixed().err().expect("refused");
    assert!(matches!(error, StoreError::OtherStore { .. }), "{error}");
    let id = keyhole::store::approvals::identify(&other.location).unwrap().expect("it is there");
    keyhole::store::approvals::adopt(&one.folder(), &id).unwrap();
    drop(mixed().expect("adopted"));
    let error = Approvals::open(one.settings()).err().expect("refused");
    assert!(error.to_string().contains(&id), "{error}");
}

#[test]
fn a_missing_event_is_an_error_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let path = dir.path().join("keyhole.db");
    let add = "INSERT INTO event VALUES (3, '2025-01-01T00:00:00Z', 'expired', \
               '{\"kind\":\"expired\",\"grant\":1}')";
    rusqlite::Connection::open(&path).unwrap().execute(add, []).unwrap();
    let error = Approvals::open(settings(dir.path())).err().expect("refused");
    assert!(matches!(error, StoreError::Events(_)), "{error}");
}

/// One change that the child said was acknowledged.
#[derive(Debug)]
enum Told {
    Granted(u64),
    Revoked(u64),
    Stale,
}

const CHILD_DIR: &str = "KEYHOLE_TEST_STORE_DIR";

/// Not a test of its own: the process that the tests below kill.
#[test]
#[ignore = "runs as the child of other tests"]
fn child_that_grants_and_revokes() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let short = Settings { max_staleness: Duration::from_secs(1), ..settings(Path::new(&dir)) };
    let store = Approvals::open(short).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let say = |words: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n@{words}").unwrap();
        out.flush().unwrap();
    };
    runtime.block_on(async {
        for number in 0_u64.. {
            let subject = Subject::User(format!("user{}", std::process::id()));
            let direct = DirectGrant { subject, ask: ask("customers.ssn", HALF_HOUR) };
            let id = match store.grant(&dora(), &view(), direct).await {
                Ok(granted) => granted.grant.id,
                Err(report) => {
                    assert_eq!(report.state, SqlState::IO_ERROR, "{report:?}");
                    break;
                }
            };
            say(format!("granted {id}"));
            if number % 3 != 0 && store.revoke(&dora(), id).await.is_ok() {
                say(format!("revoked {id}"));
            }
        }
        let mut epochs = store.subscribe();
        while sees(&store, user("billing_app", &[], &[]), "email") {
            tokio::time::timeout(PATIENCE, epochs.changed()).await.unwrap().unwrap();
        }
        say("stale".to_owned());
    });
}

fn child(dir: &Path, wrapper: &[&str]) -> Child {
    let exe = std::env::current_exe().expect("own name");
    let mut command = match wrapper {
        [] => Command::new(&exe),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&exe);
            command
        }
    };
    command
        .args(["--exact", "child_that_grants_and_revokes", "--ignored", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

fn told(line: &str) -> Option<Told> {
    let (word, id) = line.strip_prefix('@')?.split_once(' ').unwrap_or((&line[1..], "0"));
    let id = id.parse().ok()?;
    match word {
        "granted" => Some(Told::Granted(id)),
        "revoked" => Some(Told::Revoked(id)),
        "stale" => Some(Told::Stale),
        _ => None,
    }
}

fn check(dir: &Path, all: &BTreeMap<u64, GrantState>) {
    let store = open(dir);
    let kept: BTreeMap<_, _> =
        store.grants().into_iter().map(|view| (view.grant.id, view.state)).collect();
    for (id, state) in all {
        let found = kept.get(id);
        // A revocation that was not acknowledged may have happened all the same.
        let fits = found == Some(state)
            || (*state == GrantState::Active && found == Some(&GrantState::Revoked));
        assert!(fits, "grant {id} was acknowledged as {state:?} and is {found:?}");
    }
}

#[test]
fn kill_9_loses_no_acknowledged_change() {
    const ROUNDS: u64 = 25;
    let dir = tempfile::tempdir().unwrap();
    let mut all = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = child(dir.path(), &[]);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut left = 2 + rand::random_range(0..30_u64) + round % 3;
        for line in lines.map_while(Result::ok) {
            match told(&line) {
                Some(Told::Granted(id)) => drop(all.insert(id, GrantState::Active)),
                Some(Told::Revoked(id)) => drop(all.insert(id, GrantState::Revoked)),
                Some(Told::Stale) | None => continue,
            }
            left = left.saturating_sub(1);
            if left == 0 {
                std::thread::sleep(Duration::from_micros(rand::random_range(0..3_000)));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        check(dir.path(), &all);
    }
    assert!(all.len() as u64 > ROUNDS, "{} grants were acknowledged", all.len());
    assert!(all.values().any(|state| *state == GrantState::Revoked));
}

#[test]
fn a_disk_that_takes_no_more_refuses_changes_and_then_nothing_counts() {
    let dir = tempfile::tempdir().unwrap();
    let limited = ["bash", "-c", "trap '' XFSZ; ulimit -f 256; exec \"$0\" \"$@\""];
    let mut child = child(dir.path(), &limited);
    let (mut all, mut stale) = (BTreeMap::new(), false);
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        match told(&line) {
            Some(Told::Granted(id)) => drop(all.insert(id, GrantState::Active)),
            Some(Told::Revoked(id)) => drop(all.insert(id, GrantState::Revoked)),
            Some(Told::Stale) => stale = true,
            None => {}
        }
    }
    assert!(child.wait().unwrap().success());
    assert!(stale, "with the store out of reach, grants stop counting");
    assert!(all.len() > 5, "{all:?}");
    check(dir.path(), &all);
}
