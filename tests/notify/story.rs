//! A store in which things happen, at times that the test sets.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhole::config::{Config, NoticeKind};
use keyhole::grant::{
    Approvers, Ask, DirectGrant, Policies, PolicyText, Proof, RecordedEvent, Subject,
};
use keyhole::model::{Client, SigningKey, Timestamp, User};
use keyhole::notify::{Around, Channel, Notice, Pace, Party, Past, Route, notice_of};
use keyhole::store::approvals::{Approvals, Clock, Location, Settings};
use keyhole::store::positions::Positions;
use keyhole::telemetry::{Metrics, NoticeChannel};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::small_shop;

/// 2026-03-01T12:00:00Z.
const START_SECS: i64 = 1_772_366_400;

/// What must appear nowhere: in reasons, tickets and conditions.
pub(crate) const PLANTED: [&str; 5] =
    ["jane.roe@canary.example", "CANARY-REASON", "987654", "1971-03-31", "CANARY DENIAL"];

pub(crate) struct Story {
    /// None only while it is being dropped.
    approvals: Option<Approvals>,
    events: Arc<Mutex<Vec<RecordedEvent>>>,
    time: Arc<AtomicI64>,
    clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) runtime: Runtime,
    dir: tempfile::TempDir,
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

pub(crate) fn dirk() -> User {
    user("dirk", &["dba"], &["control"])
}

/// With a reason, a ticket and rows that nobody else may read.
pub(crate) fn ask(resource: &str) -> Ask {
    Ask {
        rows: Some("id = 987654 OR dob = '1971-03-31'".into()),
        ticket: Some("for jane.roe@canary.example".into()),
        ..Ask::to_read(
            resource,
            Duration::from_secs(1800),
            "CANARY-REASON: refund for jane.roe@canary.example",
        )
    }
}

impl Story {
    pub(crate) fn begin() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let time = Arc::new(AtomicI64::new(START_SECS));
        let source = Arc::clone(&time);
        let clock: Clock = Arc::new(move || {
            Timestamp::from_second(source.load(Ordering::SeqCst)).expect("in range")
        });
        let events = Arc::<Mutex<Vec<RecordedEvent>>>::default();
        let approvals = open(dir.path(), &clock, &events);
        Self {
            approvals: Some(approvals),
            events,
            time,
            clock,
            metrics: Arc::new(Metrics::new().expect("no name twice")),
            runtime: Runtime::new().expect("a runtime"),
            dir,
        }
    }

    pub(crate) fn approvals(&self) -> &Approvals {
        self.approvals.as_ref().expect("it is open")
    }

    pub(crate) fn pass(&self, time: Duration) {
        let secs = time.as_secs().try_into().expect("a while");
        self.time.fetch_add(secs, Ordering::SeqCst);
    }

    /// Files a request, and says its number.
    pub(crate) fn request(&self, who: &User, ask: Ask) -> u64 {
        let view = small_shop::world().view;
        let client = Client {
            user: who.clone(),
            address: None,
            application: "psql".into(),
            database: "shop".into(),
        };
        let filed = self.approvals().request(&client, &view, ask);
        self.runtime.block_on(filed).expect("a good request").id
    }

    pub(crate) fn approve(&self, who: &User, request: u64) {
        self.runtime
            .block_on(self.approvals().approve(who, request, Proof::default()))
            .expect("may approve");
    }

    pub(crate) fn deny(&self, who: &User, request: u64) {
        let why = Some("CANARY DENIAL of jane.roe@canary.example".to_owned());
        self.runtime.block_on(self.approvals().deny(who, request, why)).expect("may deny");
    }

    pub(crate) fn cancel(&self, who: &User, request: u64) {
        self.runtime.block_on(self.approvals().cancel(who, request)).expect("one's own");
    }

    pub(crate) fn grant(&self, who: &User, subject: Subject, ask: Ask) -> u64 {
        let view = small_shop::world().view;
        let granted = self.approvals().grant(who, &view, DirectGrant { subject, ask });
        self.runtime.block_on(granted).expect("may grant").grant.id
    }

    pub(crate) fn revoke(&self, who: &User, grant: u64) {
        self.runtime.block_on(self.approvals().revoke(who, grant)).expect("may revoke");
    }

    pub(crate) fn events(&self) -> Vec<RecordedEvent> {
        self.events.lock().expect("unpoisoned").clone()
    }

    /// What is told of everything so far, with a number for the store's own name.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.notices_of(&self.events())
    }

    pub(crate) fn notices_of(&self, events: &[RecordedEvent]) -> Vec<Notice> {
        let approvals = self.approvals();
        let past = Past {
            request: &|id| approvals.find_request(id),
            grant: &|id| approvals.find_grant(id).map(|view| (*view.grant).clone()),
        };
        let party =
            Party { store_id: "5107e".into(), console_url: Some("https://keyhole.example".into()) };
        events.iter().filter_map(|event| notice_of(event, &past, &party)).collect()
    }

    /// Lets a channel work, told of everything, until the receiver of the pair is told to end.
    pub(crate) fn channel(&self, route: Route) -> (watch::Sender<bool>, JoinHandle<()>) {
        self.channel_of(route, Pace::default().attempts_max)
    }

    /// One that gives up after so many attempts.
    pub(crate) fn channel_of(
        &self,
        route: Route,
        attempts_max: u32,
    ) -> (watch::Sender<bool>, JoinHandle<()>) {
        let (stop, stopped) = watch::channel(false);
        let position = Arc::new(AtomicU64::new(u64::MAX));
        let channel = Channel {
            name: "webhook-test".into(),
            label: NoticeChannel::Webhook,
            kinds: NoticeKind::ALL.to_vec(),
            age_max: Duration::from_secs(86_400),
            party: Party { store_id: self.approvals().store_id().to_owned(), console_url: None },
            route,
            pace: Pace {
                first: Duration::from_millis(20),
                longest: Duration::from_millis(80),
                attempts_max,
                ..Pace::default()
            },
            around: Around {
                approvals: self.approvals().clone(),
                positions: Positions::beside(&self.dir.path().join("keyhole.db"), "notify"),
                clock: Arc::clone(&self.clock),
                metrics: Arc::clone(&self.metrics),
            },
            position: Arc::clone(&position),
        };
        let task = self.runtime.spawn(channel.run(stopped));
        // It is told of what happens from now on: not before it knows where it begins.
        crate::support::wait::until("the channel has begun", || {
            (position.load(Ordering::Relaxed) != u64::MAX).then_some(())
        });
        (stop, task)
    }

    /// The file that says how far the channel has come.
    pub(crate) fn position(&self) -> PathBuf {
        self.dir.path().join("keyhole.db.notify/webhook-test.json")
    }

    pub(crate) fn end(&self, (stop, task): (watch::Sender<bool>, JoinHandle<()>)) {
        stop.send_replace(true);
        self.runtime.block_on(task).expect("no panic");
    }
}

fn open(dir: &Path, clock: &Clock, events: &Arc<Mutex<Vec<RecordedEvent>>>) -> Approvals {
    let text = "name = 'contact data'\nsubjects = ['*']\nresources = ['*']\nactions = ['read']\n\
                max_duration = '1h'\napprovals = 2\napprovers = ['group:dba']";
    let policy: PolicyText = toml::from_str(text).expect("a policy");
    let views = [small_shop::world().view];
    let kept = Arc::clone(events);
    Approvals::open(Settings {
        location: Location::Sqlite(dir.join("keyhole.db")),
        local: dir.to_owned(),
        max_staleness: Duration::from_secs(30),
        policies: Policies(vec![policy.resolve(&views).expect("sound")]),
        standing: Vec::new(),
        approvers: Approvers::default(),
        key: SigningKey::from_seed(&[1; 32]).expect("a key"),
        clock: Arc::clone(clock),
        on_event: Arc::new(move |event| {
            kept.lock().expect("unpoisoned").push(event.clone());
            Ok(())
        }),
    })
    .expect("it opens")
}

/// The configuration of a proxy with this `[notify]`.
pub(crate) fn config(dir: &Path, notify: &str) -> Config {
    let text = format!(
        "[data]\nlisten = '127.0.0.1:0'\nauth = 'trust'\n{notify}\n\
         [[database]]\nname = 'shop'\nupstream = 'postgres://app@127.0.0.1:1/shop'\n\
         [[user]]\nname = 'alice'\ngroups = ['support']\nemail = 'Alice <alice@example.com>'\n\
         [[user]]\nname = 'dora'\ngroups = ['dba']\nemail = 'dora@example.com'\n\
         [[user]]\nname = 'dirk'\ngroups = ['dba']\nemail = 'dirk@example.com'\n"
    );
    let file = dir.join("proxy.toml");
    std::fs::write(&file, text).expect("a writable folder");
    Config::load_with(&file, &|_| Some("secret".to_owned())).expect("a good configuration")
}
