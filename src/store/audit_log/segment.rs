//! The log's files: their names, their order, and their lines, compressed or not.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::audit::{Broken, Why};

/// Held exclusively by the process that writes the directory.
pub(super) const LOCK_FILE: &str = "audit.lock";
/// A line is not looked at any further than this: it is none of ours.
const LINE_BYTES_MAX: u64 = 64 << 20;
const READ_BYTES: usize = 1 << 16;

/// A file of the log.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    pub(super) number: u32,
    pub(super) path: PathBuf,
}

/// The name of the file with that number: `audit-00000001.jsonl` is the first.
pub(super) fn name(number: u32) -> String {
    format!("audit-{number:08}.jsonl")
}

/// The name of that file once it is compressed.
pub(super) fn name_compressed(number: u32) -> String {
    format!("{}.gz", name(number))
}

/// The log's files in their order. A file that is there in both forms was being compressed: its
/// plain form counts.
///
/// # Errors
/// A file between two others is missing.
pub(super) fn list(dir: &Path) -> Result<Vec<LogFile>, Broken> {
    let mut files = found(dir).map_err(|error| unreadable(&dir.to_string_lossy(), &error))?;
    // The plain form comes first.
    files.sort_by(|a, b| (a.number, &a.path).cmp(&(b.number, &b.path)));
    files.dedup_by_key(|file| file.number);
    let first = files.first().map_or(1, |file| file.number);
    for (file, expected) in files.iter().zip(first..) {
        if file.number != expected {
            return Err(broken_file(&name(expected), Why::FileMissing));
        }
    }
    Ok(files)
}

fn found(dir: &Path) -> io::Result<Vec<LogFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let file = entry.file_name();
        let number: Option<u32> = file
            .to_str()
            .and_then(|file| file.strip_prefix("audit-"))
            .and_then(|file| file.strip_suffix(".gz").unwrap_or(file).strip_suffix(".jsonl"))
            .and_then(|digits| digits.parse().ok());
        // Only the spellings that the log itself uses.
        let number =
            number.filter(|number| file == *name(*number) || file == *name_compressed(*number));
        files.extend(number.map(|number| LogFile { number, path: entry.path() }));
    }
    Ok(files)
}

/// Whether a proxy holds the directory. Asks for a moment's shared lock.
pub(super) fn in_use(dir: &Path) -> bool {
    match File::open(dir.join(LOCK_FILE)) {
        Ok(lock) => matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

/// The lines of a file.
pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
}

/// What comes next in a file.
pub(super) enum Line<'a> {
    /// Without its line end.
    Whole(&'a [u8]),
    /// Longer than any record.
    Endless(&'a [u8]),
    /// That many bytes without a line end: a crash, or it is being written.
    Partial(u64),
    End,
}

impl Lines {
    /// The file's, compressed or not.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::open_at(path, 0)
    }

    /// Those behind that many bytes, not compressed.
    ///
    /// # Errors
    /// As files have them; `UnexpectedEof` when there are fewer.
    pub(super) fn open_at(path: &Path, bytes: u64) -> io::Result<Self> {
        if path.extension().is_some_and(|ext| ext == "gz") {
            return Self::unpack(path, bytes);
        }
        match File::open(path) {
            Ok(mut file) => {
                if file.metadata()?.len() < bytes {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                file.seek(SeekFrom::Start(bytes))?;
                let reader = Box::new(BufReader::with_capacity(READ_BYTES, file));
                Ok(Self { reader, line: Vec::new() })
            }
            // It may be compressed between two looks, but never the other way round.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::unpack(&path.with_extension("jsonl.gz"), bytes)
            }
            Err(error) => Err(error),
        }
    }

    fn unpack(path: &Path, bytes: u64) -> io::Result<Self> {
        let packed = BufReader::with_capacity(READ_BYTES, File::open(path)?);
        let reader = BufReader::with_capacity(READ_BYTES, MultiGzDecoder::new(packed));
        let mut lines = Self { reader: Box::new(reader), line: Vec::new() };
        let skipped = io::copy(&mut lines.reader.by_ref().take(bytes), &mut io::sink())?;
        if skipped == bytes { Ok(lines) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    pub(super) fn next(&mut self) -> io::Result<Line<'_>> {
        self.line.clear();
        let read = self.reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line)?;
        Ok(match self.line.split_last() {
            None => Line::End,
            Some((b'\n', line)) => Line::Whole(line),
            // Far longer than a record that a crash could have cut short.
            Some(_) if read as u64 == LINE_BYTES_MAX => Line::Endless(&self.line),
            Some(_) => Line::Partial(read as u64),
        })
    }
}

pub(super) fn unreadable(file: &str, error: &io::Error) -> Broken {
    broken_file(file, Why::Unreadable(error.to_string()))
}

pub(super) fn broken_file(file: &str, why: Why) -> Broken {
    Broken { file: file.to_owned(), line: 0, seq: None, why }
}
