//! What the audit log costs: records through the real log into a real directory.
//!
//! Prints one line of JSON for each measurement: `make bench-audit`. `writer_us` and `callers_us`
//! are microseconds of CPU, user and system, for each record: the log's own thread, and everybody
//! else, who make the events and queue them.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures and prints")]

#[path = "audit/questions.rs"]
mod questions;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use bytes::{Bytes, BytesMut};
use keyhole::audit::{self, Event, StatementText, Strings};
use keyhole::model::{Client, SigningKey, Timestamp, User};
use keyhole::store::audit_log::{
    AuditLog, Checkpoints, Keeping, Limits, Proofs, scan_proven, verify_dir,
};
use tokio::task::JoinSet;

const SESSIONS: u64 = 8;
/// Records of one measurement.
const RECORDS: u64 = 500_000;
/// Records that each session queues before it looks at the clock.
const BURST: u64 = 16;
/// Bytes that a session reads at once.
const READ_LEN: usize = 8 << 10;
/// Records of a log that is verified.
const READ_BACK: u64 = 2_000_000;
/// Durable appends of one measurement.
const APPENDS: u64 = 1_600;

/// Ticks of the kernel's clock in a second, of CPU times in procfs.
const TICKS_PER_SEC: f64 = 100.0;

/// What the statements of a measurement read like.
#[derive(Clone, Copy, Debug)]
enum Texts {
    /// The same text again and again: a prepared statement.
    Same,
    /// A constant in the text that is another one each time: a simple query.
    Other,
}

/// How fast records come.
#[derive(Clone, Copy, Debug)]
enum Pace {
    AsFastAsTheyAreTaken,
    PerSecond(u64),
}

fn client() -> Arc<Client> {
    let user = User {
        name: "alice".into(),
        groups: Arc::new(["support".to_owned(), "eu".to_owned()]),
        roles: Arc::new([]),
    };
    Arc::new(Client {
        user,
        address: Some([10, 1, 2, 3].into()),
        application: "pgbench".into(),
        database: "shop".into(),
    })
}

/// A statement's text as sessions have it: a slice of the buffer that they read into.
fn text(number: u64, texts: Texts, read: &mut BytesMut) -> Bytes {
    if read.capacity() < 128 {
        read.reserve(READ_LEN);
    }
    let value = number * 7_919 % 100_000;
    let written = match texts {
        Texts::Same => write!(read, "SELECT abalance FROM pgbench_accounts WHERE aid = $1;"),
        Texts::Other => write!(read, "SELECT abalance FROM pgbench_accounts WHERE aid = {value};"),
    };
    written.expect("it grows");
    read.split().freeze()
}

fn statement(session: u64, number: u64, client: &Arc<Client>, text: Bytes) -> Event {
    Event::Statement(audit::Statement {
        session,
        statement: number,
        client: Arc::clone(client),
        text: StatementText::new(text, Strings::Standard),
        relations: audit::Names::default(),
        pii_columns: audit::Names::default(),
        raw_columns: audit::Names::default(),
        looked_up_columns: audit::Names::default(),
        masked_columns: audit::Names::default(),
        gates: audit::Gates {
            mention: audit::Mention::Clear,
            analysis: audit::Analysis::NotRun,
            provenance: audit::Provenance::Passed,
        },
        decision: audit::Decision::Clear,
        grants: Vec::new(),
        rows: 1,
        bytes: 9,
        duration_us: 187,
        sqlstate: None,
        subjects: None,
    })
}

fn release(session: u64, number: u64, client: &Arc<Client>) -> Event {
    let columns = ["public.customers.email", "public.customers.ssn"];
    let release = audit::Release {
        session,
        statement: number,
        client: Arc::clone(client),
        text: StatementText::new(
            Bytes::from_static(b"SELECT email, ssn FROM customers"),
            Strings::Standard,
        ),
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        lookups: audit::Names::default(),
        grants: vec![17],
    };
    Event::Release(Box::new(release))
}

/// Seconds of CPU that the threads whose names begin so have taken.
fn cpu_secs(named: &str) -> f64 {
    let threads = fs::read_dir("/proc/self/task").expect("procfs");
    let stats =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok());
    let ticks = stats.filter_map(|stat| {
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace().skip(11);
        let mut next = || fields.next()?.parse::<u64>().ok();
        name.starts_with(named).then(|| Some(next()? + next()?)).flatten()
    });
    ticks.sum::<u64>() as f64 / TICKS_PER_SEC
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// From here on, the peak is that of what follows.
fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("procfs");
}

fn open(dir: &Path) -> AuditLog {
    let (log, _) = AuditLog::open(dir, Timestamp::now).expect("the directory is new");
    log
}

async fn sustain(dir: &Path, texts: Texts, pace: Pace) {
    forget_peak();
    let log = open(dir);
    let (writer, all, began) = (cpu_secs("audit-log"), cpu_secs(""), Instant::now());
    let mut sessions = JoinSet::new();
    for session in 1..=SESSIONS {
        let (log, client) = (log.clone(), client());
        sessions.spawn(async move {
            let mut read = BytesMut::new();
            for number in 0..RECORDS / SESSIONS {
                let text = text(number, texts, &mut read);
                let event = statement(session, number, &client, text);
                log.append(event, Timestamp::now()).await.expect("the log is open");
                if let Pace::PerSecond(records) = pace
                    && number % BURST == 0
                {
                    let due = Duration::from_secs(number * SESSIONS) / records as u32;
                    tokio::time::sleep_until((began + due).into()).await;
                }
            }
        });
    }
    sessions.join_all().await;
    let queued = began.elapsed();
    let (writer, all) = (cpu_secs("audit-log") - writer, cpu_secs("") - all);
    log.shutdown().await.expect("everything is written");
    let per_record_us = 1e6 / RECORDS as f64;
    let stats = log.stats();
    println!(
        "{{\"texts\": \"{texts:?}\", \"pace\": \"{pace:?}\", \"records_per_s\": {:.0}, \
         \"writer_us\": {:.2}, \"callers_us\": {:.2}, \"peak_mib\": {}, \"syncs\": {}, \
         \"lost\": {}}}",
        RECORDS as f64 / queued.as_secs_f64(),
        writer * per_record_us,
        (all - writer) * per_record_us,
        peak_kib() >> 10,
        stats.syncs,
        stats.lost,
    );
    assert_eq!(verify_dir(dir).expect("the chain holds").records, RECORDS);
}

/// How long releases wait for their receipts when so many sessions ask at once.
async fn wait(dir: &Path, sessions: u64) {
    let log = open(dir);
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for session in 1..=sessions {
        let (log, client) = (log.clone(), client());
        asking.spawn(async move {
            let mut waits = Vec::new();
            for number in 0..APPENDS / sessions {
                let asked = Instant::now();
                let event = release(session, number, &client);
                log.append_durable(event, Timestamp::now()).await.expect("a receipt");
                waits.push(asked.elapsed());
            }
            waits
        });
    }
    let mut waits = asking.join_all().await.concat();
    let took = began.elapsed();
    waits.sort_unstable();
    let at = |percent: usize| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!(
        "{{\"durable_at_once\": {sessions}, \"p50_ms\": {:.3}, \"p99_ms\": {:.3}, \
         \"appends_per_s\": {:.0}, \"syncs_per_append\": {:.3}}}",
        at(50),
        at(99),
        waits.len() as f64 / took.as_secs_f64(),
        log.stats().syncs as f64 / waits.len() as f64,
    );
    log.shutdown().await.expect("everything is written");
}

/// How fast a log is verified with the public key alone, plain and compressed.
async fn verify(dir: &Path) {
    let key = SigningKey::from_seed(&[7; 32]).expect("a key");
    let proofs = Proofs { keys: vec![key.public()], kept: Vec::new() };
    let checkpoints = Some(Checkpoints { key, every: Duration::from_secs(60) });
    let limits = Limits { checkpoints, ..Limits::default() };
    let (log, _) = AuditLog::open_with(dir, limits, Timestamp::now).expect("the directory is new");
    let client = client();
    let mut read = BytesMut::new();
    for number in 0..READ_BACK {
        let text = text(number, Texts::Other, &mut read);
        let event = statement(number % SESSIONS, number, &client, text);
        log.append(event, Timestamp::now()).await.expect("the log is open");
    }
    let time = |form: &str| {
        let began = Instant::now();
        let verified = scan_proven(dir, &proofs, |_, _| None::<()>, |()| {}).expect("it is whole");
        let took = began.elapsed().as_secs_f64();
        println!(
            "{{\"verified\": \"{form}\", \"records\": {}, \"files\": {}, \"checkpoints\": {}, \
             \"records_per_s\": {:.0}}}",
            verified.records,
            verified.files,
            verified.checkpoints,
            verified.records as f64 / took,
        );
    };
    let receipt = release(0, READ_BACK, &client);
    log.append_durable(receipt, Timestamp::now()).await.expect("a receipt");
    time("plain");
    let began = Instant::now();
    let compress = Keeping { compress: true, ..Keeping::default() };
    let tended = log.tend(compress, Timestamp::now()).await.expect("it can be compressed");
    println!(
        "{{\"compressed_files\": {}, \"seconds\": {:.1}}}",
        tended.compressed,
        began.elapsed().as_secs_f64()
    );
    time("compressed");
    log.shutdown().await.expect("everything is written");
}

/// In the directory of temporary files, or in the one that is named (one of the disk that counts).
#[tokio::main]
async fn main() {
    let place = env::args_os().nth(1).map_or_else(env::temp_dir, Into::into);
    let fresh = || tempfile::tempdir_in(&place).expect("a directory");
    if env::args().nth(2).is_some_and(|only| only == "questions") {
        return questions::answer(fresh().path()).await;
    }
    for texts in [Texts::Same, Texts::Other] {
        sustain(fresh().path(), texts, Pace::AsFastAsTheyAreTaken).await;
        sustain(fresh().path(), texts, Pace::PerSecond(50_000)).await;
    }
    for sessions in [1, 32] {
        wait(fresh().path(), sessions).await;
    }
    verify(fresh().path()).await;
    questions::answer(fresh().path()).await;
}
