//! The log on a disk that fails, and what groups cost.

use std::fs;
use std::sync::atomic::{AtomicU8, Ordering};

use super::writer::Disk;
use super::*;
use crate::audit::{LoginFailed, Stopped};

const WELL: u8 = 0;
/// A write stops half way.
const FULL: u8 = 1;
/// Writes work, the sync does not.
const UNSYNCED: u8 = 2;
/// A sync takes long.
const SLOW: u8 = 3;

/// The log's files on a disk with moods.
struct Moody {
    inner: Segments,
    mood: Arc<AtomicU8>,
}

impl Disk for Moody {
    fn place(&self) -> (u32, u64) {
        self.inner.place()
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.mood.load(Ordering::SeqCst) == FULL {
            self.inner.write(&bytes[..bytes.len() / 2])?;
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.inner.write(bytes)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        match self.mood.load(Ordering::SeqCst) {
            UNSYNCED => return Err(std::io::Error::other("no sync")),
            SLOW => std::thread::sleep(Duration::from_millis(20)),
            _ => {}
        }
        self.inner.sync()
    }

    fn rewind(&mut self) -> std::io::Result<()> {
        self.inner.rewind()
    }

    fn turn_over(&mut self) -> std::io::Result<()> {
        self.inner.turn_over()
    }

    fn is_full(&self) -> bool {
        self.inner.is_full()
    }

    fn begun(&self) -> Option<Timestamp> {
        self.inner.begun()
    }

    fn id(&self) -> &str {
        self.inner.id()
    }

    fn unsigned(&self) -> u64 {
        self.inner.unsigned()
    }
}

fn limits() -> Limits {
    Limits {
        write_every: Duration::from_millis(5),
        sync_every: Duration::from_millis(10),
        retry_every: Duration::from_millis(5),
        ..Limits::default()
    }
}

fn open_moody(dir: &Path, limits: Limits) -> (AuditLog, Arc<AtomicU8>) {
    let (inner, chain, repair) = Segments::open(dir, limits.rotate_bytes).unwrap();
    assert_eq!(repair, Repair::None);
    let id = inner.id().to_owned();
    let mood = Arc::new(AtomicU8::new(WELL));
    let disk = Moody { inner, mood: Arc::clone(&mood) };
    let writer = Writer::new(disk, chain, limits, Box::new(|| Timestamp::UNIX_EPOCH));
    (AuditLog::start(dir, id, writer).unwrap(), mood)
}

fn event(user: &str) -> Event {
    Event::LoginFailed(LoginFailed {
        session: 1,
        user: user.to_owned(),
        address: None,
        database: "shop".to_owned(),
        method: "scram",
        reason: "password",
    })
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..2000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("it never came");
}

fn lines(dir: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(dir.join("audit-00000001.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const T: Timestamp = Timestamp::UNIX_EPOCH;

#[tokio::test]
async fn a_durable_record_is_on_disk_when_its_receipt_comes() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open_moody(dir.path(), limits());
    let receipt = log.append_durable(event("alice"), T).await.unwrap();
    assert_eq!(receipt.seq(), 1);
    assert_eq!(lines(dir.path())[0]["user"], "alice");
    assert_eq!(verify_dir(dir.path()).unwrap().records, 1);
}

#[tokio::test]
async fn a_reading_ends_when_nobody_waits_any_longer() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open_moody(dir.path(), limits());
    log.append_durable(event("alice"), T).await.unwrap();
    let read = |goes_on: bool| {
        let go_on = || goes_on;
        let effort = Effort { threads: 1, go_on: &go_on };
        let mut records = 0;
        let add = |count: &mut u64, _: Place<'_>, _: &[u8]| *count += 1;
        let read = gather_within(dir.path(), &Proofs::default(), effort, add, |n| records += n);
        (read.map(|verified| verified.records).map_err(|broken| broken.why), records)
    };
    assert_eq!(read(true), (Ok(1), 1));
    assert_eq!(read(false), (Err(crate::audit::Why::Stopped), 0));
}

#[tokio::test]
async fn records_that_nobody_waits_for_reach_the_disk_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open_moody(dir.path(), limits());
    for user in ["a", "b", "c"] {
        log.append(event(user), T).await.unwrap();
    }
    until(|| log.stats().syncs > 0).await;
    assert_eq!(lines(dir.path()).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sync_serves_many() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mood) = open_moody(dir.path(), limits());
    mood.store(SLOW, Ordering::SeqCst);
    let mut tasks = tokio::task::JoinSet::new();
    for user in 0..200 {
        let log = log.clone();
        tasks.spawn(async move { log.append_durable(event(&user.to_string()), T).await });
    }
    let mut seqs = Vec::new();
    while let Some(receipt) = tasks.join_next().await {
        seqs.push(receipt.unwrap().unwrap().seq());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=200).collect::<Vec<u64>>());
    assert!(log.stats().syncs <= 20, "{} syncs", log.stats().syncs);
    log.shutdown().await.unwrap();
    assert_eq!(verify_dir(dir.path()).unwrap().records, 200);
}

#[tokio::test]
async fn a_full_disk_refuses_receipts_and_loses_no_record() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mood) = open_moody(dir.path(), limits());
    log.append_durable(event("before"), T).await.unwrap();
    mood.store(FULL, Ordering::SeqCst);
    let refused = log.append_durable(event("during"), T).await;
    assert!(matches!(refused, Err(AuditError::Failing)), "{refused:?}");
    assert!(!log.healthy());
    let refused = log.append_durable(event("at once"), T).await;
    assert!(matches!(refused, Err(AuditError::Failing)), "{refused:?}");
    log.append(event("queued"), T).await.unwrap();
    mood.store(WELL, Ordering::SeqCst);
    until(|| log.healthy()).await;
    log.append_durable(event("after"), T).await.unwrap();
    log.shutdown().await.unwrap();
    verify_dir(dir.path()).unwrap();
    let users: Vec<_> = lines(dir.path()).iter().map(|line| line["user"].clone()).collect();
    assert_eq!(users, ["before", "during", "queued", "after"]);
}

#[tokio::test]
async fn what_an_unsynced_write_left_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mood) = open_moody(dir.path(), limits());
    mood.store(UNSYNCED, Ordering::SeqCst);
    let refused = log.append_durable(event("during"), T).await;
    assert!(matches!(refused, Err(AuditError::Failing)), "{refused:?}");
    mood.store(WELL, Ordering::SeqCst);
    until(|| log.healthy()).await;
    log.shutdown().await.unwrap();
    assert_eq!(verify_dir(dir.path()).unwrap().records, 1);
}

#[tokio::test]
async fn what_does_not_fit_while_the_disk_is_full_is_counted_on_record() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mood) = open_moody(dir.path(), Limits { kept_bytes: 1000, ..limits() });
    mood.store(FULL, Ordering::SeqCst);
    log.append_durable(event("first"), T).await.unwrap_err();
    for _ in 0..100 {
        log.append(event("more"), T).await.unwrap();
    }
    until(|| log.stats().records + log.stats().lost == 101).await;
    let lost = log.stats().lost;
    assert!(lost > 90, "{lost}");
    mood.store(WELL, Ordering::SeqCst);
    until(|| log.healthy()).await;
    log.shutdown().await.unwrap();
    verify_dir(dir.path()).unwrap();
    let lines = lines(dir.path());
    let last = lines.last().unwrap();
    assert_eq!(last["kind"], "lost");
    assert_eq!(last["records"], lost);
    assert_eq!(lines.len() as u64 - 1 + lost, 101);
}

#[tokio::test]
async fn a_file_taken_away_gives_no_receipts() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open_moody(dir.path(), limits());
    log.append_durable(event("before"), T).await.unwrap();
    let path = dir.path().join("audit-00000001.jsonl");
    let away = dir.path().join("away");
    fs::rename(&path, &away).unwrap();
    log.append_durable(event("into nowhere"), T).await.unwrap_err();
    assert!(!log.healthy());
    fs::rename(&away, &path).unwrap();
    until(|| log.healthy()).await;
    log.append_durable(event("after"), T).await.unwrap();
    fs::remove_file(&path).unwrap();
    log.append_durable(event("into nowhere"), T).await.unwrap_err();
    log.shutdown().await.unwrap_err();
}

#[tokio::test]
async fn a_file_replaced_by_its_copy_gives_no_receipts() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open_moody(dir.path(), limits());
    log.append_durable(event("before"), T).await.unwrap();
    let path = dir.path().join("audit-00000001.jsonl");
    let copy = dir.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    log.append_durable(event("into nowhere"), T).await.unwrap_err();
    log.shutdown().await.unwrap_err();
    assert_eq!(verify_dir(dir.path()).unwrap().records, 1);
}

#[tokio::test]
async fn a_file_written_by_somebody_else_gives_no_receipts() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open_moody(dir.path(), limits());
    log.append_durable(event("before"), T).await.unwrap();
    let path = dir.path().join("audit-00000001.jsonl");
    fs::write(&path, "").unwrap();
    log.append_durable(event("after"), T).await.unwrap_err();
    log.shutdown().await.unwrap_err();
    assert!(verify_dir(dir.path()).is_err());
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_drops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mood) = open_moody(dir.path(), Limits { queue_units: 4, ..limits() });
    mood.store(SLOW, Ordering::SeqCst);
    for _ in 0..500 {
        log.append(event("alice"), T).await.unwrap();
    }
    log.shutdown().await.unwrap();
    assert_eq!(verify_dir(dir.path()).unwrap().records, 500);
}

#[tokio::test]
async fn an_event_without_room_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mood) = open_moody(dir.path(), Limits { queue_units: 1, ..limits() });
    mood.store(SLOW, Ordering::SeqCst);
    let mut taken = 0;
    let back = loop {
        match log.try_append(event("alice"), T).unwrap() {
            Some(back) => break back,
            None => taken += 1,
        }
    };
    log.append(back, T).await.unwrap();
    log.shutdown().await.unwrap();
    assert!(matches!(log.try_append(event("late"), T), Err(AuditError::Closed)));
    assert_eq!(verify_dir(dir.path()).unwrap().records, taken + 1);
}

#[tokio::test]
async fn a_closed_log_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open_moody(dir.path(), limits());
    log.append(Event::Stopped(Stopped { reason: "signal" }), T).await.unwrap();
    log.shutdown().await.unwrap();
    log.shutdown().await.unwrap();
    assert!(matches!(log.append(event("late"), T).await, Err(AuditError::Closed)));
    assert!(matches!(log.append_durable(event("late"), T).await, Err(AuditError::Closed)));
    assert!(!log.healthy());
    assert_eq!(verify_dir(dir.path()).unwrap().records, 1);
}

#[tokio::test]
async fn a_writer_that_died_gives_no_receipts() {
    let dir = tempfile::tempdir().unwrap();
    let (inner, chain, _) = Segments::open(dir.path(), 1 << 20).unwrap();
    let disk = Moody { inner, mood: Arc::new(AtomicU8::new(FULL)) };
    // The clock is asked for the time of the `lost` record only.
    let clock = || panic!("no clock");
    let limits = Limits { kept_bytes: 0, ..limits() };
    let mood = Arc::clone(&disk.mood);
    let writer = Writer::new(disk, chain, limits, Box::new(clock));
    let log = AuditLog::start(dir.path(), String::new(), writer).unwrap();
    log.append_durable(event("first"), T).await.unwrap_err();
    log.append(event("lost"), T).await.unwrap();
    until(|| log.stats().lost == 1).await;
    mood.store(WELL, Ordering::SeqCst);
    log.shutdown().await.unwrap_err();
    assert!(matches!(log.append_durable(event("late"), T).await, Err(AuditError::Closed)));
}
