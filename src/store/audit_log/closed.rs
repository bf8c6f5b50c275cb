//! Files that are written no more: compressed, and removed when their time is over.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::segment::{Line, Lines, LogFile, list, name, name_compressed};
use crate::audit::{Record, Retired};
use crate::model::Timestamp;

/// How much the thread that compresses gives way to others: as much as there is.
const NICE: i32 = 19;

/// [`compress`] on a thread of its own, which works when nobody else has work: files can wait, and
/// statements cannot.
///
/// # Errors
/// As there; or there is no such thread.
pub(super) async fn compress_aside(dir: PathBuf, current: u32) -> io::Result<usize> {
    let (done, outcome) = oneshot::channel();
    std::thread::Builder::new().name("audit-compress".to_owned()).spawn(move || {
        // On Linux this is about the calling thread. Where it fails, it is only not as considerate.
        let _ = rustix::process::setpriority_process(None, NICE);
        // Who asked may be gone.
        let _ = done.send(compress(&dir, current));
    })?;
    outcome.await.unwrap_or_else(|_| Err(io::Error::other("compressing came to no end")))
}

/// Compresses the closed files, those before number `current`; answers how many. A crash at any
/// point leaves the plain file, or both. Blocks.
///
/// # Errors
/// A file cannot be read, or its compressed form not be written; the plain one stays.
fn compress(dir: &Path, current: u32) -> io::Result<usize> {
    let files = list(dir).map_err(io::Error::other)?;
    let plain = |file: &&LogFile| {
        file.number < current && file.path.extension().is_some_and(|ext| ext == "jsonl")
    };
    let mut count = 0;
    for file in files.iter().filter(plain) {
        let packed = dir.join(name_compressed(file.number));
        let draft = dir.join(format!("{}.new", name_compressed(file.number)));
        let written = pack(&file.path, &draft).and_then(|()| fs::rename(&draft, &packed));
        if let Err(error) = written {
            // There may have been no draft.
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        File::open(dir)?.sync_all()?;
        fs::remove_file(&file.path)?;
        count += 1;
    }
    Ok(count)
}

/// Reads back what it wrote: the plain file goes. Half of every line is hashes, which nothing makes
/// shorter: trying harder takes twice the time and saves an eighth.
fn pack(from: &Path, to: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let out = options.write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let mut packer = GzEncoder::new(out, Compression::fast());
    let before = through(File::open(from)?, |piece| packer.write_all(piece))?;
    packer.finish()?.sync_all()?;
    let after = through(MultiGzDecoder::new(BufReader::new(File::open(to)?)), |_| Ok(()))?;
    if before != after {
        return Err(io::Error::other("the compressed file does not hold what it should"));
    }
    Ok(())
}

/// The SHA-256 of all that can be read.
fn through(
    mut from: impl Read,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<[u8; 32]> {
    let mut sha = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            return Ok(sha.finalize().into());
        }
        sha.update(&piece[..read]);
        each(&piece[..read])?;
    }
}

/// What may be removed: closed files whose last record is older than `before`. Files from number
/// `needed` on stay. Blocks.
///
/// # Errors
/// A file cannot be read.
pub(super) fn over(dir: &Path, before: Timestamp, needed: u32) -> io::Result<Option<Retired>> {
    let files = list(dir).map_err(io::Error::other)?;
    let mut found = None;
    for (file, next) in files.iter().zip(files.iter().skip(1)) {
        // The next file begins no earlier than this one ends.
        let Some(next_first) = first_record(next)? else { break };
        if file.number >= needed || next_first.time >= before {
            break;
        }
        found = Some(Retired { file: name(file.number), through: next_first.seq - 1 });
    }
    Ok(found)
}

/// Removes what the log says is removed. Blocks.
///
/// # Errors
/// A file cannot be removed; the next attempt begins with it.
pub(super) fn remove(dir: &Path, retired: &Retired) -> io::Result<()> {
    for file in list(dir).map_err(io::Error::other)? {
        if name(file.number) > retired.file {
            break;
        }
        for form in [name(file.number), name_compressed(file.number)] {
            match fs::remove_file(dir.join(form)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
    }
    File::open(dir)?.sync_all()
}

fn first_record(file: &LogFile) -> io::Result<Option<Record>> {
    match Lines::open(&file.path)?.next()? {
        Line::Whole(line) => Record::of(line).map(Some).map_err(io::Error::from),
        Line::Endless(_) | Line::Partial(_) | Line::End => Ok(None),
    }
}
