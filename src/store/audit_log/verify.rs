//! Reading a log back: `keyhole audit verify`, whoever asks the log, and the end of the chain at
//! start.

use std::fmt;
use std::path::Path;
use std::thread;

use super::proof::{Checkpoints, Course, Proofs, Retired};
use super::segment::{Line, Lines, LogFile, broken_file, in_use, list, name, unreadable};
use crate::audit::{Broken, Chain, Kind, Verifier, Why, checkpoint};
use crate::model::PublicKey;

/// Between two questions whether to go on.
const LINES_PER_LOOK: u64 = 1_024;

/// A whole chain. Shows as the line that `audit verify` prints behind its own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub records: u64,
    pub files: usize,
    /// The first record that is there: those before were removed when their time was over.
    pub first_seq: u64,
    pub checkpoints: u64,
    /// Records behind the last checkpoint.
    pub unsigned: u64,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ok, {} records", self.records)?;
        if self.first_seq > 1 {
            write!(f, " from seq {} on (what came before is retired)", self.first_seq)?;
        }
        Ok(())
    }
}

/// Where a line stands: the name of its file (the plain one, compressed or not), and its number
/// there, from 1.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub file: &'a str,
    pub line: u64,
}

/// Reads every record of the directory. May run while a proxy writes there: then a last line
/// without its end is one that is being written, and not counted.
///
/// Prints as `audit verify: {verified}` or `audit verify: {broken}`.
///
/// # Errors
/// The first record, or file, that is not what the chain says.
pub fn verify_dir(dir: &Path) -> Result<Verified, Broken> {
    scan(dir, |_, _| None::<()>, |()| {})
}

/// [`verify_dir`] for who wants something of the records. `pick` is asked of each, on as many
/// threads as there are processors; what it picks is given to `take` in the order of the log.
///
/// # Errors
/// As there; what was picked of records before the bad one was given.
pub fn scan<T: Send>(
    dir: &Path,
    pick: impl Fn(Place<'_>, &[u8]) -> Option<T> + Sync,
    take: impl FnMut(T),
) -> Result<Verified, Broken> {
    scan_proven(dir, &Proofs::default(), pick, take)
}

/// [`scan`] that also holds the log against signatures and checkpoints that were kept elsewhere.
///
/// # Errors
/// As there.
pub fn scan_proven<T: Send>(
    dir: &Path,
    proofs: &Proofs,
    pick: impl Fn(Place<'_>, &[u8]) -> Option<T> + Sync,
    mut take: impl FnMut(T),
) -> Result<Verified, Broken> {
    gather(
        dir,
        proofs,
        |picked: &mut Vec<T>, place, line| picked.extend(pick(place, line)),
        |picked| picked.into_iter().for_each(&mut take),
    )
}

/// [`scan_proven`] for who sums up: each file has a sum of its own, made on its thread by `add`,
/// and `take` is given these in the order of the log.
///
/// # Errors
/// As there; the sum of a file that has a bad record is of those before it.
pub fn gather<S: Default + Send>(
    dir: &Path,
    proofs: &Proofs,
    add: impl Fn(&mut S, Place<'_>, &[u8]) + Sync,
    take: impl FnMut(S),
) -> Result<Verified, Broken> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    gather_within(dir, proofs, Effort { threads, go_on: &|| true }, add, take)
}

/// How much a reading may take.
#[derive(Clone, Copy)]
pub struct Effort<'a> {
    pub threads: usize,
    /// Asked now and then; the reading ends with [`Why::Stopped`] when it says no.
    pub go_on: &'a (dyn Fn() -> bool + Sync),
}

/// [`gather`] that may be stopped, on so many threads.
///
/// # Errors
/// As there, and [`Why::Stopped`].
pub fn gather_within<S: Default + Send>(
    dir: &Path,
    proofs: &Proofs,
    effort: Effort<'_>,
    add: impl Fn(&mut S, Place<'_>, &[u8]) + Sync,
    mut take: impl FnMut(S),
) -> Result<Verified, Broken> {
    let files = list(dir)?;
    let (Some(first), Some(last)) = (files.first(), files.last()) else {
        return Err(broken_file(&name(1), Why::FileMissing));
    };
    let (first, last) = (first.number, last.number);
    let reader = Reader { keys: &proofs.keys, add: &add, go_on: effort.go_on };
    let mut course = Course::new(proofs);
    let mut chain = (first == 1).then(Chain::start);
    let (mut first_seq, mut records, mut retired) = (1, 0, None);
    // A few files at a time bound the memory for what was picked.
    for some in files.chunks(effort.threads.max(1)) {
        for (file, read) in some.iter().zip(reader.all(some)) {
            let before = chain.take().or_else(|| {
                first_seq = read.verifier.claimed().map_or(1, Chain::next_seq);
                read.verifier.claimed().cloned()
            });
            let before = before.unwrap_or_else(Chain::start);
            // A first line that belongs elsewhere comes before whatever else is wrong.
            read.verifier.follows(&before)?;
            take(read.sum);
            read.outcome?;
            if read.partial_bytes > 0 && !(file.number == last && in_use(dir)) {
                return Err(read.verifier.truncated(read.partial_bytes));
            }
            let own = read.verifier.records();
            course.file(file.number, own, read.checkpoints)?;
            records += own;
            retired = read.retired.or(retired);
            chain = Some(read.verifier.chain_after(before));
        }
    }
    if first > 1 && !course.may_begin_at(first_seq, retired) {
        return Err(broken_file(&name(first - 1), Why::FileMissing));
    }
    let checkpoints = course.count();
    let next_seq = chain.map_or(first_seq, |chain| chain.next_seq());
    let unsigned = course.end(dir, last, (first_seq, next_seq))?;
    Ok(Verified { records, files: files.len(), first_seq, checkpoints, unsigned })
}

/// What a file holds, looked at by itself.
struct FileRead<S> {
    verifier: Verifier,
    sum: S,
    checkpoints: Checkpoints,
    /// The last record that says what was removed.
    retired: Option<Retired>,
    outcome: Result<(), Broken>,
    partial_bytes: u64,
}

struct Reader<'a, A> {
    keys: &'a [PublicKey],
    add: &'a A,
    go_on: &'a (dyn Fn() -> bool + Sync),
}

impl<A> Reader<'_, A> {
    fn all<S: Default + Send>(&self, files: &[LogFile]) -> Vec<FileRead<S>>
    where
        A: Fn(&mut S, Place<'_>, &[u8]) + Sync,
    {
        if let [file] = files {
            return vec![self.one(file)];
        }
        thread::scope(|scope| {
            let reading: Vec<_> =
                files.iter().map(|file| scope.spawn(move || self.one(file))).collect();
            let read = reading.into_iter().map(|thread| match thread.join() {
                Ok(read) => read,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            read.collect()
        })
    }

    fn one<S: Default>(&self, file: &LogFile) -> FileRead<S>
    where
        A: Fn(&mut S, Place<'_>, &[u8]) + Sync,
    {
        let mut verifier = Verifier::from_middle();
        let (mut sum, mut retired) = (S::default(), None);
        let mut checkpoints = Checkpoints::default();
        let name = name(file.number);
        let read = read_each(file, &mut verifier, |line, record| {
            if line % LINES_PER_LOOK == 1 && !(self.go_on)() {
                return Err(Why::Stopped);
            }
            let kind = Kind::of_line(record);
            if kind == Some(Kind::Checkpoint) {
                let signed = checkpoint::check(record, self.keys)?;
                checkpoints.begins |= line == 1;
                checkpoints.found.push((line, signed));
            } else if kind == Some(Kind::Retired) {
                retired = Some(serde_json::from_slice(record).map_err(|_| Why::Shape)?);
            }
            (self.add)(&mut sum, Place { file: &name, line }, record);
            Ok(())
        });
        let (outcome, partial_bytes) = match read {
            Ok(end) => (Ok(()), end.partial_bytes),
            Err(broken) => (Err(broken), 0),
        };
        FileRead { verifier, sum, checkpoints, retired, outcome, partial_bytes }
    }
}

/// How a file ends.
pub(super) struct End {
    /// Bytes of whole lines.
    pub(super) whole_bytes: u64,
    /// Bytes behind the last line end.
    pub(super) partial_bytes: u64,
}

/// Checks the lines of one file, and hands each good one on with its number. What the visitor says
/// of a line that it does not like is an error of that line.
pub(super) fn read_each(
    file: &LogFile,
    verifier: &mut Verifier,
    mut visit: impl FnMut(u64, &[u8]) -> Result<(), Why>,
) -> Result<End, Broken> {
    let name = name(file.number);
    verifier.file(&name);
    let mut lines = Lines::open(&file.path).map_err(|error| unreadable(&name, &error))?;
    let mut end = End { whole_bytes: 0, partial_bytes: 0 };
    let mut number = 0;
    loop {
        match lines.next().map_err(|error| unreadable(&name, &error))? {
            Line::Whole(record) => {
                verifier.record(record)?;
                number += 1;
                end.whole_bytes += record.len() as u64 + 1;
                visit(number, record).map_err(|why| verifier.rejects(why))?;
            }
            Line::Endless(record) => verifier.record(record)?,
            Line::Partial(bytes) => {
                end.partial_bytes = bytes;
                return Ok(end);
            }
            Line::End => return Ok(end),
        }
    }
}
