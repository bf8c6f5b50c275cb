//! Whose rows a raw result shows: the key columns among its fields, as pseudonyms, and decoys.
//!
//! **Invariant:** values are looked at and not kept. What is kept is bounded.

use std::collections::HashSet;
use std::sync::Arc;

use super::queue::{Progress, Run};
use super::{Env, Session};
use crate::audit::subject::{Canonical, ColumnPseudonyms, KeyKind};
use crate::audit::{Pseudonym, Shown, SubjectsOf};
use crate::decision::{Encoding, KeyColumn, Release, RowsOf, Tells, World};
use crate::mask::Format;
use crate::model::{ColumnId, Oid};
use crate::wire::backend::DataRow;

/// What one result has shown so far.
pub(super) struct Seen {
    /// In the order of their places in the row.
    fields: Vec<SeenField>,
    tables: Vec<SeenTable>,
    exact_max: usize,
}

/// A field of the result that is looked at.
struct SeenField {
    index: usize,
    /// Its place among the tables.
    table: usize,
    format: Format,
    key: Option<SeenKey>,
}

struct SeenKey {
    column: ColumnId,
    kind: KeyKind,
    /// None where it only tells decoys.
    pseudonyms: Option<ColumnPseudonyms>,
}

/// One table of which values are shown, under all the OIDs that the catalog knows by its name.
struct SeenTable {
    name: Arc<str>,
    relations: Vec<Oid>,
    rows_of: RowsIn,
    by: Vec<Arc<str>>,
    keys: HashSet<Pseudonym, foldhash::fast::RandomState>,
    rows: u64,
    more: u64,
    unknown: u64,
    honey: Honey,
}

/// What a row of the result says of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowsIn {
    /// One row of it or none.
    Single,
    /// It may show values of several.
    Mixed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Honey {
    Untouched,
    Shown,
}

/// What the fields of one row said of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// It has a key there, and it is NULL: an outer join has filled in.
    Nobody,
    /// There is no key that can be read.
    Unknown,
    /// Whose it is, and it is kept.
    Told,
    /// Whose it is; there is no room left.
    More,
}

impl Seen {
    /// Of a result with these columns; None if it shows nothing raw.
    pub(super) fn of(
        columns: impl Iterator<Item = (ColumnId, Format)>,
        release: &Release,
        env: Env<'_>,
    ) -> Option<Box<Self>> {
        if release.is_empty() {
            return None;
        }
        let mut tables = tables(release, env.world);
        let mut fields = Vec::new();
        for (index, (column, format)) in columns.enumerate() {
            let of_it = |table: &SeenTable| table.relations.contains(&column.relation);
            let Some(table) = tables.iter().position(of_it) else { continue };
            let known = env.world.rows_with(column);
            let key = known.and_then(|rows| rows.keys.iter().find(|it| it.number == column.number));
            let key = key.map(|key| seen_key(column, key, &mut tables[table], env));
            if key.is_some() || release.columns.contains(&column) {
                fields.push(SeenField { index, table, format, key });
            }
        }
        Some(Box::new(Self { fields, tables, exact_max: env.pseudonyms.exact_max }))
    }

    /// One more row; None where too little of it is there to be looked into.
    fn row(&mut self, payload: Option<&[u8]>, encoding: Encoding, world: &World) {
        let said = payload.and_then(|payload| self.look(payload, encoding, world));
        if said.is_none() {
            for table in &mut self.tables {
                table.rows += 1;
                table.unknown += 1;
            }
        }
    }

    /// None: the row cannot be read.
    fn look(&mut self, payload: &[u8], encoding: Encoding, world: &World) -> Option<()> {
        let Self { fields, tables, exact_max } = self;
        let row = DataRow::read(payload).ok()?;
        let has = |index: usize| fields.last().is_some_and(|last| last.index >= index);
        // Walked over before anything is counted: what is malformed counts once.
        let readable = row.fields().take_while(Result::is_ok).count() == row.len();
        if !readable {
            return None;
        }
        for (at, table) in tables.iter_mut().enumerate() {
            let mut said = None;
            let mut raw = false;
            let mut looked = fields.iter().filter(|field| field.table == at).peekable();
            for (index, value) in row.fields().enumerate().take_while(|(index, _)| has(*index)) {
                let Some(field) = looked.next_if(|field| field.index == index) else { continue };
                let value = value.ok()?;
                raw |= value.is_some();
                let Some(key) = &field.key else { continue };
                let now = table.take(key, value, field.format, encoding, *exact_max, world);
                said = said.max(now);
            }
            if raw && said == Some(Said::Nobody) {
                said = Some(Said::Unknown);
            }
            table.count(said);
        }
        Some(())
    }

    /// Of a result that had rows: tables without a row in it, too.
    fn shown(&self) -> Shown {
        let mut shown = Shown::default();
        for table in &self.tables {
            if table.honey == Honey::Shown {
                shown.honey.push(Arc::clone(&table.name));
            }
            let mut keys: Vec<Pseudonym> = table.keys.iter().copied().collect();
            keys.sort_unstable();
            let SeenTable { name, by, rows, more, unknown, .. } = table;
            let (table, by) = (Arc::clone(name), by.clone());
            let (rows, more, unknown) = (*rows, *more, *unknown);
            shown.tables.push(SubjectsOf { table, by, keys, rows, more, unknown });
        }
        shown
    }
}

impl SeenTable {
    /// Takes note of a key; None if it only tells decoys.
    fn take(
        &mut self,
        key: &SeenKey,
        value: Option<&[u8]>,
        format: Format,
        encoding: Encoding,
        exact_max: usize,
        world: &World,
    ) -> Option<Said> {
        let value = match value {
            Some(value) => canonical(key.kind, value, format, encoding),
            None => return key.pseudonyms.as_ref().map(|_| Said::Nobody),
        };
        if let Some(value) = value
            && is_decoy(key.column, value, world)
        {
            self.honey = Honey::Shown;
        }
        let pseudonyms = key.pseudonyms.as_ref()?;
        let Some(value) = value else { return Some(Said::Unknown) };
        let pseudonym = pseudonyms.of(value);
        if self.keys.len() < exact_max {
            self.keys.insert(pseudonym);
            Some(Said::Told)
        } else {
            Some(if self.keys.contains(&pseudonym) { Said::Told } else { Said::More })
        }
    }

    fn count(&mut self, said: Option<Said>) {
        if self.rows_of == RowsIn::Single && said == Some(Said::Nobody) {
            return;
        }
        self.rows += 1;
        match said {
            Some(Said::Told) => {}
            Some(Said::More) => self.more += 1,
            Some(Said::Unknown | Said::Nobody) | None => {
                self.unknown += 1;
                return;
            }
        }
        if self.rows_of == RowsIn::Mixed {
            self.unknown += 1;
        }
    }
}

fn canonical(
    kind: KeyKind,
    value: &[u8],
    format: Format,
    encoding: Encoding,
) -> Option<Canonical<'_>> {
    let value = match format {
        Format::Text => kind.of_text(value),
        Format::Binary => kind.of_binary(value),
    };
    value.filter(|value| match value {
        Canonical::Text(text) => encoding == Encoding::Utf8 || text.is_ascii(),
        Canonical::Integer(_) | Canonical::Uuid(_) => true,
    })
}

fn is_decoy(column: ColumnId, value: Canonical<'_>, world: &World) -> bool {
    let rows: Option<&RowsOf> = world.rows_with(column);
    let mut keys = rows.into_iter().flat_map(|rows| &rows.keys);
    keys.any(|key| key.number == column.number && key.decoys.contains(value))
}

fn seen_key(column: ColumnId, key: &KeyColumn, table: &mut SeenTable, env: Env<'_>) -> SeenKey {
    let pseudonyms = match key.tells {
        Tells::Subject => {
            if !table.by.contains(&key.name) {
                table.by.push(Arc::clone(&key.name));
            }
            Some(env.pseudonyms.column(&table.name, &key.name))
        }
        Tells::Decoy => None,
    };
    SeenKey { column, kind: key.kind, pseudonyms }
}

/// The tables of which the release shows or looks up values.
fn tables(release: &Release, world: &World) -> Vec<SeenTable> {
    let mut tables: Vec<SeenTable> = Vec::new();
    for column in release.columns.iter().chain(&release.lookups) {
        let Some(rows) = world.rows_with(*column) else { continue };
        let relation = column.relation;
        let mixed = release.mixed.contains(&relation);
        match tables.iter_mut().find(|table| table.name == rows.table) {
            Some(table) if table.relations.contains(&relation) => {}
            // Two relations under one name: a key of one may stand beside a value of the other.
            Some(table) => {
                table.relations.push(relation);
                table.rows_of = RowsIn::Mixed;
            }
            None => tables.push(SeenTable {
                name: Arc::clone(&rows.table),
                relations: vec![relation],
                rows_of: if mixed { RowsIn::Mixed } else { RowsIn::Single },
                by: Vec::new(),
                keys: HashSet::default(),
                rows: 0,
                more: 0,
                unknown: 0,
                honey: Honey::Untouched,
            }),
        }
    }
    tables
}

impl Session {
    /// A row of the result goes out; None where too little of it is there to be looked into.
    pub(super) fn see_row(&mut self, payload: Option<&[u8]>, env: Env<'_>) {
        if let Some(seen) = &mut self.queue.seen {
            seen.row(payload, self.forms.encoding, env.world);
        }
    }

    /// Whose rows the front has shown, for its record.
    pub(super) fn subjects(
        &self,
        run: &Run,
        progress: Progress,
        env: Env<'_>,
    ) -> Option<Box<Shown>> {
        let rows = progress.rows.max(progress.copied);
        if run.release.is_empty() || rows == 0 {
            return None;
        }
        let shown = match &self.queue.seen {
            Some(seen) => seen.shown(),
            None => undescribed(&run.release, rows, env.world),
        };
        (!shown.tables.is_empty()).then(|| Box::new(shown))
    }
}

/// COPY, and what is stored instead of shown: nothing says which field is which.
fn undescribed(release: &Release, rows: u64, world: &World) -> Shown {
    let unknown = |SeenTable { name, .. }| SubjectsOf {
        table: name,
        by: Vec::new(),
        keys: Vec::new(),
        rows,
        more: 0,
        unknown: rows,
    };
    let tables = tables(release, world).into_iter().map(unknown).collect();
    Shown { tables, honey: Vec::new() }
}
