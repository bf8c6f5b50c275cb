//! Questions to the audit log, from pages and from the API: the newest answers first, and never
//! more work than an answer is worth. Whoever needs all of it, and that it is whole, asks
//! `keyhole audit search`; a report reads all of it here, too, or says that it is too much.

mod turns;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::turns::{Turn, Turns};
use crate::audit::query::{Found, Query, Search};
use crate::audit::report::{Asked, Sums};
use crate::audit::{Broken, Decision, Kind, Record, Why, seq_of_line};
use crate::model::{Report, SqlState, Timestamp};
use crate::store::audit_log::{Effort, Proofs, Verified, gather_within, look_back};

/// Lines that one search reads.
const LINES_MAX: u64 = 20_000_000;

/// How long one search reads, and a report; and how long either waits for those before it.
const PATIENCE: Duration = Duration::from_secs(3);
const REPORT_PATIENCE: Duration = Duration::from_secs(20);
const TURN: Duration = Duration::from_secs(5);

/// Between two looks at the clock.
const LINES_PER_LOOK: u64 = 256;

/// Records of one moment may stand in the log a little later: so much earlier than asked for is
/// read on.
const DISORDER: Duration = Duration::from_secs(3600);

/// Reads the log of this process, for a few people at a time.
pub struct Explorer {
    /// None: this process keeps no log.
    dir: Option<PathBuf>,
    searches: Arc<Turns>,
    reports: Arc<Turns>,
}

/// What is asked of the log.
#[derive(Debug, Default)]
pub struct Question {
    pub query: Query,
    /// Only records before this number.
    pub before: Option<u64>,
    /// Records that are wanted.
    pub len: usize,
    pub extent: Extent,
}

/// How much of the log is searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Until all that is wanted was found.
    #[default]
    Enough,
    /// As far as its time allows: what is found beyond that is counted.
    All,
}

/// Why a search did not read all that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Its time was over.
    Time,
    /// It had read as many lines as it may.
    Lines,
}

impl Stopped {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Lines => "lines",
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// The newest first.
    pub hits: Vec<Hit>,
    /// Those left out of `hits` included.
    pub found: u64,
    /// Lines that were read.
    pub lines: u64,
    pub unreadable: u64,
    /// How far back it came.
    pub back_to: Option<Timestamp>,
    pub stopped: Option<Stopped>,
    /// Before which number to go on; None: there is no more.
    pub next_before: Option<u64>,
    /// By the hour, in seconds since 1970.
    pub activity: BTreeMap<i64, Tally>,
}

/// A record, and its line as the log has it.
#[derive(Debug)]
pub struct Hit {
    pub record: Record,
    pub line: Box<[u8]>,
}

impl Findings {
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.hits.iter().map(|hit| &hit.record)
    }
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
        Self { dir, searches: Arc::new(Turns::new(4)), reports: Arc::new(Turns::new(1)) }
    }

    /// The newest records that are asked for, and counts of all that were found on the way.
    ///
    /// Cancel safety: a search that nobody waits for ends in its own time.
    ///
    /// # Errors
    /// Too many are searching, or the log cannot be read.
    pub async fn search(&self, user: &str, question: Question) -> Result<Findings, Report> {
        let Some(dir) = self.dir.clone() else { return Ok(Findings::default()) };
        let turn = enter(&self.searches, user).await?;
        let searching = tokio::task::spawn_blocking(move || {
            let mut course = Course::new(question);
            let looked = look_back(&dir, course.before, |line| course.line(line));
            drop(turn);
            looked.map(|looked| course.end(looked))
        });
        let searched = searching.await.map_err(|_| failed(PANICKED))?;
        searched.map_err(|error| failed(&error.to_string()))
    }

    /// Sums the log up, all of it, and hands the sums to `tell`, with what the chain says; None:
    /// the time for it was over before the log was.
    ///
    /// Cancel safety: a report that nobody waits for ends in its own time.
    ///
    /// # Errors
    /// Too many want one.
    pub async fn report<T: Send + 'static>(
        &self,
        user: &str,
        asked: Asked,
        tell: impl FnOnce(&Sums, &Asked, Option<&Result<Verified, Broken>>) -> T + Send + 'static,
    ) -> Result<Option<T>, Report> {
        let Some(dir) = self.dir.clone() else {
            return Ok(Some(tell(&Sums::default(), &asked, None)));
        };
        let turn = enter(&self.reports, user).await?;
        let summing = tokio::task::spawn_blocking(move || {
            let deadline = Instant::now() + REPORT_PATIENCE;
            let go_on = || Instant::now() < deadline;
            // Statements of others go on meanwhile.
            let effort = Effort { threads: 1, go_on: &go_on };
            let mut sums = Sums::default();
            let add = |sums: &mut Sums, _: crate::store::audit_log::Place<'_>, line: &[u8]| {
                sums.take(&asked, line);
            };
            let verified =
                gather_within(&dir, &Proofs::default(), effort, add, |part| sums.merge(part));
            let told = match &verified {
                Err(Broken { why: Why::Stopped, .. }) => None,
                verified => Some(tell(&sums, &asked, Some(verified))),
            };
            drop(turn);
            told
        });
        summing.await.map_err(|_| failed(PANICKED))
    }
}

async fn enter(turns: &Arc<Turns>, user: &str) -> Result<Turn, Report> {
    tokio::time::timeout(TURN, turns.enter(user)).await.map_err(|_| {
        let message = "others, or another question of yours, are keeping the audit log busy";
        Report::error(SqlState::PROGRAM_LIMIT_EXCEEDED, message).hint("Try again in a moment.")
    })
}

/// No more is said of it: what a panic says may be data.
const PANICKED: &str = "reading it panicked";

fn failed(error: &str) -> Report {
    tracing::error!(%error, "the audit log cannot be read for a question");
    Report::error(SqlState::IO_ERROR, "the audit log cannot be read")
}

/// A search under way.
struct Course {
    search: Search,
    since: Option<Timestamp>,
    before: Option<u64>,
    len: usize,
    extent: Extent,
    findings: Findings,
    /// The number of the line that was read last.
    last: Option<u64>,
    deadline: Instant,
}

impl Course {
    fn new(question: Question) -> Self {
        let Question { query, before, len, extent } = question;
        Self {
            since: query.since.and_then(|since| since.checked_sub(DISORDER).ok()),
            search: Search::new(query),
            before,
            len,
            extent,
            findings: Findings::default(),
            last: None,
            deadline: Instant::now() + PATIENCE,
        }
    }

    fn line(&mut self, line: &[u8]) -> ControlFlow<()> {
        if self.findings.lines.is_multiple_of(LINES_PER_LOOK) {
            self.look_up(line)?;
        }
        self.findings.lines += 1;
        let seq = seq_of_line(line);
        self.last = seq.or(self.last);
        if self.before.is_some_and(|before| seq.is_none_or(|seq| seq >= before)) {
            return ControlFlow::Continue(());
        }
        match self.search.look(line) {
            Found::No => {}
            Found::Unreadable => self.findings.unreadable += 1,
            Found::Yes(record) => self.found(*record, line),
        }
        match self.extent {
            Extent::Enough if self.findings.hits.len() >= self.len => ControlFlow::Break(()),
            Extent::Enough | Extent::All => ControlFlow::Continue(()),
        }
    }

    /// Breaks where nothing that is asked for can come any more, or nobody waits so long.
    fn look_up(&mut self, line: &[u8]) -> ControlFlow<()> {
        let findings = &mut self.findings;
        let at = time_of(line);
        findings.back_to = at.or(findings.back_to);
        if at.is_some_and(|at| self.since.is_some_and(|since| at < since)) {
            self.last = None;
            return ControlFlow::Break(());
        }
        if findings.lines > 0 {
            findings.stopped = limit(findings.lines, self.deadline);
        }
        if findings.stopped.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn found(&mut self, record: Record, line: &[u8]) {
        let findings = &mut self.findings;
        findings.found += 1;
        findings.back_to = Some(record.time);
        let hour = record.time.as_second().div_euclid(HOUR_SECS) * HOUR_SECS;
        findings.activity.entry(hour).or_default().count(&record);
        if findings.hits.len() < self.len {
            findings.hits.push(Hit { record, line: line.into() });
        }
    }

    fn end(self, looked: ControlFlow<()>) -> Findings {
        // A search that did not come to where it was to begin goes on from there.
        let reached = self.last.into_iter().chain(self.last.and(self.before)).min();
        Findings { next_before: reached.filter(|_| looked.is_break()), ..self.findings }
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
mod tests;
