//! Which sessions of the control port were signed out before their time: a small file, one line for
//! each, `ID SECONDS`, that is written whole. Proxies that share the file's folder share the list.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use data_encoding::HEXLOWER;

use super::whole;
use crate::model::Timestamp;

/// Bytes of a session's id.
pub const SESSION_ID_LEN: usize = 16;

/// What tells sessions apart.
pub type SessionId = [u8; SESSION_ID_LEN];

/// Sessions on the list at a time, 5 MB: each was somebody who signed in within a session's life.
const LISTED_MAX: usize = 100_000;

/// The list cannot be read or added to.
#[derive(Debug, thiserror::Error)]
pub enum SignedOutError {
    #[error("list of signed-out sessions {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("line {line} of {} is no signed-out session", path.display())]
    Line { path: PathBuf, line: usize },
    #[error("more than {LISTED_MAX} sessions are signed out at a time")]
    Full,
}

/// The list. Each look compares the file with what was read of it last, which is one `stat`.
#[derive(Debug)]
pub struct SignedOut {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    version: Option<Version>,
    until: HashMap<SessionId, Timestamp>,
}

/// A file is another one whenever any of it differs: inode, length, time of its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version(u64, u64, i64, i64);

impl SignedOut {
    /// Nothing is read yet; no file is an empty list.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), known: Mutex::default() }
    }

    /// Whether the session is on the list.
    ///
    /// # Errors
    /// Nobody can say; no session may count then.
    pub fn has(&self, id: &SessionId) -> Result<bool, SignedOutError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.read_again(&mut known)?;
        Ok(known.until.contains_key(id))
    }

    /// Puts a session that ends at `until` on the list, which is on the disk when this returns, and
    /// takes off what has ended before `now`. Blocks.
    ///
    /// # Errors
    /// It is not on the list.
    pub fn add(
        &self,
        id: SessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), SignedOutError> {
        let failed = |source| SignedOutError::File { path: self.path.clone(), source };
        let turn = self.turn().map_err(failed)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.read_again(&mut known)?;
        let mut until_by_id = known.until.clone();
        until_by_id.retain(|_, until| *until > now);
        // Rounded up: it stays for as long as the session could.
        let until = Timestamp::from_second(until.as_second().saturating_add(1));
        until_by_id.insert(id, until.unwrap_or(Timestamp::MAX));
        if until_by_id.len() > LISTED_MAX {
            return Err(SignedOutError::Full);
        }
        let line = |(id, until): (&SessionId, &Timestamp)| {
            format!("{} {}\n", HEXLOWER.encode(id), until.as_second())
        };
        let text: String = until_by_id.iter().map(line).collect();
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        whole::replace(folder, &self.path, text.as_bytes()).map_err(failed)?;
        drop(turn);
        known.version = None;
        Ok(())
    }

    /// One process at a time; until it is dropped.
    fn turn(&self) -> io::Result<File> {
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(name)?;
        file.lock()?;
        Ok(file)
    }

    fn read_again(&self, known: &mut Known) -> Result<(), SignedOutError> {
        let failed = |source| SignedOutError::File { path: self.path.clone(), source };
        // The version is taken before the text: what is changed in between is read again.
        let version = match fs::metadata(&self.path) {
            Ok(file) => Some(Version(file.ino(), file.len(), file.mtime(), file.mtime_nsec())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if version.is_some() && version == known.version {
            return Ok(());
        }
        let text = match version {
            Some(_) => fs::read_to_string(&self.path).map_err(failed)?,
            None => String::new(),
        };
        let mut until = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let wrong = || SignedOutError::Line { path: self.path.clone(), line: index + 1 };
            let (id, end) = read_line(line).ok_or_else(wrong)?;
            until.insert(id, end);
        }
        *known = Known { version, until };
        Ok(())
    }
}

fn read_line(line: &str) -> Option<(SessionId, Timestamp)> {
    let (id, seconds) = line.split_once(' ')?;
    let id = HEXLOWER.decode(id.as_bytes()).ok()?.try_into().ok()?;
    Some((id, Timestamp::from_second(seconds.parse().ok()?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_was_signed_out_stays_so_across_restarts_and_proxies() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.out");
        let (one, other) = (SignedOut::at(&path), SignedOut::at(&path));
        assert!(!one.has(&[1; 16]).unwrap() && !other.has(&[1; 16]).unwrap());
        one.add([1; 16], at(100), at(0)).unwrap();
        other.add([2; 16], at(200), at(0)).unwrap();
        for list in [&one, &other, &SignedOut::at(&path)] {
            assert!(list.has(&[1; 16]).unwrap() && list.has(&[2; 16]).unwrap());
            assert!(!list.has(&[3; 16]).unwrap());
        }
    }

    #[test]
    fn what_has_ended_is_taken_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.out");
        let list = SignedOut::at(&path);
        list.add([1; 16], at(100), at(0)).unwrap();
        list.add([2; 16], at(300), at(100)).unwrap();
        assert!(list.has(&[1; 16]).unwrap(), "rounded up");
        list.add([3; 16], at(300), at(101)).unwrap();
        assert!(!list.has(&[1; 16]).unwrap() && list.has(&[2; 16]).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_no_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.out");
        let list = SignedOut::at(&path);
        for text in ["x\n", "00 5\n", "00000000000000000000000000000000 x\n"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(list.has(&[0; 16]), Err(SignedOutError::Line { line: 1, .. })));
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(list.has(&[0; 16]), Err(SignedOutError::File { .. })));
    }
}
