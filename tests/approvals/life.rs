//! The life of requests and grants, on a store of either make.
#![allow(clippy::unwrap_used, reason = "these are tests, called by those of each make")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use keyhole::catalog::{Catalog, Table};
use keyhole::grant::{
    Action, Approvers, Ask, Asked, CatalogView, Claim, ConditionTexts, Counting, DirectGrant,
    Extension, GrantState, Limits, LiveTable, Policies, PolicyText, Proof, RecordedEvent,
    RequestState, Runs, Scope, Standing, StandingText, Subject,
};
use keyhole::model::{Client, ColumnPath, RelationName, SigningKey, SqlState, Timestamp, User};
use keyhole::store::approvals::{Approvals, Location, Settings, steady_clock};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn view() -> CatalogView {
    let columns = [("email", "email"), ("ssn", "id")];
    let table = Table {
        name: RelationName::new("public", "customers"),
        columns: columns.iter().map(|(c, class)| (c.to_string(), class.to_string())).collect(),
        subject: None,
        place: String::new(),
    };
    let catalog =
        Catalog { tables: vec![table], classes: BTreeMap::new(), functions: vec![], honey: vec![] };
    CatalogView::new("shop", &catalog, None)
}

pub(crate) fn user(name: &str, groups: &[&str], roles: &[&str]) -> User {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    User { name: name.into(), groups: owned(groups), roles: owned(roles) }
}

pub(crate) fn alice() -> User {
    user("alice", &["support"], &[])
}

pub(crate) fn dora() -> User {
    user("dora", &["dba"], &["control"])
}

pub(crate) fn policies() -> Policies {
    let policy = |name: &str, resource: &str, approvals: u32| {
        let text = format!(
            "name = '{name}'\nsubjects = ['*']\nresources = ['{resource}']\nactions = ['read']\n\
             max_duration = '1h'\napprovals = {approvals}\napprovers = ['group:dba']"
        );
        let text: PolicyText = toml::from_str(&text).expect("a policy");
        text.resolve(&[view()]).expect("it makes sense")
    };
    Policies(vec![policy("contact data at once", "class:email", 0), policy("the rest", "*", 1)])
}

pub(crate) fn standing() -> Vec<Standing> {
    let text = StandingText {
        subject: "billing_app".into(),
        resources: vec!["public.customers.email".into()],
        actions: vec![Action::Read],
        conditions: ConditionTexts {
            networks: vec!["10.2.0.0/16".into()],
            ..ConditionTexts::default()
        },
        reason: "invoices".into(),
    };
    vec![text.resolve(&[view()]).expect("sound")]
}

pub(crate) fn ask(resource: &str, duration: Duration) -> Ask {
    Ask::to_read(resource, duration, "INC-42")
}

pub(crate) const HALF_HOUR: Duration = Duration::from_secs(1800);

pub(crate) fn sees(store: &Approvals, who: User, column: &str) -> bool {
    covers(&store.table(), who, column, store.now())
}

pub(crate) fn client(user: User) -> Client {
    Client {
        user,
        address: Some("10.2.0.1".parse().expect("an address")),
        application: "psql".into(),
        database: "shop".into(),
    }
}

pub(crate) fn covers(table: &LiveTable, who: User, column: &str, now: Timestamp) -> bool {
    let client = client(who);
    let relation = RelationName::new("public", "customers");
    let column = ColumnPath { relation, column: column.into() };
    let class = view().class(&column).expect("catalogued").to_owned();
    let asked = Asked { action: Action::Read, now, counting: Counting::Uses };
    table.cover(&client, &column, &class, asked).is_some()
}

/// A store, and one proxy's own folder.
pub(crate) struct Home {
    dir: tempfile::TempDir,
    pub(crate) location: Location,
}

impl Home {
    /// `location` may be in the folder of the proxy.
    pub(crate) fn new(location: impl FnOnce(&Path) -> Location) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let location = location(dir.path());
        Self { dir, location }
    }

    /// Where the proxy's own files are.
    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            location: self.location.clone(),
            local: self.folder(),
            max_staleness: Duration::from_secs(30),
            policies: policies(),
            standing: standing(),
            approvers: Approvers::default(),
            key: SigningKey::from_seed(&[1; 32]).expect("a key"),
            clock: steady_clock(),
            on_event: Arc::new(|_| Ok(())),
        }
    }

    pub(crate) fn open(&self) -> Approvals {
        Approvals::open(self.settings()).expect("opens")
    }
}

/// Each as a test of the module that this is used in, on a new home.
macro_rules! lives {
    ($home:expr) => {
        crate::life::lives!($home; a_request_lives_from_filing_to_expiry
            the_end_of_a_grant_wakes_whoever_watches
            a_revocation_counts_before_it_is_answered
            a_restart_keeps_every_acknowledged_change
            a_reload_replaces_policies_and_standing_grants
            an_audit_that_hears_nothing_ends_what_counts_and_then_hears_all
            what_was_used_stays_used
            a_grant_starts_is_extended_and_is_given_back);
    };
    ($home:expr; $($name:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                crate::life::$name(&$home(stringify!($name))).await;
            }
        )*
    };
}
pub(crate) use lives;

pub(crate) async fn a_request_lives_from_filing_to_expiry(home: &Home) {
    let (sink, log) = std::sync::mpsc::channel();
    let on_event = move |e: &RecordedEvent| {
        sink.send((e.sequence, e.event.kind())).map_err(|error| error.to_string())
    };
    let store =
        Approvals::open(Settings { on_event: Arc::new(on_event), ..home.settings() }).unwrap();
    let short = ask("customers.ssn", Duration::from_secs(2));
    let request = store.request(&client(alice()), &view(), short).await.unwrap();
    assert_eq!(request.state, RequestState::Pending);
    assert!(!sees(&store, alice(), "ssn"));
    assert!(
        store.approve(&alice(), request.id, Proof::default()).await.is_err(),
        "not by the requester"
    );
    let mut epochs = store.subscribe();
    let request = store.approve(&dora(), request.id, Proof::default()).await.unwrap();
    assert_eq!(request.state, RequestState::Approved);
    assert!(sees(&store, alice(), "ssn"), "published before the answer");
    assert!(!sees(&store, user("bob", &[], &[]), "ssn"));
    while sees(&store, alice(), "ssn") {
        tokio::time::timeout(PATIENCE, epochs.changed()).await.unwrap().unwrap();
    }
    let heard: Vec<_> = (0..5).map(|_| log.recv_timeout(PATIENCE).unwrap()).collect();
    let kinds = ["standing_added", "requested", "approved", "granted", "expired"];
    assert_eq!(heard, (1..).zip(kinds).collect::<Vec<_>>());
    let grant = request.grant.unwrap();
    let view = store.grants().into_iter().find(|view| view.grant.id == grant).unwrap();
    assert_eq!(view.state, GrantState::Expired);
    drop(store);
    assert!(log.try_recv().is_err(), "each event once");
}

pub(crate) async fn the_end_of_a_grant_wakes_whoever_watches(home: &Home) {
    let store = home.open();
    let short = ask("customers.email", Duration::from_millis(300));
    let request = store.request(&client(alice()), &view(), short).await.unwrap();
    let id = request.grant.expect("granted at once");
    let mut epochs = store.subscribe();
    let state = || store.grants().into_iter().find(|g| g.grant.id == id).map(|g| g.state);
    while state() == Some(GrantState::Active) {
        tokio::time::timeout(PATIENCE, epochs.changed()).await.unwrap().unwrap();
    }
    assert_eq!(state(), Some(GrantState::Expired));
}

pub(crate) async fn a_revocation_counts_before_it_is_answered(home: &Home) {
    let store = home.open();
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
    assert!(store.revoke_all(&alice(), Scope::Everything).await.is_err());
    assert_eq!(store.revoke_all(&dora(), Scope::Everything).await.unwrap().len(), 1);
    assert!(!sees(&store, user("bob", &[], &[]), "ssn"));
    assert!(sees(&store, user("billing_app", &[], &[]), "email"), "standing grants stand");
}

pub(crate) async fn a_restart_keeps_every_acknowledged_change(home: &Home) {
    let store = home.open();
    let pending =
        store.request(&client(alice()), &view(), ask("customers.ssn", HALF_HOUR)).await.unwrap();
    let granted =
        store.request(&client(alice()), &view(), ask("class:email", HALF_HOUR)).await.unwrap();
    let revoked =
        store.request(&client(alice()), &view(), ask("customers.email", HALF_HOUR)).await.unwrap();
    store.revoke(&alice(), revoked.grant.unwrap()).await.unwrap();
    let before: Vec<_> = store.grants().into_iter().map(|g| (g.grant, g.state)).collect();
    drop(store);
    let store = home.open();
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

pub(crate) async fn a_reload_replaces_policies_and_standing_grants(home: &Home) {
    let store = home.open();
    let billing = || user("billing_app", &[], &[]);
    assert!(sees(&store, billing(), "email"));
    let pending =
        store.request(&client(alice()), &view(), ask("customers.ssn", HALF_HOUR)).await.unwrap();
    store.replace_policies(Policies::default(), vec![]).await.unwrap();
    assert!(!sees(&store, billing(), "email"));
    assert!(
        store.request(&client(alice()), &view(), ask("customers.email", HALF_HOUR)).await.is_err()
    );
    assert!(
        store.approve(&dora(), pending.id, Proof::default()).await.is_err(),
        "today's policies decide"
    );
    store.replace_policies(policies(), standing()).await.unwrap();
    assert!(sees(&store, billing(), "email"));
    store.approve(&dora(), pending.id, Proof::default()).await.unwrap();
}

pub(crate) async fn an_audit_that_hears_nothing_ends_what_counts_and_then_hears_all(home: &Home) {
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
        ..home.settings()
    })
    .unwrap();
    broken.store(1, Ordering::SeqCst);
    store.request(&client(alice()), &view(), ask("customers.email", HALF_HOUR)).await.unwrap();
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

pub(crate) async fn what_was_used_stays_used(home: &Home) {
    let store = home.open();
    let limits = Limits { max_uses: Some(2), max_subjects: Some(2), ..Limits::default() };
    let limited = Ask { limits, ..ask("customers.email", HALF_HOUR) };
    let id = store.request(&client(alice()), &view(), limited).await.unwrap().grant.unwrap();
    let subject = |subject| vec![Claim::Subject { grant: id, subject }];
    store.spend(vec![Claim::Use { grant: id, statements: 1 }]).await.unwrap();
    store.spend(subject(u64::MAX)).await.unwrap();
    store.spend(subject(7)).await.unwrap();
    assert!(store.spend(subject(8)).await.is_err(), "the third");
    drop(store);
    let store = home.open();
    let used = store.find_grant(id).unwrap().used.unwrap();
    assert_eq!((used.subjects, used.uses), (2, 1));
    store.spend(subject(u64::MAX)).await.unwrap();
    assert!(store.spend(subject(8)).await.is_err());
    store.spend(vec![Claim::Use { grant: id, statements: 1 }]).await.unwrap();
    assert!(store.spend(vec![Claim::Use { grant: id, statements: 1 }]).await.is_err());
    assert_eq!(store.find_grant(id).unwrap().state, GrantState::Exhausted);
}

pub(crate) async fn a_grant_starts_is_extended_and_is_given_back(home: &Home) {
    let store = home.open();
    let later = Ask { runs: Runs::FromFirstUse, ..ask("customers.email", HALF_HOUR) };
    let id = store.request(&client(alice()), &view(), later).await.unwrap().grant.unwrap();
    let end = |store: &Approvals| store.find_grant(id).unwrap().grant.expires_at.unwrap();
    let waits = end(&store);
    store.spend(vec![Claim::Use { grant: id, statements: 1 }]).await.unwrap();
    let runs = end(&store);
    assert!(runs < waits, "its time has begun");
    let ten = Duration::from_secs(600);
    let longer = || Extension { grant: id, by: ten, reason: "INC-42: more".into() };
    let asked = store.extend(&client(alice()), &view(), longer()).await.unwrap();
    assert_eq!((asked.state, asked.extends), (RequestState::Approved, Some(id)));
    drop(store);
    let store = home.open();
    assert_eq!(end(&store), runs + ten);
    assert!(sees(&store, alice(), "email"));
    store.revoke(&alice(), id).await.unwrap();
    assert!(!sees(&store, alice(), "email"));
    let late = store.extend(&client(alice()), &view(), longer()).await;
    assert!(late.unwrap_err().message.contains("cannot be extended"));
}
