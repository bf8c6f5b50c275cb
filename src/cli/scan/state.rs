//! How far a scan is: a line of JSON for each table that was read, so that it can go on.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::discovery::report::ScannedTable;
use crate::upstream::sampling::Described;

/// Of the lines; another one is not read.
const VERSION: u32 = 1;

/// Permissions of anybody but the owner.
const OTHERS: u32 = 0o077;

/// Why a scan cannot be kept or gone on with.
#[derive(Debug, thiserror::Error)]
pub(super) enum StateError {
    #[error("{path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{path} may be read by others than its owner (mode {mode:03o}): chmod 600", path = path.display())]
    Loose { path: PathBuf, mode: u32 },
    #[error("{path} is in use by another scan", path = path.display())]
    InUse { path: PathBuf },
    #[error("{path} is not what a scan wrote", path = path.display())]
    Corrupt { path: PathBuf },
    #[error("{path} is of a scan of another database", path = path.display())]
    Other { path: PathBuf },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Scan {
        version: u32,
        database: String,
    },
    Read {
        /// Which definition the table had.
        shape: String,
        table: ScannedTable,
    },
    Finished {
        tables: u64,
    },
}

/// The file, and what it held.
pub(super) struct State {
    path: PathBuf,
    file: File,
    known: HashMap<(String, String), (String, ScannedTable)>,
}

impl State {
    /// `database`: the same text for the same database.
    ///
    /// # Errors
    /// [`StateError`]; nothing is overwritten then.
    pub(super) fn open(path: &Path, database: &str) -> Result<Self, StateError> {
        let failed = |source| StateError::File { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(StateError::Loose { path: path.to_owned(), mode });
        }
        if file.try_lock().is_err() {
            return Err(StateError::InUse { path: path.to_owned() });
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        // A line that was being written when the scan was killed has no end.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut state = Self { path: path.to_owned(), file, known: HashMap::new() };
        let end = match state.read(&text[..whole], database)? {
            Some(()) => u64::try_from(whole).unwrap_or(u64::MAX),
            None => 0,
        };
        state.file.set_len(end).map_err(failed)?;
        state.file.seek(SeekFrom::Start(end)).map_err(failed)?;
        if end == 0 {
            let database = database.to_owned();
            state.append(&Line::Scan { version: VERSION, database })?;
        }
        Ok(state)
    }

    /// None: there is nothing to go on from.
    fn read(&mut self, text: &[u8], database: &str) -> Result<Option<()>, StateError> {
        let corrupt = || StateError::Corrupt { path: self.path.clone() };
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut lines =
            lines.map(|line| serde_json::from_slice::<Line>(line).map_err(|_| corrupt()));
        match lines.next().transpose()? {
            None => return Ok(None),
            Some(Line::Scan { version: VERSION, database: own }) if own == database => {}
            Some(Line::Scan { version: VERSION, .. }) => {
                return Err(StateError::Other { path: self.path.clone() });
            }
            Some(Line::Scan { .. } | Line::Read { .. } | Line::Finished { .. }) => {
                return Err(corrupt());
            }
        }
        let mut known = HashMap::new();
        for line in lines {
            match line? {
                Line::Read { shape, table } => {
                    let name = (table.schema.clone(), table.name.clone());
                    known.insert(name, (shape, table));
                }
                Line::Finished { .. } => return Ok(None),
                Line::Scan { .. } => return Err(corrupt()),
            }
        }
        self.known = known;
        Ok(Some(()))
    }

    /// What was found in a table, if it was read and has the same definition still.
    pub(super) fn take(&mut self, table: &Described) -> Option<ScannedTable> {
        let name = (table.name.schema.clone(), table.name.name.clone());
        let (shape_then, scanned) = self.known.remove(&name)?;
        (shape_then == shape(table)).then_some(scanned)
    }

    /// # Errors
    /// The line is not there, or not whole.
    pub(super) fn keep(
        &mut self,
        table: &Described,
        scanned: &ScannedTable,
    ) -> Result<(), StateError> {
        // What could not be read is tried again next time.
        if scanned.skipped.is_some() {
            return Ok(());
        }
        self.append(&Line::Read { shape: shape(table), table: scanned.clone() })
    }

    /// # Errors
    /// As [`Self::keep`].
    pub(super) fn finish(&mut self, tables: usize) -> Result<(), StateError> {
        self.append(&Line::Finished { tables: u64::try_from(tables).unwrap_or(u64::MAX) })
    }

    fn append(&mut self, line: &Line) -> Result<(), StateError> {
        let failed = |source| StateError::File { path: self.path.clone(), source };
        let mut text = serde_json::to_vec(line).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        // One write: whoever kills the scan leaves whole lines, or a last one without its end.
        self.file.write_all(&text).map_err(failed)
    }
}

/// Changes with everything that is known of a table without its values, and with what looks at them.
fn shape(table: &Described) -> String {
    let Described { kind, columns, row_security, .. } = table;
    let text = format!("{} {kind:?} {row_security} {columns:?}", env!("CARGO_PKG_VERSION"));
    let digest = Sha256::digest(text.as_bytes());
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::report::TableKind;
    use crate::model::RelationName;
    use crate::schema::RelationKind;
    use crate::upstream::sampling::Size;

    fn table(name: &str) -> Described {
        Described {
            oid: 1,
            name: RelationName::new("public", name),
            kind: RelationKind::Table,
            columns: Vec::new(),
            size: Size::default(),
            row_security: false,
            leaves: Vec::new(),
        }
    }

    fn scanned(name: &str, skipped: Option<&str>) -> ScannedTable {
        ScannedTable {
            schema: "public".to_owned(),
            name: name.to_owned(),
            kind: TableKind::Table,
            rows: 7,
            skipped: skipped.map(str::to_owned),
            note: None,
            columns: Vec::new(),
        }
    }

    #[test]
    fn a_scan_goes_on_where_it_was_killed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let mut state = State::open(&path, "db").unwrap();
        state.keep(&table("a"), &scanned("a", None)).unwrap();
        state.keep(&table("b"), &scanned("b", None)).unwrap();
        state.keep(&table("c"), &scanned("c", Some("it was locked"))).unwrap();
        assert!(matches!(State::open(&path, "db"), Err(StateError::InUse { .. })));
        drop(state);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // Killed within a line.
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        let mut state = State::open(&path, "db").unwrap();
        assert_eq!(state.take(&table("a")), Some(scanned("a", None)));
        assert_eq!(state.take(&table("b")), None);
        assert_eq!(state.take(&table("c")), None);
        state.keep(&table("b"), &scanned("b", None)).unwrap();
        drop(state);
        let mut state = State::open(&path, "db").unwrap();
        let mut changed = table("b");
        changed.row_security = true;
        assert_eq!(state.take(&changed), None);
        assert!(state.take(&table("a")).is_some());
        state.finish(2).unwrap();
        drop(state);
        let mut anew = State::open(&path, "db").unwrap();
        assert_eq!(anew.take(&table("a")), None);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        drop(State::open(&path, "db").unwrap());
        assert!(matches!(State::open(&path, "other"), Err(StateError::Other { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(State::open(&path, "db"), Err(StateError::Loose { mode: 0o644, .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "my diary\n").unwrap();
        assert!(matches!(State::open(&path, "db"), Err(StateError::Corrupt { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "my diary\n");
    }
}
