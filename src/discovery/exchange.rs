//! What others wrote down of columns, and a catalog in their words: security labels, column
//! comments, dbt's properties, comma separated values.
//!
//! Pure: text in, text out. `cli::exchange` reads files and asks databases.
//!
//! One spelling of "this is a telephone number, hide all but two digits" serves comments and labels
//! alike: `pii: phone (partial keep_last=2)`, see [`Tag`]. Whoever writes by hand may leave
//! the mask away.

pub mod anonymizer;
pub mod catalog;
pub mod csv;
pub mod dbt;
pub mod statements;

mod script;
mod tag;

#[cfg(test)]
mod tests;

pub use tag::{Tag, tagged};

use crate::catalog::{Catalog, Hiding};
use crate::model::{ColumnPath, RelationName};

/// What is said of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub column: ColumnPath,
    pub class: String,
    /// None: as its class is hidden.
    pub hiding: Option<Hiding>,
}

/// What a text says, and what of it was not understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    pub said: Vec<Said>,
    pub unclear: Vec<Unclear>,
}

/// Something that says more, or something else, than can be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear {
    /// A column or a line.
    pub place: String,
    pub why: &'static str,
}

impl Unclear {
    fn new(place: impl ToString, why: &'static str) -> Self {
        Self { place: place.to_string(), why }
    }
}

/// What goes without saying in a text.
#[derive(Clone, Debug)]
pub struct Assumed {
    /// Where tables are that are named without a schema.
    pub schema: String,
    /// What a column is that is marked as personal and no more is said.
    pub class: String,
}

impl Default for Assumed {
    fn default() -> Self {
        Self { schema: "public".to_owned(), class: "personal".to_owned() }
    }
}

impl Assumed {
    fn column(&self, names: &[&str]) -> Option<ColumnPath> {
        let (schema, table, column) = match *names {
            [table, column] => (self.schema.as_str(), table, column),
            [schema, table, column] => (schema, table, column),
            _ => return None,
        };
        let relation = RelationName::new(schema, table);
        Some(ColumnPath { relation, column: column.to_owned() })
    }
}

/// Every column of a catalog, by name, with its class and how that is hidden.
pub fn said_by(catalog: &Catalog) -> Vec<Said> {
    let columns = catalog.tables.iter().flat_map(|table| {
        table.columns.iter().map(|(column, class)| Said {
            column: ColumnPath { relation: table.name.clone(), column: column.clone() },
            class: class.clone(),
            hiding: catalog.classes.get(class).map(|class| class.hiding.clone()),
        })
    });
    let mut columns: Vec<Said> = columns.collect();
    columns.sort_by(|a, b| a.column.cmp(&b.column));
    columns
}
