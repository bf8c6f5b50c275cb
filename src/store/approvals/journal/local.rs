//! What one proxy remembers of the store it works with, beside its audit log.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::store::approvals::StoreError;

/// Holds the store's id; written once, durably.
const STORE: &str = "approvals.store";

/// Holds the last event that is in the audit log.
const POSITION: &str = "approvals.position";

/// Holds the proxy's own name among those that share the store; written once, durably.
const PROXY: &str = "approvals.proxy";

/// Hexadecimal digits of that name, with which the marks of its appends begin.
pub(super) const PROXY_LEN: usize = 16;

/// An event's number and the mark of the append it came with: no two appends have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) sequence: u64,
    pub(super) mark: String,
}

pub(super) struct Local {
    folder: PathBuf,
    /// Open once something was written.
    position: Option<File>,
}

impl Local {
    /// The memory of store `id`; it begins here if there is none.
    pub(super) fn open(folder: &Path, id: &str) -> Result<Self, StoreError> {
        let folder = folder.to_owned();
        let path = folder.join(STORE);
        match std::fs::read_to_string(&path) {
            Ok(kept) if kept.trim_end() == id => {}
            Ok(kept) => {
                let kept = kept.trim_end().to_owned();
                return Err(StoreError::OtherStore { folder, kept, found: id.to_owned() });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                remember(&folder, id).map_err(|source| StoreError::Local { path, source })?;
            }
            Err(source) => return Err(StoreError::Local { path, source }),
        }
        Ok(Self { folder, position: None })
    }

    /// The proxy's own name, the same after each restart.
    pub(super) fn proxy(&self) -> Result<String, StoreError> {
        let path = self.folder.join(PROXY);
        let failed = |source| StoreError::Local { path: path.clone(), source };
        match std::fs::read_to_string(&path) {
            Ok(kept) => {
                let kept = kept.trim_end().to_owned();
                let fits =
                    kept.len() == PROXY_LEN && kept.bytes().all(|byte| byte.is_ascii_hexdigit());
                let broken = || io::Error::new(io::ErrorKind::InvalidData, "not a proxy's name");
                fits.then_some(kept).ok_or_else(|| failed(broken()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let name = format!("{:016x}", rand::random::<u64>());
                write_whole(&self.folder, PROXY, &name).map_err(failed)?;
                Ok(name)
            }
            Err(source) => Err(failed(source)),
        }
    }

    /// None: nothing was written down, or it cannot be read.
    pub(super) fn position(&self) -> Option<Position> {
        let mut text = String::new();
        File::open(self.folder.join(POSITION)).ok()?.read_to_string(&mut text).ok()?;
        let (sequence, mark) = text.trim_end().split_once(' ')?;
        Some(Position { sequence: sequence.parse().ok()?, mark: mark.to_owned() })
    }

    /// The next start has nothing to compare the store with.
    pub(super) fn forget_position(&mut self) -> Result<(), StoreError> {
        self.position = None;
        let path = self.folder.join(POSITION);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Local { path, source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// In place and without waiting for the disk: what is lost is delivered again.
    pub(super) fn set_position(&mut self, position: &Position) -> Result<(), StoreError> {
        let path = self.folder.join(POSITION);
        let failed = |source| StoreError::Local { path: path.clone(), source };
        let file = match self.position.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&path)
                .map_err(failed)?,
        };
        // Always of one length, so that nothing older shows behind it.
        let line = format!("{:020} {:>32}\n", position.sequence, position.mark);
        file.write_all_at(line.as_bytes(), 0).map_err(failed)?;
        self.position = Some(file);
        Ok(())
    }
}

/// From now on the folder belongs to store `id`; what was delivered of another is forgotten.
pub(in crate::store::approvals) fn adopt(folder: &Path, id: &str) -> Result<(), StoreError> {
    let failed = |source| StoreError::Local { path: folder.join(STORE), source };
    match std::fs::remove_file(folder.join(POSITION)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    remember(folder, id).map_err(failed)
}

fn remember(folder: &Path, id: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    write_whole(folder, STORE, id)
}

fn write_whole(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let (path, aside) = (folder.join(name), folder.join(format!("{name}.new")));
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&aside)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    std::fs::rename(&aside, &path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_store_until_another_is_adopted() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("audit");
        let mut local = Local::open(&folder, "one").unwrap();
        assert_eq!(local.position(), None);
        for (sequence, mark) in [(12, "a".repeat(32)), (7, "b".repeat(32))] {
            let position = Position { sequence, mark };
            local.set_position(&position).unwrap();
            assert_eq!(Local::open(&folder, "one").unwrap().position(), Some(position));
        }
        let error = Local::open(&folder, "two").err().expect("refused").to_string();
        assert!(error.contains("store two") && error.contains("store one"), "{error}");
        local.forget_position().unwrap();
        assert_eq!(local.position(), None);
        let name = local.proxy().unwrap();
        assert_eq!((name.len(), local.proxy().unwrap()), (PROXY_LEN, name));
        adopt(&folder, "two").unwrap();
        assert_eq!(Local::open(&folder, "two").unwrap().position(), None);
        assert!(Local::open(&folder, "one").is_err());
    }
}
