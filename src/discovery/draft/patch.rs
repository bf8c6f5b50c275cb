//! Proposals in the catalog files that are there: comments, order and everything else stay.

use std::path::{Path, PathBuf};

use similar::TextDiff;
use toml_edit::{
    ArrayOfTables, Decor, DocumentMut, InlineTable, Item, Key, RawString, Table, TomlError, Value,
    value,
};

use super::words::{self, hiding_text, relation_text};
use super::{Proposal, classes, one_line};
use crate::catalog::{Catalog, Hiding};
use crate::model::{RelationName, misleads};

/// Lines around a change.
const CONTEXT_LINES: usize = 3;

/// Why a catalog file cannot be added to.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    #[error("the database has no catalog file to add to: a draft can be its first")]
    NoFile,
    #[error("{path}: it cannot be read as TOML", path = path.display())]
    Toml { path: PathBuf, source: Box<TomlError> },
    #[error("{path}: {what} is not written as [[{what}]], so nothing is added to it", path = path.display())]
    Shape { path: PathBuf, what: &'static str },
}

/// A catalog file before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patched {
    pub path: PathBuf,
    pub before: String,
    pub after: String,
}

struct File {
    path: PathBuf,
    before: String,
    document: DocumentMut,
}

/// The files that change, with the proposals in them. A table that is described already gets its
/// columns where it is; new tables go to the last file that describes any, new classes to the last
/// that defines any. The class of a column that is there already is changed.
///
/// # Errors
/// [`PatchError`]; nothing is changed then.
pub fn patched(
    files: &[(PathBuf, String)],
    proposals: &[Proposal],
    catalog: &Catalog,
) -> Result<Vec<Patched>, PatchError> {
    let open = |(path, before): &(PathBuf, String)| {
        let document = before
            .parse()
            .map_err(|source| PatchError::Toml { path: path.clone(), source: Box::new(source) })?;
        Ok(File { path: path.clone(), before: before.clone(), document })
    };
    let mut files = files.iter().map(open).collect::<Result<Vec<File>, PatchError>>()?;
    for (name, hiding) in classes(proposals) {
        // The files may be ahead of the catalog that counts.
        let is_there =
            catalog.classes.contains_key(name) || files.iter().any(|file| file.has_class(name));
        if !is_there {
            last_with(&mut files, "class")?.add_class(name, hiding)?;
        }
    }
    for proposal in proposals {
        let known = files.iter_mut().find_map(|file| file.table(&proposal.relation));
        let table = match known {
            Some(table) => table,
            None => last_with(&mut files, "table")?.add_table(&proposal.relation)?,
        };
        add_column(table, proposal);
    }
    let changed = files.into_iter().filter_map(|File { path, before, document }| {
        let after = document.to_string();
        (after != before).then_some(Patched { path, before, after })
    });
    Ok(changed.collect())
}

/// The change as `patch` and people read it.
pub fn diff(Patched { path, before, after }: &Patched) -> String {
    let name = path.display().to_string();
    TextDiff::from_lines(before.as_str(), after.as_str())
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(&name, &name)
        .to_string()
}

fn last_with<'a>(files: &'a mut [File], what: &'static str) -> Result<&'a mut File, PatchError> {
    let place = files.iter().rposition(|file| file.document.contains_key(what));
    let place = place.or_else(|| files.len().checked_sub(1)).ok_or(PatchError::NoFile)?;
    files.get_mut(place).ok_or(PatchError::NoFile)
}

impl File {
    fn list(&mut self, what: &'static str) -> Result<&mut ArrayOfTables, PatchError> {
        let item = self.document.entry(what).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        let path: &Path = &self.path;
        item.as_array_of_tables_mut()
            .ok_or_else(|| PatchError::Shape { path: path.to_owned(), what })
    }

    fn table(&mut self, relation: &RelationName) -> Option<&mut Table> {
        let tables = self.document.get_mut("table")?.as_array_of_tables_mut()?;
        tables.iter_mut().find(|table| {
            let name = table.get("name").and_then(Item::as_str);
            name.is_some_and(|name| means(name, relation))
        })
    }

    fn has_class(&self, name: &str) -> bool {
        let classes = self.document.get("class").and_then(Item::as_array_of_tables);
        let mut classes = classes.into_iter().flat_map(ArrayOfTables::iter);
        classes.any(|class| class.get("name").and_then(Item::as_str) == Some(name))
    }

    fn add_class(&mut self, name: &str, hiding: &Hiding) -> Result<(), PatchError> {
        let mut class = Table::new();
        class.insert("name", quoted(name));
        // Our own words, which are TOML.
        let hidden = hiding_text(hiding).parse::<DocumentMut>().unwrap_or_default();
        for (key, item) in hidden.iter() {
            class.insert(key, item.clone());
        }
        class.decor_mut().set_prefix("\n");
        self.list("class")?.push(class);
        Ok(())
    }

    fn add_table(&mut self, relation: &RelationName) -> Result<&mut Table, PatchError> {
        let mut table = Table::new();
        table.insert("name", quoted(&relation_text(relation)));
        let mut columns = Table::new();
        columns.decor_mut().set_prefix("");
        table.insert("columns", Item::Table(columns));
        table.decor_mut().set_prefix("\n");
        let tables = self.list("table")?;
        tables.push(table);
        let last = tables.len() - 1;
        tables.get_mut(last).ok_or(PatchError::NoFile)
    }
}

fn add_column(table: &mut Table, Proposal { column, class, because, .. }: &Proposal) {
    let columns = table.entry("columns").or_insert(Item::Table(Table::new()));
    if let Some(written) = columns.as_table_like_mut().and_then(|columns| columns.get_mut(column)) {
        if let Some(old) = written.as_value_mut() {
            let decor = old.decor().clone();
            *old = Value::from(class.as_str());
            *old.decor_mut() = decor;
        }
        return;
    }
    match columns {
        Item::Table(columns) => {
            let key = key(column).with_leaf_decor(Decor::new(format!("# {because}\n"), " "));
            columns.insert_formatted(&key, quoted(class));
        }
        Item::Value(Value::InlineTable(columns)) => {
            inline(columns, column, class);
            remark(table, &format!("# {}: {because}\n", one_line(column)));
        }
        // The loader takes nothing else for columns.
        Item::None | Item::Value(_) | Item::ArrayOfTables(_) => {}
    }
}

/// At the end of `{ a = "x" }`, whatever blanks stand there.
fn inline(columns: &mut InlineTable, column: &str, class: &str) {
    let last = columns.iter().last().map(|(name, _)| name.to_owned());
    if let Some(last) = last.and_then(|name| columns.get_mut(&name)) {
        last.decor_mut().set_suffix("");
    }
    columns.insert_formatted(&key(column), Value::from(class).decorated(" ", " "));
    if let Some(mut key) = columns.key_mut(column) {
        *key.leaf_decor_mut() = Decor::new(" ", " ");
    }
}

/// A name as a key, in which nothing ends a line or turns the direction of reading.
fn key(name: &str) -> Key {
    let ours = name.contains(misleads).then(|| words::key(name).parse().ok()).flatten();
    ours.unwrap_or_else(|| Key::new(name))
}

/// The same of a value.
fn quoted(text: &str) -> Item {
    let ours = text.contains(misleads).then(|| words::text(text).parse::<Value>().ok()).flatten();
    value(ours.unwrap_or_else(|| Value::from(text)))
}

/// A comment above `columns`, as one line cannot hold it.
fn remark(table: &mut Table, comment: &str) {
    if let Some(mut key) = table.key_mut("columns") {
        let decor = key.leaf_decor_mut();
        let above = decor.prefix().and_then(RawString::as_str).unwrap_or_default();
        let prefix = format!("{above}{comment}");
        decor.set_prefix(prefix);
    }
}

/// Whether a name in a catalog file is the relation's.
fn means(text: &str, relation: &RelationName) -> bool {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                parts.iter_mut().next_back().into_iter().for_each(|part| part.push('"'));
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => parts.iter_mut().next_back().into_iter().for_each(|part| part.push(c)),
        }
    }
    matches!(parts.as_slice(), [schema, name] if *schema == relation.schema && *name == relation.name)
}
