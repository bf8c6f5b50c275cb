//! What is done to a log afterwards, and what `audit verify` says of it: each kind of tampering, at
//! every class of places, by somebody who cannot compute hashes, by somebody who can, and against
//! checkpoints that were kept elsewhere. `cargo test --test evidence -- --nocapture` prints the table.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyhole::audit::{Event, LoginFailed};
use keyhole::model::{SigningKey, Timestamp};
use keyhole::store::audit_log::{
    AuditLog, Checkpoints, Keeping, KeptCheckpoint, Limits, Position, Proofs, Tended, scan_proven,
};
use sha2::{Digest as _, Sha256};

const FILES: usize = 5;
const HOUR: Duration = Duration::from_secs(3600);

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32]).unwrap()
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

/// A clock that only moves when told.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

fn open(dir: &Path, hand: &Hand, limits: Limits, key: SigningKey) -> AuditLog {
    let checkpoints = Some(Checkpoints { key, every: HOUR });
    let limits = Limits { checkpoints, ..limits };
    let hand = hand.clone();
    AuditLog::open_with(dir, limits, move || hand.now()).unwrap().0
}

async fn note(log: &AuditLog, hand: &Hand, user: &str) -> u64 {
    hand.forward(1);
    log.append_durable(event(user), hand.now()).await.unwrap().seq()
}

/// Some files of some records each.
async fn written(dir: &Path, key: SigningKey) {
    let hand = Hand::default();
    let limits = Limits { rotate_bytes: 2500, ..Limits::default() };
    let log = open(dir, &hand, limits, key);
    let mut number = 0;
    while names(dir).len() < FILES {
        note(&log, &hand, &format!("user{number}")).await;
        number += 1;
    }
    for more in 0..3 {
        note(&log, &hand, &format!("last{more}")).await;
    }
    log.shutdown().await.unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("audit-"));
    names.sort();
    names
}

/// The log in memory: for each file its lines.
type Log = Vec<Vec<String>>;

fn load(dir: &Path) -> Log {
    let read = |name: &String| fs::read_to_string(dir.join(name)).unwrap();
    names(dir).iter().map(|name| read(name).lines().map(str::to_owned).collect()).collect()
}

fn save(dir: &Path, log: &Log) {
    for name in names(dir) {
        fs::remove_file(dir.join(name)).unwrap();
    }
    for (file, lines) in log.iter().enumerate() {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(dir.join(format!("audit-{:08}.jsonl", file + 1)), text).unwrap();
    }
}

/// What somebody does who knows the format but not the key: numbers, links and hashes anew.
fn rehash(log: &mut Log) {
    let (mut seq, mut prev) = (1, "0".repeat(64));
    for line in log.iter_mut().flatten() {
        let body = &line[..line.rfind(",\"prev\":\"").unwrap()];
        let body = &body[body.find(',').unwrap()..];
        let body = format!("{{\"seq\":{seq}{body},\"prev\":\"{prev}\"");
        let hash = hex(body.as_bytes());
        *line = format!("{body},\"hash\":\"{hash}\"}}");
        prev = hex(line.as_bytes());
        seq += 1;
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_checkpoint(line: &str) -> bool {
    line.contains("\"kind\":\"checkpoint\"")
}

fn kept(log: &Log) -> Vec<KeptCheckpoint> {
    let lines = log.iter().flatten().filter(|line| is_checkpoint(line));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is said with the chain alone, with the key, and with checkpoints kept elsewhere.
fn said(dir: &Path, anchors: &[KeptCheckpoint]) -> [Result<u64, String>; 3] {
    let proofs = [
        Proofs::default(),
        Proofs { keys: vec![key().public()], kept: Vec::new() },
        Proofs { keys: vec![key().public()], kept: anchors.to_vec() },
    ];
    proofs.map(|proofs| {
        let verified = scan_proven(dir, &proofs, |_, _| None::<()>, |()| {});
        verified.map(|verified| verified.records).map_err(|broken| broken.to_string())
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Found {
    /// By the chain alone.
    Chain,
    Key,
    /// With a checkpoint that was kept elsewhere only.
    Anchor,
}

/// Where in the log: file and line.
fn places(log: &Log) -> Vec<(&'static str, usize, usize)> {
    let last = log.len() - 1;
    vec![
        ("first record", 0, 0),
        ("second record", 0, 1),
        ("middle of a file", 2, log[2].len() / 2),
        ("last of a file", 2, log[2].len() - 1),
        ("first of a file", 3, 0),
        ("before the last", last, log[last].len() - 2),
        ("last record", last, log[last].len() - 1),
    ]
}

type Deed = fn(&mut Log, usize, usize);

const DEEDS: [(&str, Deed); 5] = [
    ("changed", |log, file, line| {
        let at = &mut log[file][line];
        *at = if at.contains("\"user\":\"") {
            at.replacen("\"user\":\"", "\"user\":\"x", 1)
        } else {
            at.replacen("\"every_s\":3600", "\"every_s\":3601", 1)
        };
    }),
    ("removed", |log, file, line| drop(log[file].remove(line))),
    ("inserted", |log, file, line| {
        let copy = log[1][1].clone();
        log[file].insert(line, copy);
    }),
    ("repeated", |log, file, line| {
        let copy = log[file][line].clone();
        log[file].insert(line, copy);
    }),
    ("reordered", |log, file, line| {
        let (other_file, other) = if line == 0 { (file, 1) } else { (file, line - 1) };
        let copy = log[file][line].clone();
        log[file][line] = std::mem::replace(&mut log[other_file][other], copy);
    }),
];

#[tokio::test]
async fn every_kind_of_tampering_is_found_at_every_place() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), key()).await;
    let whole = load(dir.path());
    let anchors = kept(&whole);
    let total = whole.iter().flatten().count() as u64;
    assert_eq!(said(dir.path(), &anchors), [Ok(total), Ok(total), Ok(total)]);
    for (deed, act) in DEEDS {
        for (place, file, line) in places(&whole) {
            let mut log = whole.clone();
            act(&mut log, file, line);
            save(dir.path(), &log);
            let [by_chain, by_key, _] = said(dir.path(), &anchors);
            println!("| {deed} | {place} | {} |", show(&by_chain));
            let cut = deed == "removed" && place == "last record";
            assert_eq!(by_chain.is_ok(), cut, "{deed}, {place}");
            assert_eq!(by_key.is_ok(), cut, "{deed}, {place}");
            // The same by somebody who makes the chain fit again.
            rehash(&mut log);
            save(dir.path(), &log);
            let [by_chain, by_key, by_anchor] = said(dir.path(), &anchors);
            println!("| {deed}, hashed anew | {place} | {} |", show(&by_key));
            assert!(by_chain.is_ok(), "{deed}, {place}: the forger made a mistake");
            // That the last checkpoint is gone, only a copy elsewhere tells.
            assert_eq!(by_key.is_ok(), cut, "{deed}, {place}");
            assert!(by_anchor.is_err(), "{deed}, {place}");
        }
    }
}

fn show(outcome: &Result<u64, String>) -> String {
    match outcome {
        Ok(records) => format!("ok, {records} records"),
        Err(said) => said.clone(),
    }
}

type Cut = (&'static str, Found, fn(&mut Log));

const CUTS: [Cut; 9] = [
    ("a file in the middle removed", Found::Chain, |log| drop(log.remove(2))),
    ("the first file emptied", Found::Chain, |log| log[0].clear()),
    ("the last file removed", Found::Anchor, |log| drop(log.pop())),
    ("cut behind a checkpoint", Found::Anchor, |log| {
        log.truncate(3);
        log[2].truncate(1);
    }),
    ("cut between two checkpoints", Found::Anchor, |log| {
        log.truncate(3);
        log[2].truncate(3);
    }),
    ("tail replaced over several files", Found::Key, |log| {
        for file in &mut log[2..] {
            file.retain(|line| !is_checkpoint(line));
            file.iter_mut().for_each(forge);
        }
    }),
    ("tail replaced, checkpoints kept", Found::Key, |log| {
        log[2..].iter_mut().flatten().for_each(forge);
    }),
    ("all checkpoints removed", Found::Key, |log| {
        log.iter_mut().for_each(|file| file.retain(|line| !is_checkpoint(line)));
    }),
    ("tail replaced, with times over hours", Found::Key, |log| {
        log.truncate(3);
        log[2].truncate(4);
        log[2][3] = log[2][3].replacen("2023-11-14T", "2023-11-15T", 1);
    }),
];

fn forge(line: &mut String) {
    *line = line.replacen("\"user\":\"", "\"user\":\"x", 1);
}

#[tokio::test]
async fn cut_and_replaced_logs_are_found() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), key()).await;
    let whole = load(dir.path());
    let anchors = kept(&whole);
    for (name, found, act) in CUTS {
        let mut log = whole.clone();
        act(&mut log);
        if found != Found::Chain {
            rehash(&mut log);
        }
        save(dir.path(), &log);
        let [by_chain, by_key, by_anchor] = said(dir.path(), &anchors);
        println!("| {name} | {} | {} | {} |", show(&by_chain), show(&by_key), show(&by_anchor));
        assert_eq!(by_chain.is_err(), found == Found::Chain, "{name}: {by_chain:?}");
        assert_eq!(by_key.is_err(), found != Found::Anchor, "{name}: {by_key:?}");
        assert!(by_anchor.is_err(), "{name}");
    }
    // A line that was cut short, of a log that nobody writes.
    save(dir.path(), &whole);
    let last = dir.path().join(format!("audit-{FILES:08}.jsonl"));
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() - 9]).unwrap();
    assert!(said(dir.path(), &anchors)[0].as_ref().unwrap_err().contains("truncated"));
}

#[tokio::test]
async fn somebody_elses_key_signs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), SigningKey::from_seed(&[8; 32]).unwrap()).await;
    let [by_chain, by_key, _] = said(dir.path(), &[]);
    assert!(by_chain.is_ok());
    assert!(by_key.unwrap_err().contains("which is not among the keys given"));
}

#[tokio::test]
async fn compressed_and_retired_files_verify_and_changed_ones_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let hand = Hand::default();
    let limits = Limits { rotate_bytes: 2500, ..Limits::default() };
    let log = open(dir.path(), &hand, limits, key());
    let mut seq = 0;
    while names(dir.path()).len() < FILES {
        seq = note(&log, &hand, "alice").await;
        hand.forward(60);
    }
    let mut end = log.end().unwrap();
    end.wait_for(|durable| durable.end.file as usize == FILES).await.unwrap();
    drop(end);
    // With it comes the checkpoint that the last file begins with.
    seq = note(&log, &hand, "alice").await.max(seq);
    let compress = Keeping { compress: true, ..Keeping::default() };
    let tended = log.tend(compress, hand.now()).await.unwrap();
    assert_eq!(tended, Tended { compressed: FILES - 1, retired: None });
    assert_eq!(names(dir.path()).iter().filter(|name| name.ends_with(".gz")).count(), FILES - 1);
    let anchors = Vec::new();
    let all = said(dir.path(), &anchors)[1].clone().unwrap();
    assert!(all >= seq);
    // Nothing is old enough, or somebody still reads the first file.
    let before = Some(hand.now() - HOUR * 24 * 365);
    let tended = log.tend(Keeping { before, ..compress }, hand.now()).await.unwrap();
    assert_eq!(tended.retired, None);
    let needed = Some(Position { file: 1, offset: 0, seq: 1 });
    let everything = Keeping { before: Some(hand.now()), needed, compress: true };
    assert_eq!(log.tend(everything, hand.now()).await.unwrap().retired, None);
    // The first two are over: the time of the third file's first record is their end.
    let third = load_packed(&dir.path().join("audit-00000003.jsonl.gz"));
    let first: serde_json::Value = serde_json::from_str(third.lines().next().unwrap()).unwrap();
    let begun: Timestamp = first["time"].as_str().unwrap().parse().unwrap();
    let before = Some(begun + Duration::from_micros(1));
    let tended = log.tend(Keeping { before, ..compress }, hand.now()).await.unwrap();
    let through = first["seq"].as_u64().unwrap() - 1;
    assert_eq!(tended.retired, Some(through));
    assert_eq!(names(dir.path())[0], "audit-00000003.jsonl.gz");
    // Two more, of which one says so and one signs it.
    assert_eq!(said(dir.path(), &anchors)[1], Ok(all + 2 - through));
    log.shutdown().await.unwrap();
    // One more file is missing than the log says.
    let third_path = dir.path().join("audit-00000003.jsonl.gz");
    let bytes = fs::read(&third_path).unwrap();
    fs::remove_file(&third_path).unwrap();
    assert!(said(dir.path(), &anchors)[0].as_ref().unwrap_err().contains("missing"));
    // A compressed file that was changed or cut.
    for at in [bytes.len() / 2, bytes.len() - 6] {
        let mut other = bytes.clone();
        other[at] ^= 1;
        fs::write(&third_path, &other).unwrap();
        assert!(said(dir.path(), &anchors)[0].is_err(), "byte {at}");
    }
    fs::write(&third_path, &bytes[..bytes.len() - 20]).unwrap();
    assert!(said(dir.path(), &anchors)[0].is_err());
    // The log is opened and goes on where it was.
    fs::write(&third_path, &bytes).unwrap();
    let log = open(dir.path(), &hand, Limits::default(), key());
    note(&log, &hand, "bob").await;
    log.shutdown().await.unwrap();
    assert!(said(dir.path(), &anchors)[1].is_ok());
}

fn load_packed(path: &Path) -> String {
    let file = fs::File::open(path).unwrap();
    std::io::read_to_string(flate2::read::MultiGzDecoder::new(file)).unwrap()
}

#[tokio::test]
async fn files_are_begun_by_age_and_each_begins_with_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let hand = Hand::default();
    let limits = || Limits { rotate_every: Some(HOUR * 24), ..Limits::default() };
    let log = open(dir.path(), &hand, limits(), key());
    note(&log, &hand, "alice").await;
    hand.forward(3600 * 23);
    note(&log, &hand, "alice").await;
    assert_eq!(names(dir.path()).len(), 1);
    log.shutdown().await.unwrap();
    // A restart does not make the file young.
    let log = open(dir.path(), &hand, limits(), key());
    hand.forward(3600);
    note(&log, &hand, "alice").await;
    note(&log, &hand, "alice").await;
    log.shutdown().await.unwrap();
    let log = load(dir.path());
    assert_eq!(log.len(), 2);
    assert!(log.iter().all(|file| is_checkpoint(&file[0])));
    let whys: Vec<String> = kept_whys(&log);
    assert_eq!(whys, ["opened", "stopped", "opened", "rotated", "stopped"]);
    assert!(said(dir.path(), &kept(&log))[2].is_ok());
}

fn kept_whys(log: &Log) -> Vec<String> {
    let lines = log.iter().flatten().filter(|line| is_checkpoint(line));
    let why = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["why"].as_str().unwrap().to_owned()
    };
    lines.map(why).collect()
}

#[tokio::test]
async fn a_process_that_was_killed_leaves_what_the_next_one_counts() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let hand = Hand::default();
    let log = open(dir.path(), &hand, Limits::default(), key());
    for _ in 0..5 {
        note(&log, &hand, "alice").await;
    }
    // What a kill leaves is what is on the disk.
    for name in names(dir.path()) {
        fs::copy(dir.path().join(&name), copy.path().join(&name)).unwrap();
    }
    fs::copy(dir.path().join("audit.id"), copy.path().join("audit.id")).unwrap();
    let again = open(copy.path(), &hand, Limits::default(), key());
    again.shutdown().await.unwrap();
    let lines = load(copy.path());
    let line: serde_json::Value = serde_json::from_str(&lines[0][6]).unwrap();
    assert_eq!((&line["why"], &line["covers"]), (&"opened".into(), &5.into()));
    log.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_comes_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let hand = Hand::default();
    let every = Duration::from_millis(20);
    let limits = Limits {
        checkpoints: Some(Checkpoints { key: key(), every }),
        write_every: Duration::from_millis(2),
        sync_every: Duration::from_millis(5),
        ..Limits::default()
    };
    let clock = hand.clone();
    let (log, _) = AuditLog::open_with(dir.path(), limits, move || clock.now()).unwrap();
    log.append(event("alice"), hand.now()).await.unwrap();
    let mut end = log.end().unwrap();
    // Opened, the record, its checkpoint.
    let reached = end.wait_for(|durable| durable.end.seq >= 4);
    tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap().unwrap();
    log.shutdown().await.unwrap();
    assert_eq!(kept_whys(&load(dir.path())), ["opened", "interval"]);
}

#[tokio::test]
async fn who_cannot_sign_cannot_retire() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), key()).await;
    let mut log = load(dir.path());
    // The first files are removed, and the log is made to say that it did so itself.
    let first: serde_json::Value = serde_json::from_str(&log[2][0]).unwrap();
    let seq: serde_json::Value = serde_json::from_str(log[4].last().unwrap()).unwrap();
    let body = format!(
        "{{\"seq\":{},\"time\":{},\"kind\":\"retired\",\"file\":\"audit-00000002.jsonl\",\
         \"through\":{},\"prev\":\"{}\"",
        seq["seq"].as_u64().unwrap() + 1,
        seq["time"],
        first["seq"].as_u64().unwrap() - 1,
        hex(log[4].last().unwrap().as_bytes()),
    );
    let line = format!("{body},\"hash\":\"{}\"}}", hex(body.as_bytes()));
    log[4].push(line);
    save(dir.path(), &log);
    assert!(said(dir.path(), &[])[1].is_ok(), "as long as all is there");
    for number in [1, 2] {
        fs::remove_file(dir.path().join(format!("audit-{number:08}.jsonl"))).unwrap();
    }
    let [by_chain, by_key, _] = said(dir.path(), &[]);
    assert!(by_chain.is_ok());
    assert!(by_key.unwrap_err().contains("audit-00000002.jsonl"));
}
