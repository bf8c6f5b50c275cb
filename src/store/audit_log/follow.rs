//! Reading the log while it grows: whatever is durable, in its order, each record once.
//!
//! What is not durable yet may be written anew, so nobody sees it here.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::notable::{Durable, Stretch};
use super::segment::{Line, Lines, list, name};

/// A place between two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The number of the file.
    pub file: u32,
    /// Bytes of the file before this place, not compressed.
    pub offset: u64,
    /// The number of the next record.
    pub seq: u64,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The oldest record that is there.
    Oldest,
    /// What comes from now on.
    Now,
    /// Where one left off.
    Position(Position),
}

/// Why there is no going on.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error("the audit log is closed")]
    Closed,
    /// Retention removed it, or it is a place of another log.
    #[error("the audit log has no record {} at {} byte {}", .0.seq, name(.0.file), .0.offset)]
    Gone(Position),
    #[error("{file}: {source}")]
    Read { file: String, source: std::io::Error },
}

/// Records one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Whole lines, line ends included.
    pub lines: Vec<u8>,
    /// Before the first of them, and of those that were left out.
    pub from: Position,
    /// Behind the last.
    pub to: Position,
}

impl Batch {
    /// The records, without their line ends.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end)
    }

    /// How many there are, those that were left out included.
    pub fn len(&self) -> u64 {
        self.to.seq - self.from.seq
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A reader at its place in the log.
pub struct Follower {
    reading: Option<Reading>,
    end: watch::Receiver<Durable>,
}

struct Reading {
    dir: PathBuf,
    at: Position,
    /// The file at `at`, read so far.
    lines: Option<Lines>,
}

impl Follower {
    pub(super) fn new(
        dir: &Path,
        end: watch::Receiver<Durable>,
        from: From,
    ) -> Result<Self, FollowError> {
        let now = end.borrow().end;
        let at = match from {
            From::Now => now,
            From::Position(at) if at > now || at.seq > now.seq => {
                return Err(FollowError::Gone(at));
            }
            From::Position(at) => at,
            From::Oldest => oldest(dir)?.unwrap_or(now),
        };
        Ok(Self { reading: Some(Reading { dir: dir.to_owned(), at, lines: None }), end })
    }

    /// Behind the last record that was given.
    pub fn position(&self) -> Option<Position> {
        self.reading.as_ref().map(|reading| reading.at)
    }

    /// Durable records that were not given yet.
    pub fn waiting(&self) -> u64 {
        let end = self.end.borrow().end.seq;
        self.position().map_or(0, |at| end.saturating_sub(at.seq))
    }

    /// The next records: about `bytes` of them, at least one. Waits while there is none; None when
    /// the log was closed and all was given.
    ///
    /// Cancel safety: only while it waits; when dropped while it reads, there is no going on.
    ///
    /// # Errors
    /// [`FollowError`]; there is no going on after that.
    pub async fn next(&mut self, bytes: usize) -> Result<Option<Batch>, FollowError> {
        self.go_on(bytes, |durable, at| Stretch { from: at, to: durable.end }).await
    }

    /// [`Follower::next`] that leaves out records which are not notable
    /// ([`crate::audit::Event::is_notable`]) without reading them, as far as this process has
    /// written them; there may be no record in it then. Of what was there before, all are given.
    ///
    /// Cancel safety and errors as there.
    ///
    /// # Errors
    /// As there.
    pub async fn next_notable(&mut self, bytes: usize) -> Result<Option<Batch>, FollowError> {
        self.go_on(bytes, Durable::next).await
    }

    async fn go_on(
        &mut self,
        bytes: usize,
        wanted: fn(&Durable, Position) -> Stretch,
    ) -> Result<Option<Batch>, FollowError> {
        let at = self.position().ok_or(FollowError::Closed)?;
        // The last value stays: a log that was closed is read to its end.
        let _ = self.end.wait_for(|durable| durable.end.seq > at.seq).await;
        let wanted = {
            let durable = self.end.borrow();
            if durable.end.seq <= at.seq {
                return Ok(None);
            }
            wanted(&durable, at)
        };
        let mut reading = self.reading.take().ok_or(FollowError::Closed)?;
        if wanted.from.seq > at.seq {
            reading.at = wanted.from;
            reading.lines = None;
        }
        if wanted.from == wanted.to {
            self.reading = Some(reading);
            return Ok(Some(Batch { lines: Vec::new(), from: at, to: wanted.to }));
        }
        let read = tokio::task::spawn_blocking(move || {
            let batch = reading.read(wanted.to, bytes);
            (reading, batch)
        });
        // A read that panicked leaves nothing to go on with.
        let (reading, batch) = read.await.map_err(|_| FollowError::Closed)?;
        let batch = batch?;
        self.reading = Some(reading);
        Ok(Some(Batch { from: at, ..batch }))
    }
}

impl Reading {
    fn read(&mut self, end: Position, bytes: usize) -> Result<Batch, FollowError> {
        let from = self.at;
        let mut lines = Vec::new();
        while self.at.seq < end.seq && (lines.len() < bytes || lines.is_empty()) {
            let (file, at) = (self.at.file, self.at);
            let failed = |source| FollowError::Read { file: name(file), source };
            match self.open()?.next().map_err(failed)? {
                Line::Whole(line) => {
                    lines.extend_from_slice(line);
                    lines.push(b'\n');
                    self.at.offset += line.len() as u64 + 1;
                    self.at.seq += 1;
                }
                Line::End if file < end.file => {
                    self.at = Position { file: file + 1, offset: 0, seq: at.seq };
                    self.lines = None;
                }
                // Less than what is durable.
                Line::End | Line::Partial(_) | Line::Endless(_) => {
                    if lines.is_empty() {
                        return Err(FollowError::Gone(at));
                    }
                    // What is before it comes first. It is opened again, to be found again.
                    self.lines = None;
                    break;
                }
            }
        }
        Ok(Batch { lines, from, to: self.at })
    }

    fn open(&mut self) -> Result<&mut Lines, FollowError> {
        let at = self.at;
        match &mut self.lines {
            Some(lines) => Ok(lines),
            unopened @ None => {
                let opened = Lines::open_at(&self.dir.join(name(at.file)), at.offset);
                Ok(unopened.insert(opened.map_err(|_| FollowError::Gone(at))?))
            }
        }
    }
}

/// The first record that is there.
fn oldest(dir: &Path) -> Result<Option<Position>, FollowError> {
    let unreadable = |source| FollowError::Read { file: dir.display().to_string(), source };
    let files = list(dir).map_err(|broken| unreadable(std::io::Error::other(broken)))?;
    for file in files {
        let mut lines = Lines::open(&file.path).map_err(unreadable)?;
        if let Line::Whole(line) = lines.next().map_err(unreadable)? {
            let position = |seq| Position { file: file.number, offset: 0, seq };
            let read = crate::audit::Record::of(line).map(|record| position(record.seq));
            return read.map(Some).map_err(|error| unreadable(error.into()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
