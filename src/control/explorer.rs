//! Questions to the audit log from a page: the newest answers first, and never more work than a
//! page is worth. Whoever needs all of it, and that it is whole, asks `keyhole audit search`.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::audit::query::{Found, Query, Search};
use crate::audit::{Decision, Kind, Record};
use crate::model::{Report, SqlState, Timestamp};
use crate::store::audit_log::look_back;

/// Lines that one search reads.
const LINES_MAX: u64 = 20_000_000;

/// How long one search reads, and how long it waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(3);
const TURN: Duration = Duration::from_secs(5);

/// Between two looks at the clock.
const LINES_PER_LOOK: u64 = 256;

/// Records of one moment may stand in the log a little later: so much earlier than asked for is
/// read on.
const DISORDER: Duration = Duration::from_secs(3600);

/// Reads the log of this process; one search at a time.
pub struct Explorer {
    /// None: this process keeps no log.
    dir: Option<PathBuf>,
    turn: Arc<Semaphore>,
}

/// Why a search did not read all that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Its time was over.
    Time,
    /// It had read as many lines as it may.
    Lines,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// The newest first.
    pub records: Vec<Record>,
    /// Those left out of `records` included.
    pub found: u64,
    /// Lines that were read.
    pub lines: u64,
    pub unreadable: u64,
    /// How far back it came.
    pub back_to: Option<Timestamp>,
    pub stopped: Option<Stopped>,
    /// By the hour, in seconds since 1970.
    pub activity: BTreeMap<i64, Tally>,
}

/// What was found in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Statements that showed something raw.
    pub raw: u64,
    pub masked: u64,
    pub refused: u64,
    pub other: u64,
}

pub const HOUR_SECS: i64 = 3_600;

impl Tally {
    pub fn sum(self) -> u64 {
        let Self { raw, masked, refused, other } = self;
        raw + masked + refused + other
    }

    fn count(&mut self, record: &Record) {
        let place = match (record.decision, record.kind) {
            (Some(Decision::Raw), _) => &mut self.raw,
            (Some(Decision::Shown | Decision::Computed), _) => &mut self.masked,
            (Some(Decision::Refused | Decision::Cut), _) | (None, Kind::LoginFailed) => {
                &mut self.refused
            }
            (Some(_) | None, _) => &mut self.other,
        };
        *place += 1;
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            raw: self.raw + other.raw,
            masked: self.masked + other.masked,
            refused: self.refused + other.refused,
            other: self.other + other.other,
        }
    }
}

impl Explorer {
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self { dir, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The newest `rows` records that are asked for, and counts of all that were found in the time
    /// that there is.
    ///
    /// Cancel safety: a search that nobody waits for ends in its own time.
    ///
    /// # Errors
    /// Others are searching, or the log cannot be read.
    pub async fn search(&self, query: Query, rows: usize) -> Result<Findings, Report> {
        let Some(dir) = self.dir.clone() else { return Ok(Findings::default()) };
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turn).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            let message = "somebody else is searching the audit log";
            let report = Report::error(SqlState::PROGRAM_LIMIT_EXCEEDED, message);
            return Err(report.hint("Try again in a moment."));
        };
        let searching = tokio::task::spawn_blocking(move || {
            let mut course = Course::new(query, rows);
            let looked = look_back(&dir, |line| course.line(line));
            drop(turn);
            looked.map(|_| course.end())
        });
        let failed = |error: String| {
            tracing::error!(%error, "the audit log cannot be read for a page");
            Report::error(SqlState::IO_ERROR, "the audit log cannot be read")
        };
        let searched = searching.await.map_err(|error| failed(error.to_string()))?;
        searched.map_err(|error| failed(error.to_string()))
    }
}

/// A search under way.
struct Course {
    search: Search,
    since: Option<Timestamp>,
    rows: usize,
    records: VecDeque<Record>,
    findings: Findings,
    deadline: Instant,
}

impl Course {
    fn new(query: Query, rows: usize) -> Self {
        let since = query.since.and_then(|since| since.checked_sub(DISORDER).ok());
        Self {
            search: Search::new(query),
            since,
            rows,
            records: VecDeque::new(),
            findings: Findings::default(),
            deadline: Instant::now() + PATIENCE,
        }
    }

    fn line(&mut self, line: &[u8]) -> ControlFlow<()> {
        let findings = &mut self.findings;
        if findings.lines.is_multiple_of(LINES_PER_LOOK) {
            let at = time_of(line);
            findings.back_to = at.or(findings.back_to);
            if at.is_some_and(|at| self.since.is_some_and(|since| at < since)) {
                return ControlFlow::Break(());
            }
            if let Some(stopped) = limit(findings.lines, self.deadline) {
                findings.stopped = Some(stopped);
                return ControlFlow::Break(());
            }
        }
        findings.lines += 1;
        match self.search.look(line) {
            Found::No => {}
            Found::Unreadable => findings.unreadable += 1,
            Found::Yes(record) => {
                findings.found += 1;
                let hour = record.time.as_second().div_euclid(HOUR_SECS) * HOUR_SECS;
                findings.activity.entry(hour).or_default().count(&record);
                if self.records.len() < self.rows {
                    self.records.push_back(*record);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn end(self) -> Findings {
        Findings { records: self.records.into(), ..self.findings }
    }
}

fn limit(lines: u64, deadline: Instant) -> Option<Stopped> {
    if lines >= LINES_MAX {
        return Some(Stopped::Lines);
    }
    (Instant::now() >= deadline).then_some(Stopped::Time)
}

/// The time of a line as the log writes them, without reading the rest of it.
fn time_of(line: &[u8]) -> Option<Timestamp> {
    let (_, rest) = std::str::from_utf8(line.get(..96).unwrap_or(line)).ok()?.split_once(TIME)?;
    rest.split('"').next()?.parse().ok()
}

const TIME: &str = ",\"time\":\"";

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64, second: u64, user: &str, decision: &str) -> String {
        format!(
            r#"{{"seq":{seq},"time":"2026-01-31T09:00:{second:02}Z","kind":"statement","user":"{user}","decision":"{decision}","prev":"","hash":""}}"#
        )
    }

    #[tokio::test]
    async fn the_newest_come_first_and_all_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let decisions = ["raw", "shown", "computed", "refused", "cut", "clear"];
        let lines: String = (0..60)
            .map(|n| {
                let user = if n % 2 == 0 { "alice" } else { "bob" };
                line(n + 1, n, user, decisions[usize::try_from(n % 6).unwrap()]) + "\n"
            })
            .collect();
        std::fs::write(dir.path().join("audit-00000001.jsonl"), lines).unwrap();
        let explorer = Explorer::new(Some(dir.path().to_owned()));
        let query = Query { users: vec!["alice".to_owned()], ..Query::default() };
        let found = explorer.search(query, 3).await.unwrap();
        let seqs: Vec<u64> = found.records.iter().map(|record| record.seq).collect();
        assert_eq!(seqs, [59, 57, 55]);
        assert_eq!((found.found, found.lines, found.stopped), (30, 60, None));
        let tally = Tally { raw: 10, masked: 10, refused: 10, other: 0 };
        assert_eq!(found.activity.values().collect::<Vec<_>>(), [&tally]);
        let all = explorer.search(Query::default(), 100).await.unwrap();
        assert_eq!(
            (all.found, all.activity.values().map(|tally| tally.sum()).sum::<u64>()),
            (60, 60)
        );
        let nothing = Explorer::new(None).search(Query::default(), 3).await.unwrap();
        assert_eq!((nothing.found, nothing.lines), (0, 0));
    }

    #[test]
    fn a_line_tells_its_time() {
        let at = time_of(line(7, 5, "alice", "raw").as_bytes());
        assert_eq!(at, Some("2026-01-31T09:00:05Z".parse().unwrap()));
        assert_eq!(time_of(b"{}"), None);
        assert_eq!(time_of("{\"seq\":1,\"time\":\"ü".as_bytes()), None);
    }
}
