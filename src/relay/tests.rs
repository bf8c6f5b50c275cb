//! Sessions on in-memory connections: how bytes move and how sessions end. What a session decides
//! is tested where it is decided.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Database, Ended, Parties, Patience, Peer, Phase, Surroundings, cancel_requests, run};
use crate::analysis::sensitive::{Sensitive, Tags, Unclassified};
use crate::catalog::Catalog;
use crate::decision::{Mode, Notice, Persist, Rules, World, Writes};
use crate::grant::{Approvers, CatalogView, Policies};
use crate::model::{Client, Epoch, User};
use crate::schema::Snapshot;
use crate::session::Start;
use crate::store::approvals::{Approvals, Location, Settings, steady_clock};
use crate::store::audit_log::AuditLog;
use crate::telemetry::sessions::Dismissal;
use crate::telemetry::{Metrics, sessions};
use crate::wire::TxStatus;
use crate::wire::backend::{ErrorFields, tag};
use crate::wire::write;

/// Longer than anything here takes, shorter than patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// A session between two connections that the test holds the other ends of.
struct Line {
    client: DuplexStream,
    server: DuplexStream,
    listed: Arc<sessions::Session>,
    phase: watch::Sender<Phase>,
    ended: JoinHandle<Option<Ended>>,
    _dir: TempDir,
}

pub(crate) fn world(name: &Arc<str>) -> World {
    let (schema, catalog) = (Snapshot::default(), Catalog::default());
    let (sensitive, _, _) =
        Sensitive::bind(&schema, &catalog, &Tags::default(), Unclassified::Allow).unwrap();
    let view = CatalogView::new(&**name, &catalog, Some(&schema));
    let rules = Rules {
        mode: Mode::Enforce,
        persist: Persist::Refuse,
        lookups_per_minute: 20,
        writes: Writes::Allow,
        notice: Notice::PerStatement,
    };
    World::new(Epoch(1), Arc::clone(name), schema, sensitive, view, rules).0
}

fn surroundings(dir: &TempDir, phase: watch::Receiver<Phase>) -> Surroundings {
    let clock = steady_clock();
    let now = Arc::clone(&clock);
    let (audit, _) = AuditLog::open(&dir.path().join("audit"), move || now()).unwrap();
    let approvals = Approvals::open(Settings {
        location: Location::Sqlite(dir.path().join("store.db")),
        local: dir.path().to_owned(),
        max_staleness: Duration::from_secs(30),
        policies: Policies::default(),
        standing: Vec::new(),
        approvers: Approvers::default(),
        key: crate::model::SigningKey::from_seed(&[1; 32]).unwrap(),
        clock: Arc::clone(&clock),
        on_event: Arc::new(|_| Ok(())),
    });
    let metrics = Arc::new(Metrics::new().unwrap());
    let pseudonyms = Arc::new(crate::audit::Pseudonyms::new(&[1; 32], 10));
    Surroundings { clock, audit, approvals: approvals.unwrap(), metrics, pseudonyms, phase }
}

fn open() -> Line {
    open_with(Patience::default())
}

#[expect(clippy::disallowed_methods, reason = "the test owns its tasks")]
fn open_with(patience: Patience) -> Line {
    let dir = tempfile::tempdir().unwrap();
    let phase = watch::Sender::new(Phase::Serving);
    let around = surroundings(&dir, phase.subscribe());
    let database = Arc::new(Database::new("shop".into()));
    database.publish(world(database.name()), None);
    let user = User { name: "alice".into(), groups: Arc::new([]), roles: Arc::new([]) };
    let client =
        Arc::new(Client { user, address: None, application: "".into(), database: "shop".into() });
    let entry = Arc::new(sessions::Registry::default()).enter(sessions::Facts {
        user: "alice".into(),
        groups: Arc::new([]),
        database: "shop".into(),
        address: None,
        application: "".into(),
        since: (around.clock)(),
    });
    let listed = Arc::clone(entry.session());
    let (client_end, client_stream) = duplex(64 << 10);
    let (server_end, server_stream) = duplex(64 << 10);
    let parties = Parties {
        start: Start { id: 1, client, parameters: Vec::new(), frame_len_max: 1 << 20 },
        client: Peer { stream: client_stream, leftover: Vec::new() },
        server: Peer { stream: server_stream, leftover: Vec::new() },
        cancel: Arc::new(|| Box::pin(async {})),
        cancel_requests: cancel_requests().1,
        patience,
    };
    let ended = tokio::spawn(async move {
        let _listed_until_here = &entry;
        run(&around, &database, entry.session(), parties).await
    });
    Line { client: client_end, server: server_end, listed, phase, ended, _dir: dir }
}

impl Line {
    /// How the session ended.
    async fn reason(self) -> &'static str {
        let ended = timeout(PATIENCE, self.ended).await;
        ended.expect("it ends").expect("no panic").expect("there is a world").reason
    }
}

async fn frame(stream: &mut DuplexStream) -> (u8, Vec<u8>) {
    let read = async {
        let tag = stream.read_u8().await.unwrap();
        let len = stream.read_u32().await.unwrap();
        let mut payload = vec![0; len as usize - 4];
        stream.read_exact(&mut payload).await.unwrap();
        (tag, payload)
    };
    timeout(PATIENCE, read).await.expect("a message comes")
}

/// SQLSTATE and message of the error that comes next.
async fn error(stream: &mut DuplexStream) -> (String, String) {
    let (tag, payload) = frame(stream).await;
    assert_eq!(tag, tag::ERROR_RESPONSE);
    let fields = ErrorFields::read(&payload).unwrap();
    let text = |field| String::from_utf8(fields.get(field).unwrap().to_vec()).unwrap();
    (text(b'C'), text(b'M'))
}

/// The SQLSTATE of the error that comes next.
async fn state(stream: &mut DuplexStream) -> String {
    error(stream).await.0
}

fn query(sql: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    write::query(&mut bytes, sql).unwrap();
    bytes
}

/// A whole answer to a query that returns nothing.
fn done(command: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    write::command_complete(&mut bytes, command).unwrap();
    write::ready_for_query(&mut bytes, TxStatus::Idle);
    bytes
}

#[tokio::test]
async fn a_query_goes_one_way_and_its_answer_the_other() {
    let mut line = open();
    line.client.write_all(&query("SET x = 1")).await.unwrap();
    assert_eq!(frame(&mut line.server).await, (b'Q', b"SET x = 1\0".to_vec()));
    line.server.write_all(&done("SET")).await.unwrap();
    assert_eq!(frame(&mut line.client).await, (b'C', b"SET\0".to_vec()));
    assert_eq!(frame(&mut line.client).await, (b'Z', b"I".to_vec()));
    line.client.write_all(b"X\0\0\0\x04").await.unwrap();
    assert_eq!(line.reason().await, "client");
}

#[tokio::test]
async fn a_client_that_vanishes_takes_its_server_session_along() {
    let mut line = open();
    drop(std::mem::replace(&mut line.client, duplex(1).0));
    assert_eq!(frame(&mut line.server).await, (b'X', Vec::new()));
    assert_eq!(line.reason().await, "client_lost");
}

#[tokio::test]
async fn a_server_that_vanishes_is_told_to_the_client() {
    let mut line = open();
    drop(std::mem::replace(&mut line.server, duplex(1).0));
    assert_eq!(state(&mut line.client).await, "08006");
    assert_eq!(line.reason().await, "server_lost");
}

#[tokio::test]
async fn a_dismissed_session_is_told_why() {
    for (why, reason, words) in [
        (Dismissal::Killed, "killed", "administrator command"),
        (Dismissal::LoginExpired, "login_expired", "login has expired"),
        (Dismissal::Configuration, "configuration", "configured anew"),
    ] {
        let mut line = open();
        line.listed.dismiss(why);
        let (code, message) = error(&mut line.client).await;
        assert_eq!(code, "57P01");
        assert!(message.contains(words), "{message}");
        assert_eq!(line.reason().await, reason);
    }
}

#[tokio::test]
async fn a_drain_ends_a_session_when_its_statement_is_done() {
    let mut line = open();
    line.client.write_all(&query("SET x = 1")).await.unwrap();
    frame(&mut line.server).await;
    line.phase.send_replace(Phase::Draining);
    // The phase is looked at with every message, so the session has seen it and goes on.
    let mut status = Vec::new();
    write::parameter_status(&mut status, "x", "1").unwrap();
    line.server.write_all(&status).await.unwrap();
    assert_eq!(frame(&mut line.client).await.0, b'S');
    line.server.write_all(&done("SET")).await.unwrap();
    assert_eq!(frame(&mut line.client).await.0, b'C');
    assert_eq!(frame(&mut line.client).await.0, b'Z');
    assert_eq!(state(&mut line.client).await, "57P01");
    assert_eq!(line.reason().await, "shutdown");
}

#[tokio::test]
async fn the_end_of_a_drain_ends_a_session_that_works() {
    let mut line = open();
    line.client.write_all(&query("SET x = 1")).await.unwrap();
    frame(&mut line.server).await;
    line.phase.send_replace(Phase::Ending);
    assert_eq!(state(&mut line.client).await, "57P01");
    assert_eq!(line.reason().await, "shutdown");
}

#[tokio::test]
async fn bytes_that_never_stop_do_not_hide_a_kill() {
    let Line { mut client, mut server, listed, ended, .. } = open();
    client.write_all(&query("SHOW x")).await.unwrap();
    frame(&mut server).await;
    let mut notices = Vec::new();
    for _ in 0..1000 {
        write::parameter_status(&mut notices, "x", "y").unwrap();
    }
    let flood = async { while server.write_all(&notices).await.is_ok() {} };
    let drink = async {
        let mut sink = vec![0; 64 << 10];
        let mut len = 0;
        while let Ok(more @ 1..) = client.read(&mut sink).await {
            len += more;
            if len > 4 << 20 {
                listed.dismiss(Dismissal::Killed);
            }
        }
    };
    timeout(PATIENCE, async { tokio::join!(flood, drink) }).await.expect("it ends");
    assert_eq!(ended.await.unwrap().unwrap().reason, "killed");
}

#[tokio::test]
async fn a_slow_client_holds_the_server_back() {
    let mut line = open();
    line.client.write_all(&query("SHOW x")).await.unwrap();
    frame(&mut line.server).await;
    let mut row = Vec::new();
    write::parameter_status(&mut row, "x", &"y".repeat(60 << 10)).unwrap();
    let mut sent: usize = 0;
    let flood = async {
        loop {
            line.server.write_all(&row).await.unwrap();
            sent += row.len();
        }
    };
    assert!(timeout(Duration::from_millis(300), flood).await.is_err(), "nobody reads");
    assert!(sent < 2 << 20, "{sent} bytes are kept for a client that reads none");
    let mut got: usize = 0;
    while got < sent {
        got += frame(&mut line.client).await.1.len() + 5;
    }
}

#[tokio::test]
async fn a_session_that_rests_for_too_long_ends() {
    let soon = Some(Duration::from_millis(200));
    let mut line = open_with(Patience { idle: soon, ..Patience::default() });
    assert_eq!(state(&mut line.client).await, "57P05");
    assert_eq!(frame(&mut line.server).await, (b'X', Vec::new()));
    assert_eq!(line.reason().await, "idle");

    let mut line = open_with(Patience { idle_in_transaction: soon, ..Patience::default() });
    line.client.write_all(&query("BEGIN")).await.unwrap();
    frame(&mut line.server).await;
    let mut begun = Vec::new();
    write::command_complete(&mut begun, "BEGIN").unwrap();
    write::ready_for_query(&mut begun, TxStatus::InTransaction);
    line.server.write_all(&begun).await.unwrap();
    assert_eq!(frame(&mut line.client).await.0, b'C');
    assert_eq!(frame(&mut line.client).await.0, b'Z');
    assert_eq!(state(&mut line.client).await, "25P03");
    assert_eq!(line.reason().await, "idle_in_transaction");
}

#[tokio::test]
async fn a_client_that_takes_nothing_for_too_long_is_given_up() {
    let stall = Some(Duration::from_millis(300));
    let mut line = open_with(Patience { client_stall: stall, ..Patience::default() });
    line.client.write_all(&query("SHOW x")).await.unwrap();
    frame(&mut line.server).await;
    let mut row = Vec::new();
    write::parameter_status(&mut row, "x", &"y".repeat(60 << 10)).unwrap();
    while timeout(PATIENCE, line.server.write_all(&row)).await.expect("it ends").is_ok() {}
    assert_eq!(line.reason().await, "stalled");
}
