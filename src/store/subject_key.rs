//! Keys of the proxy's own, 32 random bytes as hexadecimal digits each, readable by their owner
//! only: that of the pseudonyms by which the audit log knows people, and that of sessions on the control
//! port.
//!
//! The former is no less worth than the list of keys that it hides: who has it and the log can try
//! values. Who has the latter is whom they please on the control port.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;

use super::signing_key::{OTHERS, beside, write_private};
use crate::audit::subject::SUBJECT_KEY_LEN;

/// A key that cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum SubjectKeyError {
    #[error("key file {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("key file {} may be read by others than its owner (mode {mode:03o}): chmod 600", path.display())]
    Loose { path: PathBuf, mode: u32 },
    #[error("key file {} is not 64 hexadecimal digits", .0.display())]
    Key(PathBuf),
}

/// The key of the file; if there is none, a new one, which is on the disk when this returns.
/// Blocks.
///
/// # Errors
/// [`SubjectKeyError`]; a key that others may read is refused.
pub fn load_or_create(path: &Path) -> Result<[u8; SUBJECT_KEY_LEN], SubjectKeyError> {
    match load(path) {
        Err(SubjectKeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            create(path).map_err(|source| SubjectKeyError::File { path: path.into(), source })?;
            load(path)
        }
        loaded => loaded,
    }
}

/// The key of the file. Blocks.
///
/// # Errors
/// [`SubjectKeyError`]; a key that others may read is refused.
pub fn load(path: &Path) -> Result<[u8; SUBJECT_KEY_LEN], SubjectKeyError> {
    let failed = |source| SubjectKeyError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(SubjectKeyError::Loose { path: path.to_owned(), mode });
    }
    let text = io::read_to_string(file).map_err(failed)?;
    let bytes = HEXLOWER_PERMISSIVE.decode(text.trim_end().as_bytes()).ok();
    let key = bytes.and_then(|bytes| bytes.try_into().ok());
    key.ok_or_else(|| SubjectKeyError::Key(path.to_owned()))
}

/// Under another name first, so that the file is whole whenever it is there; one that somebody else
/// made meanwhile stays.
fn create(path: &Path) -> io::Result<()> {
    let key: [u8; SUBJECT_KEY_LEN] = rand::random();
    let draft = beside(path, &format!(".new-{}", std::process::id()));
    let text = format!("{}\n", HEXLOWER_PERMISSIVE.encode(&key));
    let written = write_private(&draft, &text).and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match written {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("subjects.key");
        let made = load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_or_create(&path).unwrap(), made);
        assert_eq!(load(&path).unwrap(), made);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
        let other = load_or_create(&dir.path().join("other.key")).unwrap();
        assert_ne!(other, made);
    }

    #[test]
    fn what_others_may_read_or_what_is_no_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("subjects.key");
        load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load_or_create(&path), Err(SubjectKeyError::Loose { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "0123\n").unwrap();
        assert!(matches!(load_or_create(&path), Err(SubjectKeyError::Key(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "0123\n", "it is not replaced");
        assert!(matches!(load(&dir.path().join("no.key")), Err(SubjectKeyError::File { .. })));
    }
}
