//! Which sessions of the control port were ended before their time: a small file that is written
//! whole. A line is `ID SECONDS USER` of one session, until when it would have counted and whose it
//! was, or `all USER BEGUN SECONDS`: what this user had begun by then, in microseconds. Proxies that
//! share the file's folder share the list.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use data_encoding::HEXLOWER;

use super::whole;
use crate::config::SESSION_MOST;
use crate::model::{Digest, Timestamp};

/// Bytes of a session's id.
pub const SESSION_ID_LEN: usize = 16;

/// What tells sessions apart.
pub type SessionId = [u8; SESSION_ID_LEN];

/// Bytes of what tells users apart.
const USER_KEY_LEN: usize = 16;

/// Of a user's name the beginning of its SHA-256: a name could hold anything.
type UserKey = [u8; USER_KEY_LEN];

/// Lines of the list, 8 MB.
const LISTED_MAX: usize = 100_000;

/// Sessions of one user. Who signs out of more has all that have begun by then ended at once, so
/// that nobody fills the list for others.
const OF_USER_MAX: usize = 1_000;

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
    list: List,
}

#[derive(Clone, Debug, Default)]
struct List {
    sessions: HashMap<SessionId, Listed>,
    users: HashMap<UserKey, Ended>,
}

/// One session.
#[derive(Clone, Copy, Debug)]
struct Listed {
    until: Timestamp,
    of: UserKey,
}

/// All that a user had begun by then.
#[derive(Clone, Copy, Debug)]
struct Ended {
    begun: Timestamp,
    /// When all of these are over anyway.
    until: Timestamp,
}

/// A file is another one whenever any of it differs: inode, length, time of its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version(u64, u64, i64, i64);

impl SignedOut {
    /// Nothing is read yet; no file is an empty list.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), known: Mutex::default() }
    }

    /// Whether the session of `user`, begun at `issued`, is on the list.
    ///
    /// # Errors
    /// Nobody can say; no session may count then.
    pub fn has(
        &self,
        id: &SessionId,
        user: &str,
        issued: Timestamp,
    ) -> Result<bool, SignedOutError> {
        let known = self.read()?;
        let begun = known.list.users.get(&key(user)).map(|ended| ended.begun);
        Ok(known.list.sessions.contains_key(id) || begun.is_some_and(|begun| issued <= begun))
    }

    /// Up to when all that this user has begun is ended, in whole microseconds.
    ///
    /// # Errors
    /// Nobody can say.
    pub fn ended(&self, user: &str) -> Result<Option<Timestamp>, SignedOutError> {
        Ok(self.read()?.list.users.get(&key(user)).map(|ended| ended.begun))
    }

    /// Puts a session of `user` that ends at `until` on the list, which is on the disk when this
    /// returns, and takes off what has ended before `now`. Blocks.
    ///
    /// # Errors
    /// It is not on the list.
    pub fn add(
        &self,
        id: SessionId,
        user: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), SignedOutError> {
        let of = key(user);
        // Rounded up: it stays for as long as the session could.
        let until = Timestamp::from_second(until.as_second().saturating_add(1));
        let until = until.unwrap_or(Timestamp::MAX);
        self.change(now, |list| {
            list.sessions.insert(id, Listed { until, of });
            if list.sessions.values().filter(|listed| listed.of == of).count() > OF_USER_MAX {
                list.end_all(of, now);
            }
        })
    }

    /// Puts all sessions of `user` on the list that have begun until `now`, likewise.
    ///
    /// # Errors
    /// They are not on the list.
    pub fn add_all(&self, user: &str, now: Timestamp) -> Result<(), SignedOutError> {
        self.change(now, |list| list.end_all(key(user), now))
    }

    fn change(&self, now: Timestamp, change: impl FnOnce(&mut List)) -> Result<(), SignedOutError> {
        let failed = |source| SignedOutError::File { path: self.path.clone(), source };
        let turn = self.turn().map_err(failed)?;
        let mut known = self.read()?;
        let mut list = known.list.clone();
        list.sessions.retain(|_, listed| listed.until > now);
        list.users.retain(|_, ended| ended.until > now);
        change(&mut list);
        if list.sessions.len() + list.users.len() > LISTED_MAX {
            return Err(SignedOutError::Full);
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        whole::replace(folder, &self.path, list.text().as_bytes()).map_err(failed)?;
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

    /// As it is now.
    fn read(&self) -> Result<MutexGuard<'_, Known>, SignedOutError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| SignedOutError::File { path: self.path.clone(), source };
        // The version is taken before the text: what is changed in between is read again.
        let version = match fs::metadata(&self.path) {
            Ok(file) => Some(Version(file.ino(), file.len(), file.mtime(), file.mtime_nsec())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if version.is_some() && version == known.version {
            return Ok(known);
        }
        let text = match version {
            Some(_) => fs::read_to_string(&self.path).map_err(failed)?,
            None => String::new(),
        };
        let mut list = List::default();
        for (index, line) in text.lines().enumerate() {
            let wrong = || SignedOutError::Line { path: self.path.clone(), line: index + 1 };
            list.read_line(line).ok_or_else(wrong)?;
        }
        *known = Known { version, list };
        Ok(known)
    }
}

impl List {
    /// One line for all of them, those that were listed one by one included.
    fn end_all(&mut self, of: UserKey, now: Timestamp) {
        self.sessions.retain(|_, listed| listed.of != of);
        let begun = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
        let until = now.checked_add(SESSION_MOST).unwrap_or(Timestamp::MAX);
        let ended = self.users.entry(of).or_insert(Ended { begun, until });
        *ended = Ended { begun: ended.begun.max(begun), until: ended.until.max(until) };
    }

    fn text(&self) -> String {
        let session = |(id, Listed { until, of }): (&SessionId, &Listed)| {
            format!("{} {} {}\n", HEXLOWER.encode(id), until.as_second(), HEXLOWER.encode(of))
        };
        let user = |(of, Ended { begun, until }): (&UserKey, &Ended)| {
            let (begun, until) = (begun.as_microsecond(), until.as_second());
            format!("{ALL} {} {begun} {until}\n", HEXLOWER.encode(of))
        };
        self.sessions.iter().map(session).chain(self.users.iter().map(user)).collect()
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            [ALL, of, begun, until] => {
                let ended = Ended { begun: microsecond(begun)?, until: second(until)? };
                self.users.insert(bytes(of)?, ended);
            }
            [id, until, of] => {
                let listed = Listed { until: second(until)?, of: bytes(of)? };
                self.sessions.insert(bytes(id)?, listed);
            }
            _ => return None,
        }
        Some(())
    }
}

/// What a line begins with that is about all sessions of a user.
const ALL: &str = "all";

fn bytes<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

fn second(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.parse().ok()?).ok()
}

fn microsecond(text: &str) -> Option<Timestamp> {
    Timestamp::from_microsecond(text.parse().ok()?).ok()
}

fn key(user: &str) -> UserKey {
    let mut key = [0; USER_KEY_LEN];
    key.copy_from_slice(&Digest::of(user.as_bytes()).as_bytes()[..USER_KEY_LEN]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Ada's sessions by their numbers, begun at the fifth second.
    fn has(list: &SignedOut, id: u8) -> bool {
        list.has(&[id; 16], "ada", at(5)).unwrap()
    }

    #[test]
    fn what_was_signed_out_stays_so_across_restarts_and_proxies() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.out");
        let (one, other) = (SignedOut::at(&path), SignedOut::at(&path));
        assert!(!has(&one, 1) && !has(&other, 1));
        one.add([1; 16], "ada", at(100), at(6)).unwrap();
        other.add([2; 16], "ada", at(200), at(6)).unwrap();
        for list in [&one, &other, &SignedOut::at(&path)] {
            assert!(has(list, 1) && has(list, 2) && !has(list, 3));
        }
    }

    #[test]
    fn what_has_ended_is_taken_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.out");
        let list = SignedOut::at(&path);
        list.add([1; 16], "ada", at(100), at(6)).unwrap();
        list.add([2; 16], "ada", at(300), at(100)).unwrap();
        assert!(has(&list, 1), "rounded up");
        list.add([3; 16], "ada", at(300), at(101)).unwrap();
        assert!(!has(&list, 1) && has(&list, 2));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn all_that_a_user_has_begun_ends_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.out");
        let (list, other) = (SignedOut::at(&path), SignedOut::at(&path));
        list.add([1; 16], "ada", at(100), at(6)).unwrap();
        list.add([2; 16], "bob", at(100), at(6)).unwrap();
        assert_eq!(list.ended("ada").unwrap(), None);
        list.add_all("ada", Timestamp::from_nanosecond(7_000_000_999).unwrap()).unwrap();
        for list in [&list, &other] {
            let has = |user, issued| list.has(&[9; 16], user, at(issued)).unwrap();
            assert!(has("ada", 5) && has("ada", 7) && !has("ada", 8) && !has("bob", 5));
            assert!(list.has(&[2; 16], "bob", at(5)).unwrap());
            assert_eq!(list.ended("ada").unwrap(), Some(at(7)));
        }
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
        // Proxies' clocks differ: what is ended stays so.
        list.add_all("ada", at(6)).unwrap();
        assert_eq!(list.ended("ada").unwrap(), Some(at(7)));
        let after = at(7).checked_add(SESSION_MOST).unwrap();
        list.add([3; 16], "bob", Timestamp::MAX, after + std::time::Duration::from_secs(1))
            .unwrap();
        assert_eq!(list.ended("ada").unwrap(), None, "nothing of it can count any more");
    }

    #[test]
    fn nobody_fills_the_list_for_others() {
        let mut list = List::default();
        let (ada, bob) = (key("ada"), key("bob"));
        let listed = |of| Listed { until: at(100), of };
        for number in 0..OF_USER_MAX as u128 {
            list.sessions.insert(number.to_be_bytes(), listed(ada));
        }
        list.sessions.insert([0xff; 16], listed(bob));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.out");
        fs::write(&path, list.text()).unwrap();
        let out = SignedOut::at(&path);
        assert_eq!(out.ended("ada").unwrap(), None);
        out.add([0xfe; 16], "ada", at(100), at(50)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2, "ada's are one line");
        assert_eq!((out.ended("ada").unwrap(), out.ended("bob").unwrap()), (Some(at(50)), None));
        assert!(out.has(&[0xff; 16], "bob", at(5)).unwrap());
    }

    #[test]
    fn a_list_that_cannot_be_read_is_no_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.out");
        let list = SignedOut::at(&path);
        const ZERO: &str = "00000000000000000000000000000000";
        let has = || list.has(&[0; 16], "ada", at(5));
        for text in [
            "x\n".to_owned(),
            "00 5 00\n".to_owned(),
            format!("{ZERO} x {ZERO}\n"),
            format!("{ZERO} 5\n"),
            format!("{ALL} {ZERO} 5\n"),
            format!("{ALL} {ZERO} 5 x\n"),
        ] {
            fs::write(&path, &text).unwrap();
            assert!(matches!(has(), Err(SignedOutError::Line { line: 1, .. })), "{text}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(has(), Err(SignedOutError::File { .. })));
    }
}
