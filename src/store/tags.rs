//! Which columns are personal data whatever they are called now, kept across restarts: a RENAME
//! past the proxy while it is down launders nothing.
//!
//! A folder beside the approval store, one file for each database as clients name it and as its
//! server identifies it, replaced whole. Losing the folder means going by the catalog's names.

mod columns;
mod file;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use self::file::{Contents, Kept};
use super::whole::replace;
use crate::analysis::sensitive::{CLASS_CLEAR, Tags};
use crate::schema::{Identity, Snapshot};

/// How the name of a file of tags ends.
const TAGS_END: &str = ".json";

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TagsError {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error(
        "{path} is not what was written there; without it, columns go by the catalog's names \
         alone: look for renamed ones, then remove the file"
    )]
    Corrupt { path: PathBuf },
    #[error(
        "{path} is not what was written there; without it, nobody knows which columns are new or \
         have another type: look for them, then remove the file"
    )]
    Forgotten { path: PathBuf },
}

/// The folder.
#[derive(Clone, Debug)]
pub struct TagFiles {
    dir: PathBuf,
}

impl TagFiles {
    /// The folder beside the approval store `store`: `keyhole.db.tags` for `keyhole.db`. It is made
    /// when something is kept.
    pub fn beside(store: &Path) -> Self {
        let mut dir = store.as_os_str().to_owned();
        dir.push(".tags");
        Self { dir: dir.into() }
    }

    /// What was tagged in the database that clients call `name`. If it is another one than the one
    /// that was seen last (a restored dump, an upgraded cluster), OIDs mean nothing: what was
    /// tagged there is looked up in `schema` by the names that it had last, and what has no such
    /// name any more is left out. Blocks.
    ///
    /// # Errors
    /// [`TagsError`]; a file that is not there is no error.
    pub fn load(
        &self,
        name: &str,
        identity: &Identity,
        schema: &Snapshot,
    ) -> Result<Tags, TagsError> {
        let own = self.path(name, identity);
        if let Some(contents) = read(&own)? {
            return Ok(Tags(contents.tags.into_iter().map(|kept| kept.by_oid()).collect()));
        }
        let Some(other) = self.newest(name, TAGS_END)? else { return Ok(Tags::default()) };
        let Some(contents) = read(&other)? else { return Ok(Tags::default()) };
        // What was decided to be clear is decided anew, by name.
        let hidden = contents.tags.into_iter().filter(|kept| kept.class() != CLASS_CLEAR);
        Ok(Tags(hidden.filter_map(|kept| kept.by_name(schema)).collect()))
    }

    /// Keeps `tags`, found in `schema`, on the disk; nothing is written if they are there already.
    /// Blocks.
    ///
    /// # Errors
    /// [`TagsError::File`]; what was kept before is still there then.
    pub fn keep(
        &self,
        name: &str,
        identity: &Identity,
        schema: &Snapshot,
        tags: &Tags,
    ) -> Result<(), TagsError> {
        let path = self.path(name, identity);
        let tags = tags.0.iter().map(|(id, tag)| Kept::new(*id, tag, schema)).collect();
        let contents = Contents { version: file::VERSION, database: name.to_owned(), tags };
        let failed = |source| TagsError::File { path: path.clone(), source };
        let text = serde_json::to_vec_pretty(&contents).map_err(|error| failed(error.into()))?;
        match fs::read(&path) {
            Ok(known) if known == text => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        replace(&self.dir, &path, &text).map_err(failed)
    }

    fn path(&self, name: &str, identity: &Identity) -> PathBuf {
        self.dir.join(format!("{}-{}{TAGS_END}", short(name), short(&identity.key())))
    }

    /// The file of that name, of whatever database, that was written last.
    fn newest(&self, name: &str, end: &str) -> Result<Option<PathBuf>, TagsError> {
        let failed = |source| TagsError::File { path: self.dir.clone(), source };
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let prefix = format!("{}-", short(name));
        let mut newest = None;
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let file = entry.file_name().to_string_lossy().into_owned();
            if file.starts_with(&prefix) && file.ends_with(end) {
                let written = entry.metadata().and_then(|data| data.modified()).map_err(failed)?;
                newest = newest.max(Some((written, entry.path())));
            }
        }
        Ok(newest.map(|(_, path)| path))
    }
}

fn read(path: &Path) -> Result<Option<Contents>, TagsError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(TagsError::File { path: path.to_owned(), source }),
    };
    let corrupt = || TagsError::Corrupt { path: path.to_owned() };
    let contents: Contents = serde_json::from_slice(&bytes).map_err(|_| corrupt())?;
    if contents.version == file::VERSION { Ok(Some(contents)) } else { Err(corrupt()) }
}

/// A name as part of a file's name, whatever characters are in it.
fn short(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
