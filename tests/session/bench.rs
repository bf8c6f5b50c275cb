//! A session on the bench: its bytes, its grants and its clock are in the hands of the test, and
//! what it wants done is gathered.

use std::sync::Arc;

use bytes::BytesMut;
use keyhole::audit::{self, Event, Pseudonyms, Receipt};
use keyhole::decision::World;
use keyhole::grant::{
    Action, Budget, Claim, Conditions, Grant, Limits, Live, LiveTable, LookupMeter, Resource,
    Subject,
};
use keyhole::model::{Client, ColumnPath, Epoch, RelationName, Timestamp, User};
use keyhole::session::{Close, Effects, Env, Hold, PlanCache, Sampling, Session, Start};
use keyhole::store::audit_log::AuditLog;

use super::messages::{Told, ask, one_column, row, tell};
use super::small_shop;

pub(crate) const START: i64 = 1_700_000_000;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

/// A real audit log: nobody else issues receipts.
pub(crate) struct Log {
    runtime: tokio::runtime::Runtime,
    log: AuditLog,
    _dir: tempfile::TempDir,
}

impl Log {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (log, _) = AuditLog::open(dir.path(), || at(0)).unwrap();
        Self { runtime, log, _dir: dir }
    }

    pub(crate) fn receipt(&self, event: Event) -> Receipt {
        self.runtime.block_on(self.log.append_durable(event, at(0))).unwrap()
    }
}

pub(crate) struct Bench {
    pub(crate) session: Session,
    pub(crate) world: Arc<World>,
    pub(crate) grants: LiveTable,
    pub(crate) now: Timestamp,
    cache: Arc<PlanCache>,
    lookups: LookupMeter,
    pub(crate) pseudonyms: Pseudonyms,
    pub(crate) sampling: Sampling,
    /// Half a message of the client, for as long as it has come no further.
    pub(crate) from_client: BytesMut,
    from_server: BytesMut,
    /// All that the session wanted done since it was last taken.
    pub(crate) out: Effects,
    pub(crate) cancels: usize,
}

impl Bench {
    /// Logged in; the server has not been asked anything.
    pub(crate) fn fresh() -> Self {
        Self::of(Arc::new(small_shop::world()), Arc::default())
    }

    /// The same, in a world that exists already.
    pub(crate) fn of(world: Arc<World>, cache: Arc<PlanCache>) -> Self {
        let client = Client {
            user: User { name: "alice".into(), groups: Arc::from([]), roles: Arc::from([]) },
            address: None,
            application: "bench".into(),
            database: "shop".into(),
        };
        let start = Start {
            id: 7,
            client: Arc::new(client),
            parameters: [("client_encoding", "UTF8"), ("DateStyle", "ISO, MDY")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            frame_len_max: 1 << 20,
        };
        Self {
            session: Session::new(start),
            world,
            grants: LiveTable::new(Epoch(1), []),
            now: at(0),
            cache,
            lookups: LookupMeter::default(),
            pseudonyms: Pseudonyms::new(&[1; 32], 3),
            sampling: Sampling::default(),
            from_client: BytesMut::new(),
            from_server: BytesMut::new(),
            out: Effects::default(),
            cancels: 0,
        }
    }

    /// Logged in, and the `search_path` is known.
    pub(crate) fn new() -> Self {
        let mut bench = Self::fresh();
        bench.client(&ask(|to| to.query("SELECT id FROM customers")));
        assert!(matches!(bench.session.hold(), Some(Hold::Server)));
        bench.server(&path_answer());
        assert!(bench.session.hold().is_none());
        bench.server(&tell(|to| {
            to.describes(&[("id", 20_000, 1, 0)]);
            to.completes("SELECT 0");
            to.ready(b'I');
        }));
        assert!(bench.session.is_idle());
        bench.out = Effects::default();
        bench
    }

    fn step(
        &mut self,
        run: impl FnOnce(&mut Session, &mut BytesMut, &mut BytesMut, Env<'_>, &mut Effects),
    ) {
        let env = Env {
            world: &self.world,
            grants: &self.grants,
            now: self.now,
            cache: &self.cache,
            lookups: &self.lookups,
            pseudonyms: &self.pseudonyms,
            sampling: &self.sampling,
        };
        let mut out = Effects::default();
        run(&mut self.session, &mut self.from_client, &mut self.from_server, env, &mut out);
        self.gather(out);
    }

    fn gather(&mut self, step: Effects) {
        let all = &mut self.out;
        all.audit.extend(step.audit);
        all.to_server.extend(step.to_server);
        all.to_client.extend(step.to_client);
        self.cancels += usize::from(step.cancel.is_some());
        all.close = all.close.or(step.close);
        all.tally.violations += step.tally.violations;
        all.tally.cut += step.tally.cut;
        all.samples.extend(step.samples);
    }

    pub(crate) fn client(&mut self, bytes: &[u8]) {
        self.from_client.extend_from_slice(bytes);
        self.step(|session, input, _, env, out| session.client_bytes(input, env, out));
    }

    pub(crate) fn server(&mut self, bytes: &[u8]) {
        self.from_server.extend_from_slice(bytes);
        self.step(|session, _, input, env, out| session.server_bytes(input, env, out));
    }

    /// The record that the session wants durable, made so.
    pub(crate) fn receipt(&self, log: &Log) -> Receipt {
        let Some(Hold::Release(event)) = self.session.hold() else {
            panic!("no release is under way")
        };
        log.receipt((**event).clone())
    }

    pub(crate) fn released(&mut self, receipt: Receipt) {
        self.step(|session, _, _, env, out| session.released(receipt, env, out));
        self.client(b"");
    }

    pub(crate) fn release(&mut self, log: &Log) {
        let receipt = self.receipt(log);
        self.released(receipt);
    }

    pub(crate) fn not_released(&mut self) {
        self.step(|session, _, _, env, out| session.not_released(env, out));
        self.client(b"");
    }

    pub(crate) fn refreshed(&mut self) {
        self.step(|session, _, _, env, out| session.refreshed(env, out));
        self.server(b"");
        self.client(b"");
    }

    pub(crate) fn refuse_calls(&mut self) {
        let report = keyhole::model::Report::error(
            keyhole::model::SqlState::UNDEFINED_OBJECT,
            "there is none",
        );
        let Some(Hold::InBand(calls)) = self.session.hold() else {
            panic!("no calls are under way")
        };
        let answers = calls.iter().map(|_| Err(report.clone())).collect();
        self.step(|session, _, _, env, out| session.answered(answers, env, out));
        self.client(b"");
    }

    /// The client is gone.
    pub(crate) fn abandon(&mut self) {
        self.step(|session, _, _, env, out| session.abandon(env, out));
    }

    pub(crate) fn tick(&mut self) {
        self.step(|session, _, _, env, out| session.tick(env, out));
    }

    /// Alice may read this column of customers until `seconds` after the start.
    pub(crate) fn grant(&mut self, column: &str, seconds: i64) {
        self.grant_limited(column, seconds, Limits::default());
    }

    /// The same, with limits; what is left of them is what this gives.
    pub(crate) fn grant_limited(
        &mut self,
        column: &str,
        seconds: i64,
        limits: Limits,
    ) -> Option<Arc<Budget>> {
        let grant = Grant {
            id: 1,
            subject: Subject::User("alice".into()),
            database: Some("shop".into()),
            resource: match (RelationName::new("public", "customers"), column) {
                (relation, "*") => Resource::Table(relation),
                (relation, column) => {
                    Resource::Column(ColumnPath { relation, column: column.into() })
                }
            },
            actions: [Action::Read].into_iter().collect(),
            rows: None,
            conditions: Conditions::default(),
            limits,
            from_first_use: None,
            not_before: at(0),
            expires_at: Some(at(seconds)),
            reason: "INC-1".into(),
            ticket: None,
            requester: "alice".into(),
            approvers: Vec::new(),
            request: None,
            policy: None,
            review: None,
        };
        let live = Live::from(Arc::new(grant));
        let budget = live.budget.clone();
        self.grants = LiveTable::of(Epoch(self.grants.epoch.0 + 1), [live]);
        budget
    }

    /// The uses that the session wants on record are, or are not.
    pub(crate) fn spent_on(
        &mut self,
        claims: &[Claim],
        result: Result<(), keyhole::model::Report>,
    ) {
        self.step(|session, _, _, env, out| session.spent(claims, result, env, out));
        self.server(b"");
        self.client(b"");
    }

    pub(crate) fn spent(&mut self, result: Result<(), keyhole::model::Report>) {
        let Some(Hold::Spend(claims)) = self.session.hold() else { panic!("nothing is claimed") };
        let claims = claims.clone();
        self.step(|session, _, _, env, out| session.spent(&claims, result, env, out));
        self.server(b"");
        self.client(b"");
    }

    pub(crate) fn revoke(&mut self) {
        self.grants = LiveTable::new(Epoch(self.grants.epoch.0 + 1), []);
    }

    /// The bytes for the server since they were last taken.
    pub(crate) fn sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out.to_server)
    }

    /// The bytes for the client since they were last taken.
    pub(crate) fn shown(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out.to_client)
    }

    /// The same, as messages.
    pub(crate) fn told(&mut self) -> Told {
        Told::read(&self.shown())
    }

    /// Statements that ended, by their decision and SQLSTATE.
    pub(crate) fn records(&self) -> Vec<(audit::Decision, Option<String>)> {
        let statements = self.out.audit.iter().filter_map(|event| {
            if let Event::Statement(statement) = event { Some(statement) } else { None }
        });
        statements.map(|s| (s.decision, s.sqlstate.map(|state| state.to_string()))).collect()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.out.close == Some(Close::Done)
    }

    /// The session still answers as one should: a clear statement goes through both ways.
    pub(crate) fn works(&mut self) {
        assert!(self.session.is_idle(), "nothing is under way");
        let (_, _) = (self.sent(), self.shown());
        let question = ask(|to| to.query("SELECT 1"));
        self.client(&question);
        assert_eq!(self.sent(), question);
        let answer = tell(|to| {
            one_column(to, "one");
            row(to, &[Some("1")]);
            to.completes("SELECT 1");
            to.ready(b'I');
        });
        self.server(&answer);
        assert_eq!(self.shown(), answer);
    }
}

/// What the server says to the question for its `search_path`.
pub(crate) fn path_answer() -> Vec<u8> {
    tell(|to| {
        to.parsed();
        to.bound();
        row(to, &[Some(r#"["pg_catalog","public"]"#)]);
        to.completes("SELECT 1");
        to.closed();
        to.closed();
        to.ready(b'I');
    })
}
