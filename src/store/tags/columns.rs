//! What the columns of catalogued tables were when somebody last looked: a file of its own beside
//! the tags, as those are what hiding rests on, and an older proxy refuses what it does not know.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{TagFiles, TagsError, short};
use crate::discovery::drift::{Memory, Remembered, Was};
use crate::model::{ColumnNumber, Oid, RelationName};
use crate::schema::{Identity, Snapshot};
use crate::store::whole::replace;

/// Grows when a file means something else than it did.
const VERSION: u32 = 1;

/// How such a file's name ends.
const END: &str = "-columns";

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    version: u32,
    /// As clients name it; for people who look.
    database: String,
    tables: Vec<Table>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Table {
    relation: Oid,
    table: [String; 2],
    entry: String,
    columns: BTreeMap<ColumnNumber, Column>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    data_type: String,
    category: u8,
}

impl TagFiles {
    /// What is remembered of the database that clients call `name`; of another one than was seen
    /// last, by the names of its tables and columns. Blocks.
    ///
    /// # Errors
    /// [`TagsError`]; a file that is not there is no error.
    pub fn recall(
        &self,
        name: &str,
        identity: &Identity,
        schema: &Snapshot,
    ) -> Result<Memory, TagsError> {
        if let Some(contents) = read(&self.columns_path(name, identity))? {
            return Ok(contents.into_memory());
        }
        let Some(other) = self.newest(name, END)? else { return Ok(Memory::default()) };
        let contents = read(&other)?;
        Ok(contents.map(|it| it.into_memory().moved_to(schema)).unwrap_or_default())
    }

    /// Keeps it on the disk; nothing is written if it is there already. Blocks.
    ///
    /// # Errors
    /// [`TagsError::File`]; what was kept before is still there then.
    pub fn remember(
        &self,
        name: &str,
        identity: &Identity,
        memory: &Memory,
    ) -> Result<(), TagsError> {
        let path = self.columns_path(name, identity);
        let failed = |source| TagsError::File { path: path.clone(), source };
        let contents = Contents::new(name, memory);
        let text = serde_json::to_vec_pretty(&contents).map_err(|error| failed(error.into()))?;
        match fs::read(&path) {
            Ok(known) if known == text => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        replace(&self.dir, &path, &text).map_err(failed)
    }

    fn columns_path(&self, name: &str, identity: &Identity) -> PathBuf {
        self.dir.join(format!("{}-{}{END}", short(name), short(&identity.key())))
    }
}

fn read(path: &Path) -> Result<Option<Contents>, TagsError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(TagsError::File { path: path.to_owned(), source }),
    };
    let corrupt = || TagsError::Forgotten { path: path.to_owned() };
    let contents: Contents = serde_json::from_slice(&bytes).map_err(|_| corrupt())?;
    if contents.version == VERSION { Ok(Some(contents)) } else { Err(corrupt()) }
}

impl Contents {
    fn new(database: &str, memory: &Memory) -> Self {
        let table = |(relation, known): (&Oid, &Remembered)| {
            let column = |(number, was): (&ColumnNumber, &Was)| {
                let Was { name, data_type, category } = was.clone();
                (*number, Column { name, data_type, category })
            };
            Table {
                relation: *relation,
                table: [known.table.schema.clone(), known.table.name.clone()],
                entry: known.entry.clone(),
                columns: known.columns.iter().map(column).collect(),
            }
        };
        let tables = memory.0.iter().map(table).collect();
        Self { version: VERSION, database: database.to_owned(), tables }
    }

    fn into_memory(self) -> Memory {
        let table = |table: Table| {
            let column = |(number, column): (ColumnNumber, Column)| {
                let Column { name, data_type, category } = column;
                (number, Was { name, data_type, category })
            };
            let [schema, name] = table.table;
            let remembered = Remembered {
                table: RelationName::new(schema, name),
                entry: table.entry,
                columns: table.columns.into_iter().map(column).collect(),
            };
            (table.relation, remembered)
        };
        Memory(self.tables.into_iter().map(table).collect())
    }
}
