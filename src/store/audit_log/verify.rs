//! Reading a log back: `keyhole audit verify`, whoever asks the log, and the end of the chain at
//! start.

use std::fmt;
use std::path::Path;
use std::thread;

use super::segment::{Line, Lines, LogFile, broken_file, in_use, list, name, unreadable};
use crate::audit::{Broken, Chain, Verifier, Why};

/// A whole chain. Shows as the line that `audit verify` prints behind its own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub records: u64,
    pub files: usize,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ok, {} records", self.records)
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
    mut take: impl FnMut(T),
) -> Result<Verified, Broken> {
    let files = list(dir)?;
    let Some(last) = files.last().map(|file| file.number) else {
        return Err(broken_file(&name(1), Why::FileMissing));
    };
    if let Some(first) = files.first().filter(|first| first.number != 1) {
        return Err(broken_file(&name(first.number - 1), Why::FileMissing));
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut chain = Chain::start();
    let mut records = 0;
    // A few files at a time bound the memory for what was picked.
    for some in files.chunks(threads) {
        for (file, read) in some.iter().zip(read_all(some, &pick)) {
            let follows = read.verifier.follows(&chain);
            if follows.is_ok() {
                read.picked.into_iter().for_each(&mut take);
            }
            // A first line that belongs elsewhere comes before whatever else is wrong.
            follows?;
            read.outcome?;
            if read.partial_bytes > 0 && !(file.number == last && in_use(dir)) {
                return Err(read.verifier.truncated(read.partial_bytes));
            }
            records += read.verifier.records();
            chain = read.verifier.chain_after(chain);
        }
    }
    Ok(Verified { records, files: files.len() })
}

/// What a file holds, looked at by itself.
struct FileRead<T> {
    verifier: Verifier,
    picked: Vec<T>,
    outcome: Result<(), Broken>,
    partial_bytes: u64,
}

fn read_all<T: Send>(
    files: &[LogFile],
    pick: &(impl Fn(Place<'_>, &[u8]) -> Option<T> + Sync),
) -> Vec<FileRead<T>> {
    if let [file] = files {
        return vec![read_one(file, pick)];
    }
    thread::scope(|scope| {
        let reading: Vec<_> =
            files.iter().map(|file| scope.spawn(move || read_one(file, pick))).collect();
        let read = reading.into_iter().map(|thread| match thread.join() {
            Ok(read) => read,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        read.collect()
    })
}

fn read_one<T>(file: &LogFile, pick: &impl Fn(Place<'_>, &[u8]) -> Option<T>) -> FileRead<T> {
    let mut verifier = Verifier::from_middle();
    let mut picked = Vec::new();
    let name = name(file.number);
    let read = read_each(file, &mut verifier, |line, record| {
        picked.extend(pick(Place { file: &name, line }, record));
    });
    let (outcome, partial_bytes) = match read {
        Ok(end) => (Ok(()), end.partial_bytes),
        Err(broken) => (Err(broken), 0),
    };
    FileRead { verifier, picked, outcome, partial_bytes }
}

/// How a file ends.
pub(super) struct End {
    /// Bytes of whole lines.
    pub(super) whole_bytes: u64,
    /// Bytes behind the last line end.
    pub(super) partial_bytes: u64,
}

/// Checks the lines of one file, and hands each good one on with its number.
pub(super) fn read_each(
    file: &LogFile,
    verifier: &mut Verifier,
    mut visit: impl FnMut(u64, &[u8]),
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
                visit(number, record);
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
