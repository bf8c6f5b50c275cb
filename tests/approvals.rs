//! The approval store from outside: what was acknowledged survives, what ended stays ended.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use keyhole::catalog::{Catalog, Table};
use keyhole::grant::{
    Action, Actions, Approvers, Ask, CatalogView, DirectGrant, GrantState, Policies, Policy, Proof,
    RecordedEvent, RequestState, Standing, StandingText, Subject,
};
use keyhole::model::{Client, ColumnPath, RelationName, SigningKey, SqlState, Timestamp, User};
use keyhole::store::approvals::{Approvals, Clock, Settings, StoreError, steady_clock};

const PATIENCE: Duration = Duration::from_secs(20);

fn view() -> CatalogView {
    let columns = [("email", "email"), ("ssn", "id")];
    let table = Table {
        name: RelationName::new("public", "customers"),
        columns: columns.iter().map(|(c, class)| (c.to_string(), class.to_string())).collect(),
        place: String::new(),
    };
    let catalog = Catalog { tables: vec![table], classes: BTreeMap::new(), functions: vec![] };
    CatalogView::new("shop", &catalog, None)
}

fn user(name: &str, groups: &[&str], roles: &[&str]) -> User {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    User { name: name.into(), groups: owned(groups), roles: owned(roles) }
}

fn alice() -> User {
    user("alice", &["support"], &[])
}

fn dora() -> User {
    user("dora", &["dba"], &["control"])
}

fn policies() -> Policies {
    let policy = |name: &str, resource: &str, approvals| Policy {
        name: name.into(),
        subjects: vec![Subject::Anyone],
        resources: vec![keyhole::grant::Pattern::resolve(resource, &[view()]).expect("known")],
        actions: Actions::READ,
        max_duration: Duration::from_secs(3600),
        approvals,
        approvers: vec![Subject::Group("dba".into())],
        reason: None,
        second_factor: None,
    };
    Policies(vec![policy("contact data at once", "class:email", 0), policy("the rest", "*", 1)])
}

fn standing() -> Vec<Standing> {
    let text = StandingText {
        subject: "billing_app".into(),
        resources: vec!["public.customers.email".into()],
        actions: vec![Action::Read],
        networks: vec!["10.2.0.0/16".into()],
        reason: "invoices".into(),
    };
    vec![text.resolve(&[view()]).expect("sound")]
}

fn settings(dir: &Path) -> Settings {
    Settings {
        url: "sqlite:keyhole.db".into(),
        base_dir: dir.to_owned(),
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

fn ask(resource: &str, duration: Duration) -> Ask {
    Ask {
        resource: resource.into(),
        actions: Actions::READ,
        duration,
        rows: None,
        reason: "INC-42".into(),
        ticket: None,
        not_before: None,
        max_rows: None,
        max_uses: None,
    }
}

const HALF_HOUR: Duration = Duration::from_secs(1800);

fn sees(store: &Approvals, who: User, column: &str) -> bool {
    let client = Client {
        user: who,
        address: Some("10.2.0.1".parse().expect("an address")),
        application: "psql".into(),
        database: "shop".into(),
    };
    let relation = RelationName::new("public", "customers");
    let column = ColumnPath { relation, column: column.into() };
    let class = view().class(&column).expect("catalogued").to_owned();
    store.table().cover(&client, &column, &class, Action::Read, store.now()).is_some()
}

/// A clock that stands until it is set.
fn manual_clock(start: i64) -> (Clock, Arc<AtomicI64>) {
    let secs = Arc::new(AtomicI64::new(start));
    let source = Arc::clone(&secs);
    let read = move || Timestamp::from_second(source.load(Ordering::SeqCst)).expect("in range");
    (Arc::new(read), secs)
}

#[tokio::test]
async fn a_request_lives_from_filing_to_expiry() {
    let dir = tempfile::tempdir().unwrap();
    let (clock, time) = manual_clock(1_000_000);
    let (sink, log) = std::sync::mpsc::channel();
    let on_event = move |e: &RecordedEvent| {
        sink.send((e.sequence, e.event.kind())).map_err(|error| error.to_string())
    };
    let store =
        Approvals::open(Settings { clock, on_event: Arc::new(on_event), ..settings(dir.path()) })
            .unwrap();
    let request = store.request(&alice(), &view(), ask("customers.ssn", HALF_HOUR)).await.unwrap();
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
async fn the_end_of_a_grant_wakes_whoever_watches() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let short = ask("customers.email", Duration::from_millis(300));
    let request = store.request(&alice(), &view(), short).await.unwrap();
    let id = request.grant.expect("granted at once");
    let mut epochs = store.subscribe();
    let state = || store.grants().into_iter().find(|g| g.grant.id == id).map(|g| g.state);
    while state() == Some(GrantState::Active) {
        tokio::time::timeout(PATIENCE, epochs.changed()).await.unwrap().unwrap();
    }
    assert_eq!(state(), Some(GrantState::Expired));
}

#[tokio::test]
async fn a_revocation_counts_before_it_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let direct = |name: &str| DirectGrant {
        subject: Subject::User(name.into()),
        ask: ask("customers.ssn", HALF_HOUR),
    };
    let own = store.grant(&dora(), &view(), direct("dora")).await.unwrap_err();
    assert_eq!(own.state, SqlState::INSUFFICIENT_PRIVILEGE);
    let first = store.grant(&dora(), &view(), direct("alice")).await.unwrap();
    store.grant(&dora(), &view(), direct("bob")).await.unwrap();
    assert!(sees(&store, alice(), "ssn"));
    let view = store.revoke(&dora(), first.grant.id).await.unwrap();
    assert_eq!((view.state, view.ended_by.as_deref()), (GrantState::Revoked, Some("dora")));
    assert!(!sees(&store, alice(), "ssn"));
    assert!(sees(&store, user("bob", &[], &[]), "ssn"));
    assert!(store.revoke_all(&alice()).await.is_err());
    assert_eq!(store.revoke_all(&dora()).await.unwrap().len(), 1);
    assert!(!sees(&store, user("bob", &[], &[]), "ssn"));
    assert!(sees(&store, user("billing_app", &[], &[]), "email"), "standing grants stand");
}

#[tokio::test]
async fn a_restart_keeps_every_acknowledged_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let pending = store.request(&alice(), &view(), ask("customers.ssn", HALF_HOUR)).await.unwrap();
    let granted = store.request(&alice(), &view(), ask("class:email", HALF_HOUR)).await.unwrap();
    let revoked =
        store.request(&alice(), &view(), ask("customers.email", HALF_HOUR)).await.unwrap();
    store.revoke(&alice(), revoked.grant.unwrap()).await.unwrap();
    let before: Vec<_> = store.grants().into_iter().map(|g| (g.grant, g.state)).collect();
    drop(store);
    let store = open(dir.path());
    let after: Vec<_> = store.grants().into_iter().map(|g| (g.grant, g.state)).collect();
    assert_eq!(before, after, "standing grants keep their numbers too");
    let ids: Vec<_> = store.requests().into_iter().map(|r| (r.id, r.state)).collect();
    let expected = [
        (pending.id, RequestState::Pending),
        (granted.id, RequestState::Approved),
        (revoked.id, RequestState::Approved),
    ];
    assert_eq!(ids, expected);
    assert!(sees(&store, alice(), "email") && !sees(&store, alice(), "ssn"));
    store.approve(&dora(), pending.id, Proof::default()).await.unwrap();
    assert!(sees(&store, alice(), "ssn"));
}

#[tokio::test]
async fn a_reload_replaces_policies_and_standing_grants() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let billing = || user("billing_app", &[], &[]);
    assert!(sees(&store, billing(), "email"));
    let pending = store.request(&alice(), &view(), ask("customers.ssn", HALF_HOUR)).await.unwrap();
    store.replace_policies(Policies::default(), vec![]).await.unwrap();
    assert!(!sees(&store, billing(), "email"));
    assert!(store.request(&alice(), &view(), ask("customers.email", HALF_HOUR)).await.is_err());
    assert!(
        store.approve(&dora(), pending.id, Proof::default()).await.is_err(),
        "today's policies decide"
    );
    store.replace_policies(policies(), standing()).await.unwrap();
    assert!(sees(&store, billing(), "email"));
    store.approve(&dora(), pending.id, Proof::default()).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_went_back_while_the_proxy_was_down_ends_all_grants() {
    let dir = tempfile::tempdir().unwrap();
    let at = |secs| Settings { clock: manual_clock(secs).0, ..settings(dir.path()) };
    let store = Approvals::open(at(1_003_600)).unwrap();
    store.request(&alice(), &view(), ask("customers.email", HALF_HOUR)).await.unwrap();
    drop(store);
    let store = Approvals::open(at(1_003_597)).unwrap();
    let state = |store: &Approvals| store.grants().last().unwrap().state;
    assert_ne!(state(&store), GrantState::Revoked, "a few seconds are nothing");
    drop(store);
    let store = Approvals::open(at(1_000_000)).unwrap();
    assert_eq!(state(&store), GrantState::Revoked);
    assert!(sees(&store, user("billing_app", &[], &[]), "email"), "standing grants stand");
}

#[tokio::test]
async fn an_audit_that_hears_nothing_ends_what_counts_and_then_hears_all() {
    let dir = tempfile::tempdir().unwrap();
    let heard = Arc::new(AtomicU64::new(0));
    let broken = Arc::new(AtomicI64::new(0));
    let (count, failing) = (Arc::clone(&heard), Arc::clone(&broken));
    let on_event = move |event: &RecordedEvent| {
        if failing.load(Ordering::SeqCst) == 1 {
            return Err("disk full".to_owned());
        }
        count.store(event.sequence, Ordering::SeqCst);
        Ok(())
    };
    let store = Approvals::open(Settings {
        max_staleness: Duration::from_secs(1),
        on_event: Arc::new(on_event),
        ..settings(dir.path())
    })
    .unwrap();
    broken.store(1, Ordering::SeqCst);
    store.request(&alice(), &view(), ask("customers.email", HALF_HOUR)).await.unwrap();
    let mut epochs = store.subscribe();
    while sees(&store, alice(), "email") {
        tokio::time::timeout(PATIENCE, epochs.changed()).await.unwrap().unwrap();
    }
    assert!(!sees(&store, user("billing_app", &[], &[]), "email"), "nothing counts");
    broken.store(0, Ordering::SeqCst);
    while !sees(&store, alice(), "email") {
        tokio::time::timeout(PATIENCE, epochs.changed()).await.unwrap().unwrap();
    }
    assert_eq!(heard.load(Ordering::SeqCst), 3);
}

#[test]
fn a_store_that_cannot_be_used_is_an_error_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let failure = |url: &str| {
        let error = Approvals::open(Settings { url: url.into(), ..settings(dir.path()) });
        error.err().expect("refused")
    };
    assert!(matches!(failure("postgres://keyhole@host/keyhole"), StoreError::Postgres));
    for url in ["mysql://x", "sqlite:", "sqlite::memory:", "keyhole.db"] {
        assert!(matches!(failure(url), StoreError::Url(_)), "{url}");
    }
    assert!(matches!(failure("sqlite:no/such/folder/keyhole.db"), StoreError::File { .. }));
    std::fs::write(dir.path().join("text.db"), "this is no database, whatever its name says")
        .unwrap();
    assert!(matches!(failure("sqlite:text.db"), StoreError::Sqlite { .. }));
    let _first = open(dir.path());
    assert!(matches!(failure("sqlite:keyhole.db"), StoreError::InUse(_)));
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
