//! How far each reader of a sequence has come, kept across restarts: a folder, one small file for
//! each reader, replaced whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::whole::replace;

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
struct Contents<P> {
    version: u32,
    /// What is read: a position means something there only.
    #[serde(alias = "store")]
    of: String,
    position: P,
}

impl Positions {
    /// The folder; it is made when something is kept.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The folder beside a file: `keyhole.db.notify` for `keyhole.db`.
    pub fn beside(file: &Path, ending: &str) -> Self {
        let mut dir = file.as_os_str().to_owned();
        dir.push(".");
        dir.push(ending);
        Self { dir: dir.into() }
    }

    /// How far `reader`, whose name is fit for a file, is in `of`; None: it is new there. Blocks.
    ///
    /// # Errors
    /// [`PositionError`]; nobody knows then.
    pub fn read<P: DeserializeOwned>(
        &self,
        reader: &str,
        of: &str,
    ) -> Result<Option<P>, PositionError> {
        let path = self.path(reader);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(PositionError::File { path, source }),
        };
        match serde_json::from_slice::<Contents<P>>(&bytes) {
            Ok(contents) if contents.version == VERSION => {
                Ok((contents.of == of).then_some(contents.position))
            }
            Ok(_) | Err(_) => Err(PositionError::Corrupt { path }),
        }
    }

    /// Remembers it; it is on the disk when this returns. Blocks.
    ///
    /// # Errors
    /// [`PositionError::File`]; what was kept before is still there then.
    pub fn keep<P: Serialize>(
        &self,
        reader: &str,
        of: &str,
        position: P,
    ) -> Result<(), PositionError> {
        let contents = Contents { version: VERSION, of: of.to_owned(), position };
        let path = self.path(reader);
        let written = serde_json::to_vec(&contents).map_err(io::Error::from);
        written
            .and_then(|text| replace(&self.dir, &path, &text))
            .map_err(|source| PositionError::File { path, source })
    }

    fn path(&self, reader: &str) -> PathBuf {
        self.dir.join(format!("{reader}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_of_one_channel_in_one_store() {
        let dir = tempfile::tempdir().unwrap();
        let positions = Positions::beside(&dir.path().join("keyhole.db"), "notify");
        assert_eq!(positions.read::<u64>("webhook-a", "s1").unwrap(), None);
        positions.keep("webhook-a", "s1", 41_u64).unwrap();
        positions.keep("webhook-a", "s1", 42_u64).unwrap();
        positions.keep("smtp", "s1", 7_u64).unwrap();
        assert_eq!(positions.read::<u64>("webhook-a", "s1").unwrap(), Some(42));
        assert_eq!(positions.read::<u64>("smtp", "s1").unwrap(), Some(7));
        assert_eq!(positions.read::<u64>("webhook-a", "s2").unwrap(), None, "another store");
        let files = fs::read_dir(dir.path().join("keyhole.db.notify")).unwrap().count();
        assert_eq!(files, 2, "nothing lies about");
    }

    #[test]
    fn positions_of_earlier_versions_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"{"version":1,"store":"s1","position":9}"#;
        fs::write(dir.path().join("smtp.json"), text).unwrap();
        let positions = Positions::new(dir.path().to_owned());
        assert_eq!(positions.read::<u64>("smtp", "s1").unwrap(), Some(9));
    }

    #[test]
    fn a_file_that_was_cut_short_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let positions = Positions::beside(&dir.path().join("keyhole.db"), "notify");
        positions.keep("smtp", "s1", 7_u64).unwrap();
        let path = dir.path().join("keyhole.db.notify/smtp.json");
        fs::write(&path, &fs::read(&path).unwrap()[..10]).unwrap();
        assert!(matches!(positions.read::<u64>("smtp", "s1"), Err(PositionError::Corrupt { .. })));
    }
}
