use std::fs::{self, File};
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::segment::name_compressed;
use super::super::{AuditLog, Limits, verify_dir};
use super::*;
use crate::audit::{Event, LoginFailed, Record, Stopped};
use crate::model::Timestamp;

const T: Timestamp = Timestamp::UNIX_EPOCH;

fn open(dir: &Path) -> AuditLog {
    let limits = Limits {
        // About four records each.
        rotate_bytes: 1000,
        write_every: Duration::from_millis(2),
        sync_every: Duration::from_millis(4),
        ..Limits::default()
    };
    AuditLog::open_with(dir, limits, || T).unwrap().0
}

async fn note(log: &AuditLog) -> u64 {
    let event = Event::Stopped(Stopped { reason: "test" });
    log.append_durable(event, T).await.unwrap().seq()
}

fn numbers(batch: &Batch) -> Vec<u64> {
    batch.records().map(|line| Record::of(line).unwrap().seq).collect()
}

async fn all_until(follower: &mut Follower, last: u64) -> Vec<u64> {
    let mut all = Vec::new();
    while all.last() != Some(&last) {
        let batch = follower.next(300).await.unwrap().unwrap();
        assert_eq!(batch.len(), numbers(&batch).len() as u64);
        assert_eq!(Some(batch.to), follower.position());
        all.extend(numbers(&batch));
    }
    all
}

#[tokio::test]
async fn every_record_comes_once_in_order_over_all_files() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for _ in 0..10 {
        note(&log).await;
    }
    let mut follower = log.follow(From::Oldest).unwrap();
    let mut now = log.follow(From::Now).unwrap();
    assert_eq!((follower.waiting(), now.waiting()), (10, 0));
    assert_eq!(all_until(&mut follower, 10).await, (1..=10).collect::<Vec<_>>());
    let (batch, noted) = tokio::join!(now.next(1), note(&log));
    assert_eq!((numbers(&batch.unwrap().unwrap()), noted), (vec![11], 11));
    // It goes on from a place that was kept.
    let kept = follower.position().unwrap();
    let kept = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    let mut again = log.follow(From::Position(kept)).unwrap();
    log.shutdown().await.unwrap();
    assert_eq!(numbers(&again.next(1 << 20).await.unwrap().unwrap()), [11]);
    assert_eq!(again.next(1).await.unwrap(), None);
    assert!(matches!(log.follow(From::Oldest), Err(FollowError::Closed)));
    assert!(list(dir.path()).unwrap().len() > 2, "there are several files");
}

#[tokio::test]
async fn compressed_files_are_read_as_the_plain_ones() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for _ in 0..10 {
        note(&log).await;
    }
    let mut middle = log.follow(From::Oldest).unwrap();
    assert_eq!(all_until(&mut middle, 2).await, [1, 2]);
    let kept = middle.position().unwrap();
    let first = dir.path().join(name(1));
    let mut packed = GzEncoder::new(
        File::create(dir.path().join(name_compressed(1))).unwrap(),
        Compression::fast(),
    );
    packed.write_all(&fs::read(&first).unwrap()).unwrap();
    packed.finish().unwrap();
    assert_eq!(verify_dir(dir.path()).unwrap().records, 10, "in both forms");
    fs::remove_file(&first).unwrap();
    assert_eq!(verify_dir(dir.path()).unwrap().records, 10);
    let mut all = log.follow(From::Oldest).unwrap();
    assert_eq!(all_until(&mut all, 10).await.len(), 10);
    let mut rest = log.follow(From::Position(kept)).unwrap();
    assert_eq!(all_until(&mut rest, 10).await, (3..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_place_that_is_not_there_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for _ in 0..10 {
        note(&log).await;
    }
    let gone = |at| matches!(log.follow(From::Position(at)), Err(FollowError::Gone(_)));
    assert!(gone(Position { file: 1, offset: 0, seq: 99 }));
    assert!(gone(Position { file: 99, offset: 0, seq: 1 }));
    fs::remove_file(dir.path().join(name(1))).unwrap();
    let first = Position { file: 1, offset: 0, seq: 1 };
    let mut follower = log.follow(From::Position(first)).unwrap();
    assert!(matches!(follower.next(1).await, Err(FollowError::Gone(_))));
    let mut oldest = log.follow(From::Oldest).unwrap();
    assert!(numbers(&oldest.next(1).await.unwrap().unwrap())[0] > 1);
}

#[tokio::test]
async fn who_looks_for_notable_records_gets_those_alone() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for _ in 0..3 {
        note(&log).await;
    }
    log.shutdown().await.unwrap();
    let log = open(dir.path());
    let mut follower = log.follow(From::Oldest).unwrap();
    let mut notable = Vec::new();
    for number in 0..30 {
        let login = |reason| LoginFailed {
            session: 1,
            user: "alice".to_owned(),
            address: None,
            database: "shop".to_owned(),
            method: "scram",
            reason,
        };
        if number % 7 < 2 {
            let event = Event::LoginFailed(login("password"));
            notable.push(log.append_durable(event, T).await.unwrap().seq());
        } else {
            note(&log).await;
        }
    }
    log.shutdown().await.unwrap();
    let mut seen = Vec::new();
    while let Some(batch) = follower.next_notable(300).await.unwrap() {
        assert_eq!(Some(batch.to), follower.position());
        seen.extend(numbers(&batch));
    }
    assert_eq!(follower.position().unwrap().seq, 34, "all was passed");
    // What an earlier process has written is read, whatever it is.
    assert_eq!(seen, [vec![1, 2, 3], notable].concat());
}
