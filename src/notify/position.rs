//! How far each channel has come, kept across restarts: a folder beside the approval store, one
//! small file for each channel, replaced whole.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Grows when a file means something else than it did.
const VERSION: u32 = 1;

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PositionError {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is not what was written there")]
    Corrupt { path: PathBuf },
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Positions {
    dir: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    /// A position means something in one store only.
    store: String,
    /// The last event that the channel is done with.
    position: u64,
}

impl Positions {
    /// The folder beside the approval store `store`: `keyhole.db.notify` for `keyhole.db`. It is
    /// made when something is kept.
    pub fn beside(store: &Path) -> Self {
        let mut dir = store.as_os_str().to_owned();
        dir.push(".notify");
        Self { dir: dir.into() }
    }

    /// The last event of that store that `channel` is done with; None: it is new there. Blocks.
    ///
    /// # Errors
    /// [`PositionError`]; nobody knows then.
    pub fn read(&self, channel: &str, store: &str) -> Result<Option<u64>, PositionError> {
        let path = self.path(channel);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PositionError::File { path, source }),
        };
        match serde_json::from_slice(&bytes) {
            Ok(Contents { version: VERSION, store: of, position }) => {
                Ok((of == store).then_some(position))
            }
            Ok(_) | Err(_) => Err(PositionError::Corrupt { path }),
        }
    }

    /// Remembers it; it is on the disk when this returns. Blocks.
    ///
    /// # Errors
    /// [`PositionError::File`]; what was kept before is still there then.
    pub fn keep(&self, channel: &str, store: &str, position: u64) -> Result<(), PositionError> {
        let contents = Contents { version: VERSION, store: store.to_owned(), position };
        let path = self.path(channel);
        let written = serde_json::to_vec(&contents).map_err(io::Error::from);
        written
            .and_then(|text| self.replace(&path, &text))
            .map_err(|source| PositionError::File { path, source })
    }

    fn replace(&self, path: &Path, text: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let next = path.with_extension("next");
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        file.write_all(text)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&next, path)?;
        fs::File::open(&self.dir)?.sync_all()
    }

    /// Names of channels are fit for files.
    fn path(&self, channel: &str) -> PathBuf {
        self.dir.join(format!("{channel}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_of_one_channel_in_one_store() {
        let dir = tempfile::tempdir().unwrap();
        let positions = Positions::beside(&dir.path().join("keyhole.db"));
        assert_eq!(positions.read("webhook-a", "s1").unwrap(), None);
        positions.keep("webhook-a", "s1", 41).unwrap();
        positions.keep("webhook-a", "s1", 42).unwrap();
        positions.keep("smtp", "s1", 7).unwrap();
        assert_eq!(positions.read("webhook-a", "s1").unwrap(), Some(42));
        assert_eq!(positions.read("smtp", "s1").unwrap(), Some(7));
        assert_eq!(positions.read("webhook-a", "s2").unwrap(), None, "another store");
        let files = fs::read_dir(dir.path().join("keyhole.db.notify")).unwrap().count();
        assert_eq!(files, 2, "nothing lies about");
    }

    #[test]
    fn a_file_that_was_cut_short_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let positions = Positions::beside(&dir.path().join("keyhole.db"));
        positions.keep("smtp", "s1", 7).unwrap();
        let path = dir.path().join("keyhole.db.notify/smtp.json");
        fs::write(&path, &fs::read(&path).unwrap()[..10]).unwrap();
        assert!(matches!(positions.read("smtp", "s1"), Err(PositionError::Corrupt { .. })));
    }
}
