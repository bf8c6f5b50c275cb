//! What signatures and copies kept elsewhere prove beyond the chain.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::segment::{Line, Lines, broken_file, name, unreadable};
use crate::audit::checkpoint::Signed;
use crate::audit::{Broken, Record, Why};
use crate::model::{PublicKey, Timestamp};

/// What a log is held against. Nothing at all: its chain alone is checked.
#[derive(Clone, Debug, Default)]
pub struct Proofs {
    /// Whose signatures of checkpoints count.
    pub keys: Vec<PublicKey>,
    /// Checkpoints that were kept elsewhere; those of other logs are left out of account.
    pub kept: Vec<KeptCheckpoint>,
}

/// A checkpoint that was kept elsewhere, in whatever form its JSON is there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KeptCheckpoint {
    pub seq: u64,
    pub log: String,
    pub hash: String,
}

/// A file's share.
#[derive(Default)]
pub(super) struct Checkpoints {
    /// Whether its first record is one.
    pub(super) begins: bool,
    pub(super) found: Vec<(u64, Signed)>,
}

/// A record that says which beginning of the log was removed.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Retired {
    seq: u64,
    /// The last record of it.
    through: u64,
}

/// Follows the checkpoints through the log.
pub(super) struct Course<'a> {
    proofs: &'a Proofs,
    files: usize,
    log: Option<String>,
    last: Option<Last>,
    count: u64,
    /// Hashes by number, if they are to be compared.
    hashes: HashMap<u64, String>,
}

struct Last {
    file: u32,
    line: u64,
    seq: u64,
    every_s: u64,
}

impl<'a> Course<'a> {
    pub(super) fn new(proofs: &'a Proofs) -> Self {
        Self { proofs, files: 0, log: None, last: None, count: 0, hashes: HashMap::new() }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Takes the next file's in.
    pub(super) fn file(&mut self, file: u32, records: u64, own: Checkpoints) -> Result<(), Broken> {
        // Logs from before there were checkpoints go on with them.
        let is_first = self.files == 0;
        self.files += 1;
        let wanted = self.last.is_some() || (is_first && file > 1);
        if wanted && !own.begins && records > 0 && !self.proofs.keys.is_empty() {
            return Err(Broken { line: 1, ..broken_file(&name(file), Why::NoCheckpoint) });
        }
        for (line, signed) in own.found {
            let log = self.log.get_or_insert_with(|| signed.checkpoint.log.clone());
            if *log != signed.checkpoint.log {
                let why = Why::OtherLog(signed.checkpoint.log);
                return Err(Broken {
                    line,
                    seq: Some(signed.seq),
                    ..broken_file(&name(file), why)
                });
            }
            self.count += 1;
            self.last =
                Some(Last { file, line, seq: signed.seq, every_s: signed.checkpoint.every_s });
            if !self.proofs.kept.is_empty() {
                self.hashes.insert(signed.seq, signed.hash);
            }
        }
        Ok(())
    }

    /// Whether the log says that what came before was removed. Said behind the last checkpoint,
    /// anybody may have said it.
    pub(super) fn may_begin_at(&self, first_seq: u64, retired: Option<Retired>) -> bool {
        let signed = self.last.as_ref().map_or(0, |last| last.seq);
        retired.is_some_and(|retired| {
            // A crash may have left some of the files.
            retired.through >= first_seq - 1
                && (self.proofs.keys.is_empty() || retired.seq < signed)
        })
    }

    /// What is to be said at the end: records behind the last checkpoint, which nobody signed.
    ///
    /// # Errors
    /// There are none, they go on too long without one, or the log is not the one that checkpoints
    /// kept elsewhere are of.
    pub(super) fn end(self, dir: &Path, last_file: u32, seqs: (u64, u64)) -> Result<u64, Broken> {
        let (first_seq, next_seq) = seqs;
        let mut kept: Vec<_> =
            self.proofs.kept.iter().filter(|kept| self.log.as_ref() == Some(&kept.log)).collect();
        kept.sort_by_key(|kept| kept.seq);
        for kept in kept.into_iter().filter(|kept| kept.seq >= first_seq) {
            if self.hashes.get(&kept.seq) != Some(&kept.hash) {
                let cut = kept.seq >= next_seq;
                let why = if cut { Why::CutOff(kept.seq) } else { Why::Rewritten };
                let seq = Some(kept.seq);
                return Err(Broken { seq, ..broken_file(&name(last_file), why) });
            }
        }
        match self.last {
            None if self.proofs.keys.is_empty() => Ok(next_seq - first_seq),
            None => Err(broken_file(&name(last_file), Why::Unsigned)),
            Some(last) => {
                if !self.proofs.keys.is_empty() {
                    in_time(dir, &last)?;
                }
                Ok(next_seq - 1 - last.seq)
            }
        }
    }
}

/// Whether the records behind the last checkpoint need not have the next one yet. They are in its
/// file: each begins with one.
fn in_time(dir: &Path, last: &Last) -> Result<(), Broken> {
    let name = name(last.file);
    let path = dir.join(&name);
    let failed = |error| unreadable(&name, &error);
    let mut lines = Lines::open(&path).map_err(failed)?;
    let (mut number, mut first) = (0, None::<Timestamp>);
    while let Line::Whole(line) = lines.next().map_err(failed)? {
        number += 1;
        if number <= last.line {
            continue;
        }
        let time = Record::of(line).map(|record| record.time);
        let time = time.map_err(|_| Broken { line: number, ..broken_file(&name, Why::Shape) })?;
        let span_s = time.duration_since(*first.get_or_insert(time)).as_secs();
        // Twice the time: a disk that failed for a while is no forger.
        if u64::try_from(span_s).is_ok_and(|span| span > 2 * last.every_s + SLACK_S) {
            let why = Why::Overdue { every_s: last.every_s, span_s };
            return Err(Broken { line: number, ..broken_file(&name, why) });
        }
    }
    Ok(())
}

/// Seconds that a checkpoint may be late on a busy machine.
const SLACK_S: u64 = 60;
