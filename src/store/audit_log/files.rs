//! The directory: its lock, its files, and the repair of a record that a crash cut short.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::segment::{LOCK_FILE, list, name, name_compressed};
use super::verify::read_each;
use super::writer::Disk;
use super::{AuditError, Repair};
use crate::audit::{Chain, Kind, Record, Verifier};
use crate::model::Timestamp;

/// Holds the log's id.
const ID_FILE: &str = "audit.id";
/// Files at the end of the log that are verified before it is written again.
const TAIL_FILES: usize = 2;

/// The file that is written, and the directory it is in.
pub(super) struct Segments {
    dir: PathBuf,
    /// Holds the directory's lock for as long as it is open.
    _lock: File,
    number: u32,
    file: File,
    written_bytes: u64,
    durable_bytes: u64,
    rotate_bytes: u64,
    id: String,
    end: LogEnd,
}

/// What was read at the end of the log when it was opened.
#[derive(Default)]
struct LogEnd {
    begun: Option<Timestamp>,
    unsigned: u64,
}

impl Segments {
    pub(super) fn open(dir: &Path, rotate_bytes: u64) -> Result<(Self, Chain, Repair), AuditError> {
        let unusable = |source| AuditError::Directory { dir: dir.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable)?;
        let lock = open_file(&dir.join(LOCK_FILE)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(AuditError::Locked { dir: dir.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let Inspected { chain, whole_bytes, number, repair, end } = inspect(dir)?;
        let id = read_or_make_id(dir).map_err(unusable)?;
        let file = open_file(&dir.join(name(number))).map_err(unusable)?;
        // Also syncs what a process that crashed had written but not synced.
        let prepared = file.set_len(whole_bytes).and_then(|()| file.sync_all());
        prepared.and_then(|()| sync_dir(dir)).map_err(unusable)?;
        let segments = Self {
            dir: dir.to_owned(),
            _lock: lock,
            number,
            file,
            written_bytes: whole_bytes,
            durable_bytes: whole_bytes,
            rotate_bytes,
            id,
            end,
        };
        Ok((segments, chain, repair))
    }

    /// A file that was moved away or cut would swallow records that nobody finds again.
    fn check_place(&self) -> io::Result<u64> {
        let ours = self.file.metadata()?;
        let there = self.dir.join(name(self.number)).metadata()?;
        if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
            return Err(io::Error::other("the file was replaced"));
        }
        Ok(ours.len())
    }
}

impl Disk for Segments {
    fn place(&self) -> (u32, u64) {
        (self.number, self.durable_bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.written_bytes += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        if self.check_place()? != self.written_bytes {
            return Err(io::Error::other("the file was changed by somebody else"));
        }
        self.durable_bytes = self.written_bytes;
        Ok(())
    }

    fn rewind(&mut self) -> io::Result<()> {
        if self.check_place()? < self.durable_bytes {
            return Err(io::Error::other("the file was cut by somebody else"));
        }
        self.file.set_len(self.durable_bytes)?;
        self.written_bytes = self.durable_bytes;
        Ok(())
    }

    fn turn_over(&mut self) -> io::Result<()> {
        let next = open_file(&self.dir.join(name(self.number + 1)))?;
        if next.metadata()?.len() > 0 {
            return Err(io::Error::other("the next file exists already"));
        }
        next.sync_all()?;
        sync_dir(&self.dir)?;
        self.file = next;
        self.number += 1;
        self.written_bytes = 0;
        self.durable_bytes = 0;
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.durable_bytes >= self.rotate_bytes
    }

    fn begun(&self) -> Option<Timestamp> {
        self.end.begun
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn unsigned(&self) -> u64 {
        self.end.unsigned
    }
}

/// Where the chain stands, and the file that is written on.
struct Inspected {
    chain: Chain,
    whole_bytes: u64,
    number: u32,
    /// What has to be cut off behind the whole bytes.
    repair: Repair,
    end: LogEnd,
}

fn inspect(dir: &Path) -> Result<Inspected, AuditError> {
    let files = list(dir)?;
    let tail = files.get(files.len().saturating_sub(TAIL_FILES)..).unwrap_or_default();
    let from_start = files.first().is_none_or(|file| file.number == 1) && tail.len() == files.len();
    let mut verifier = if from_start { Verifier::from_start() } else { Verifier::from_middle() };
    let (mut whole_bytes, mut repair, mut end) = (0, Repair::None, LogEnd::default());
    let last = files.last().map_or(1, |file| file.number);
    for file in tail {
        end.begun = None;
        let read = read_each(file, &mut verifier, |line, record| {
            if line == 1 {
                end.begun = Record::of(record).ok().map(|record| record.time);
            }
            end.unsigned += 1;
            if Kind::of_line(record) == Some(Kind::Checkpoint) {
                end.unsigned = 0;
            }
            Ok(())
        })?;
        whole_bytes = read.whole_bytes;
        if read.partial_bytes > 0 {
            if file.number != last {
                return Err(verifier.truncated(read.partial_bytes).into());
            }
            repair = Repair::CutOff { file: name(last), bytes: read.partial_bytes };
        }
    }
    let mut number = last;
    if files.last().is_some_and(|file| file.path == dir.join(name_compressed(last))) {
        (number, whole_bytes, end.begun) = (last + 1, 0, None);
    }
    Ok(Inspected { chain: verifier.chain(), whole_bytes, number, repair, end })
}

/// The id is made with the directory and never changes.
fn read_or_make_id(dir: &Path) -> io::Result<String> {
    let path = dir.join(ID_FILE);
    match std::fs::read_to_string(&path) {
        Ok(id) => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let id = format!("{:032x}", rand::random::<u128>());
    let draft = dir.join("audit.id.new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    std::fs::rename(&draft, &path)?;
    Ok(id)
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
