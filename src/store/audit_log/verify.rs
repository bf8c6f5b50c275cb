//! Reading a log back: `keyhole audit verify`, and the end of the chain at start.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::audit::{Broken, Verifier, Why};

/// Held exclusively by the process that writes the directory.
pub(super) const LOCK_FILE: &str = "audit.lock";
/// A line is not looked at any further than this: it is none of ours.
const LINE_BYTES_MAX: u64 = 64 << 20;

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

/// Reads every record of the directory. May run while a proxy writes there: then a last line
/// without its end is one that is being written, and not counted.
///
/// Prints as `audit verify: {verified}` or `audit verify: {broken}`.
///
/// # Errors
/// The first record, or file, that is not what the chain says.
pub fn verify_dir(dir: &Path) -> Result<Verified, Broken> {
    verify_each(dir, &mut |_, _, _| {})
}

/// Is handed each record that the chain holds: the name of its file, its line there, its text.
pub type Visit<'v> = dyn FnMut(&str, u64, &[u8]) + 'v;

/// [`verify_dir`] that hands each good record on.
///
/// # Errors
/// As there; records before the bad one were handed on.
pub fn verify_each(dir: &Path, visit: &mut Visit<'_>) -> Result<Verified, Broken> {
    let files = list(dir)?;
    let mut verifier = Verifier::from_start();
    for (index, file) in files.iter().enumerate() {
        let partial = read_each(file, &mut verifier, visit)?.partial_bytes;
        let written_now = index + 1 == files.len() && in_use(dir);
        if partial > 0 && !written_now {
            return Err(verifier.truncated(partial));
        }
    }
    if files.is_empty() {
        return Err(broken_file(&name(1), Why::FileMissing));
    }
    Ok(Verified { records: verifier.records(), files: files.len() })
}

pub(super) struct LogFile {
    pub(super) number: u32,
    pub(super) path: PathBuf,
}

/// The name of the file with that number: `audit-00000001.jsonl` is the first.
pub(super) fn name(number: u32) -> String {
    format!("audit-{number:08}.jsonl")
}

/// The log's files in their order, without a gap.
pub(super) fn list(dir: &Path) -> Result<Vec<LogFile>, Broken> {
    let mut numbers = numbers(dir).map_err(|error| unreadable(&dir.to_string_lossy(), &error))?;
    numbers.sort_unstable();
    for (number, expected) in numbers.iter().zip(1..) {
        if *number != expected {
            return Err(broken_file(&name(expected), Why::FileMissing));
        }
    }
    Ok(numbers.into_iter().map(|number| LogFile { number, path: dir.join(name(number)) }).collect())
}

fn numbers(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let file = entry?.file_name();
        let number = file
            .to_str()
            .and_then(|file| file.strip_prefix("audit-")?.strip_suffix(".jsonl"))
            .and_then(|digits| digits.parse().ok());
        // Only the one spelling that the log itself uses.
        numbers.extend(number.filter(|number| file == *name(*number)));
    }
    Ok(numbers)
}

/// How a file ends.
pub(super) struct End {
    /// Bytes of whole lines.
    pub(super) whole_bytes: u64,
    /// Bytes behind the last line end.
    pub(super) partial_bytes: u64,
}

/// Checks the lines of one file.
pub(super) fn read(file: &LogFile, verifier: &mut Verifier) -> Result<End, Broken> {
    read_each(file, verifier, &mut |_, _, _| {})
}

fn read_each(
    file: &LogFile,
    verifier: &mut Verifier,
    visit: &mut Visit<'_>,
) -> Result<End, Broken> {
    let name = name(file.number);
    verifier.file(&name);
    let open = File::open(&file.path).map_err(|error| unreadable(&name, &error))?;
    let mut reader = BufReader::with_capacity(1 << 16, open);
    let mut line = Vec::new();
    let mut end = End { whole_bytes: 0, partial_bytes: 0 };
    let mut number = 0;
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let read = read.map_err(|error| unreadable(&name, &error))? as u64;
        match line.split_last() {
            None => return Ok(end),
            Some((b'\n', record)) => {
                verifier.record(record)?;
                number += 1;
                visit(&name, number, record);
            }
            // Far longer than a record that a crash could have cut short.
            Some(_) if read == LINE_BYTES_MAX => verifier.record(&line)?,
            Some(_) => {
                end.partial_bytes = read;
                return Ok(end);
            }
        }
        end.whole_bytes += read;
    }
}

/// Whether a proxy holds the directory. Asks for a moment's shared lock.
fn in_use(dir: &Path) -> bool {
    match File::open(dir.join(LOCK_FILE)) {
        Ok(lock) => matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

fn unreadable(file: &str, error: &io::Error) -> Broken {
    broken_file(file, Why::Unreadable(error.to_string()))
}

fn broken_file(file: &str, why: Why) -> Broken {
    Broken { file: file.to_owned(), line: 0, seq: None, why }
}
