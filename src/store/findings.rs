//! What a scan found, left for a review: names, counts and reasons, no values.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::discovery::report::ScannedTable;
use crate::model::Timestamp;

/// Grows when a file means something else than it did.
const VERSION: u32 = 1;

/// Bytes of a file that is read: a thousand tables of twenty columns make four million or so.
const LEN_MAX: u64 = 32 << 20;

/// Why there is nothing to review.
#[derive(Debug, thiserror::Error)]
pub enum FindingsError {
    #[error("{path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is longer than {LEN_MAX} bytes", path = path.display())]
    TooLong { path: PathBuf },
    #[error("{path} is not what a scan leaves", path = path.display())]
    Corrupt { path: PathBuf },
}

/// What a scan that came to its end found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    version: u32,
    /// As clients name it.
    pub database: String,
    /// When the scan ended.
    pub at: Timestamp,
    /// From here on a finding is proposed, in percent.
    pub at_least: u8,
    pub tables: Vec<ScannedTable>,
}

impl Findings {
    /// Of the tables, what there is to say something about.
    pub fn new(database: &str, at: Timestamp, at_least: u8, tables: &[ScannedTable]) -> Self {
        let found = tables.iter().filter_map(|table| {
            let columns = table.columns.iter().filter(|column| !column.findings.is_empty());
            let table = ScannedTable { columns: columns.cloned().collect(), ..table.clone() };
            (!table.columns.is_empty()).then_some(table)
        });
        let tables = found.collect();
        Self { version: VERSION, database: database.to_owned(), at, at_least, tables }
    }

    /// As it is written to a file.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// What the last scan left; None: nothing yet. Blocks.
    ///
    /// # Errors
    /// [`FindingsError`]
    pub fn read(path: &Path) -> Result<Option<Self>, FindingsError> {
        let failed = |source| FindingsError::File { path: path.to_owned(), source };
        match std::fs::metadata(path) {
            Ok(found) if found.is_file() => {}
            // A pipe would be waited for.
            Ok(_) => return Err(FindingsError::Corrupt { path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source)),
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(LEN_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > LEN_MAX {
            return Err(FindingsError::TooLong { path: path.to_owned() });
        }
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(read) if read.version == VERSION && (1..=100).contains(&read.at_least) => {
                Ok(Some(read))
            }
            Ok(_) | Err(_) => Err(FindingsError::Corrupt { path: path.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::report::{Found, ScannedColumn, TableKind};

    fn column(name: &str, findings: Vec<Found>) -> ScannedColumn {
        let (name, data_type) = (name.to_owned(), "text".to_owned());
        ScannedColumn { name, data_type, findings, value: None, samples: vec!["a***".to_owned()] }
    }

    fn table(name: &str, columns: Vec<ScannedColumn>) -> ScannedTable {
        ScannedTable {
            schema: "public".to_owned(),
            name: name.to_owned(),
            kind: TableKind::Table,
            rows: 9,
            skipped: None,
            note: None,
            columns,
        }
    }

    fn email() -> Found {
        Found {
            kind: "email".to_owned(),
            class: "email".to_owned(),
            confidence: 90,
            reasons: vec!["the name says so".to_owned()],
            path: None,
            seen: 9,
            matched: 9,
            mask: None,
        }
    }

    fn found() -> Findings {
        let people = vec![column("id", Vec::new()), column("email", vec![email()])];
        let tables = [table("people", people), table("things", vec![column("id", Vec::new())])];
        Findings::new("shop", Timestamp::UNIX_EPOCH, 60, &tables)
    }

    #[test]
    fn what_was_found_is_left_and_read_back_without_samples() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.json");
        assert_eq!(Findings::read(&path).unwrap(), None, "no scan yet");
        let text = found().text().unwrap();
        assert!(!text.contains("a***") && !text.contains("things"), "{text}");
        std::fs::write(&path, text).unwrap();
        let read = Findings::read(&path).unwrap().expect("it is there");
        let names = |table: &ScannedTable| -> Vec<String> {
            table.columns.iter().map(|column| column.name.clone()).collect()
        };
        assert_eq!(read.tables.iter().map(names).collect::<Vec<_>>(), [["email"]]);
        assert_eq!((read.at_least, read.database.as_str()), (60, "shop"));
    }

    #[test]
    fn what_no_scan_wrote_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.json");
        let of = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut value = serde_json::to_value(found()).unwrap();
            change(&mut value);
            value.to_string()
        };
        for text in [
            String::new(),
            "[[class]]\nname = \"email\"".to_owned(),
            of(&|value| value["version"] = 2.into()),
            of(&|value| value["at_least"] = 0.into()),
            of(&|value| value["at_least"] = 101.into()),
            of(&|value| value["more"] = 1.into()),
            of(&|value| value["tables"][0]["kind"] = "index".into()),
        ] {
            std::fs::write(&path, &text).unwrap();
            let read = Findings::read(&path);
            assert!(matches!(read, Err(FindingsError::Corrupt { .. })), "{text}: {read:?}");
        }
        assert!(matches!(Findings::read(dir.path()), Err(FindingsError::Corrupt { .. })));
        File::create(&path).unwrap().set_len(LEN_MAX + 1).unwrap();
        assert!(matches!(Findings::read(&path), Err(FindingsError::TooLong { .. })));
    }
}
