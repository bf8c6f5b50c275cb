//! What is known of tables and their columns before a value is read.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio_postgres::{Client, Error, Row, Transaction};

use super::lossy::Lossy;
use super::queries;
use crate::discovery::ColumnFacts;
use crate::model::{ColumnNumber, Oid, RelationName};
use crate::schema::{RelationKind, ValueType};

const BYTEA: Oid = 17;
const BOOL: Oid = 16;
const BYTEA_ARRAY: Oid = 1001;

/// A table, and what is known of it.
#[derive(Clone, Debug)]
pub struct Described {
    pub oid: Oid,
    pub name: RelationName,
    pub kind: RelationKind,
    /// In the order of their numbers. Columns of a parent are left out: what is said of them there
    /// holds here.
    pub columns: Vec<DescribedColumn>,
    /// As the last VACUUM or ANALYZE left them.
    pub size: Size,
    /// Row-level security: the account may see some rows only.
    pub row_security: bool,
    /// The partitions that hold the rows; empty if it is no partitioned table.
    pub leaves: Vec<Leaf>,
}

/// How large a table is held to be; pages are 0 if nobody has looked yet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Size {
    pub pages: u32,
    pub rows: f32,
}

/// A partition that holds rows.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub name: RelationName,
    pub kind: RelationKind,
    pub size: Size,
}

#[derive(Clone, Debug)]
pub struct DescribedColumn {
    pub facts: ColumnFacts,
    pub value: ValueType,
    pub reading: Reading,
}

/// Whether values of a column are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Read,
    NotPermitted,
    /// Whoever asks knows enough of it.
    NotWanted,
    /// Bytes and truth values say nothing by themselves.
    NoText,
}

impl Described {
    pub fn is_partitioned(&self) -> bool {
        self.kind == RelationKind::PartitionedTable
    }
}

/// Whose rows they are said to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    Own,
    /// A partition's are its table's.
    OfTable,
}

struct Found {
    table: Described,
    rows: Rows,
    comment: Option<String>,
    /// Whether the account may use what is in its schema.
    may_enter: bool,
    /// Of the columns, for what refers to them by number.
    numbers: Vec<ColumnNumber>,
}

/// Every table of users, in the order of their names; partitions are part of their tables.
///
/// # Errors
/// When the connection or a query fails.
pub(super) async fn describe(client: &mut Client) -> Result<Vec<Described>, Error> {
    let transaction = client.build_transaction().read_only(true).start().await?;
    let mut found = relations(&rows(&transaction, queries::RELATIONS).await?)?;
    let types = types(&rows(&transaction, queries::TYPES).await?)?;
    let domains = checks(&rows(&transaction, queries::DOMAIN_CHECKS).await?)?;
    let listed = rows(&transaction, queries::COLUMNS).await?;
    columns(&mut found, &listed, &types, &domains)?;
    constraints(&mut found, &rows(&transaction, queries::CONSTRAINTS).await?)?;
    unique(&mut found, &rows(&transaction, queries::UNIQUE).await?)?;
    let parents = parents(&rows(&transaction, queries::PARENTS).await?)?;
    transaction.rollback().await?;
    Ok(gathered(found, &parents))
}

async fn rows(transaction: &Transaction<'_>, query: &str) -> Result<Vec<Row>, Error> {
    transaction.query(query, &[]).await
}

fn text(row: &Row, at: usize) -> Result<String, Error> {
    Ok(row.try_get::<_, Lossy<'_>>(at)?.into())
}

fn optional(row: &Row, at: usize) -> Result<Option<String>, Error> {
    Ok(row.try_get::<_, Option<Lossy<'_>>>(at)?.map(String::from))
}

fn relations(rows: &[Row]) -> Result<BTreeMap<Oid, Found>, Error> {
    let relation = |row: &Row| {
        let (oid, kind): (Oid, i8) = (row.try_get(0)?, row.try_get(3)?);
        let name = RelationName::new(text(row, 1)?, text(row, 2)?);
        let kind = match kind.cast_unsigned() {
            b'r' => RelationKind::Table,
            b'p' => RelationKind::PartitionedTable,
            b'v' => RelationKind::View,
            b'm' => RelationKind::MaterializedView,
            b'f' => RelationKind::ForeignTable,
            _ => RelationKind::Other,
        };
        let pages: i32 = row.try_get(5)?;
        let size = Size { pages: u32::try_from(pages).unwrap_or(0), rows: row.try_get(6)? };
        let table = Described {
            oid,
            name,
            kind,
            columns: Vec::new(),
            size,
            row_security: row.try_get(7)?,
            leaves: Vec::new(),
        };
        let found = Found {
            table,
            rows: if row.try_get(4)? { Rows::OfTable } else { Rows::Own },
            comment: optional(row, 8)?,
            may_enter: row.try_get(9)?,
            numbers: Vec::new(),
        };
        Ok((oid, found))
    };
    rows.iter().map(relation).collect()
}

type Declared = (Oid, i32);

fn types(rows: &[Row]) -> Result<HashMap<Declared, (ValueType, Vec<String>)>, Error> {
    let of = |row: &Row| {
        let value = ValueType {
            oid: row.try_get(2)?,
            typmod: row.try_get(3)?,
            sql: text(row, 4)?,
            category: row.try_get::<_, i8>(5)?.cast_unsigned(),
        };
        let labels: Option<Vec<Lossy<'_>>> = row.try_get(6)?;
        let labels = labels.map(|all| all.into_iter().map(String::from).collect());
        Ok(((row.try_get(0)?, row.try_get(1)?), (value, labels.unwrap_or_default())))
    };
    rows.iter().map(of).collect()
}

fn checks(rows: &[Row]) -> Result<HashMap<Oid, Vec<String>>, Error> {
    let mut checks: HashMap<Oid, Vec<String>> = HashMap::new();
    for row in rows {
        // None: it was dropped between two questions.
        checks.entry(row.try_get(0)?).or_default().extend(optional(row, 1)?);
    }
    Ok(checks)
}

fn columns(
    found: &mut BTreeMap<Oid, Found>,
    rows: &[Row],
    types: &HashMap<Declared, (ValueType, Vec<String>)>,
    domains: &HashMap<Oid, Vec<String>>,
) -> Result<(), Error> {
    for row in rows {
        let Some(found) = found.get_mut(&row.try_get(0)?) else { continue };
        let declared: Declared = (row.try_get(3)?, row.try_get(4)?);
        // A type that came into being between two questions: the next scan sees it.
        let Some((value, labels)) = types.get(&declared) else { continue };
        let facts = ColumnFacts {
            table: found.table.name.clone(),
            column: text(row, 2)?,
            data_type: text(row, 5)?,
            comment: optional(row, 6)?,
            table_comment: found.comment.clone(),
            checks: domains.get(&declared.0).cloned().unwrap_or_default(),
            labels: labels.clone(),
            unique: false,
            primary_key: false,
            references: None,
        };
        let reading = match value.oid {
            BYTEA | BYTEA_ARRAY | BOOL => Reading::NoText,
            _ if !found.may_enter || !row.try_get::<_, bool>(7)? => Reading::NotPermitted,
            _ => Reading::Read,
        };
        found.numbers.push(row.try_get(1)?);
        found.table.columns.push(DescribedColumn { facts, value: value.clone(), reading });
    }
    Ok(())
}

impl Found {
    fn facts(&mut self, number: ColumnNumber) -> Option<&mut ColumnFacts> {
        let place = self.numbers.iter().position(|known| *known == number)?;
        self.table.columns.get_mut(place).map(|column| &mut column.facts)
    }
}

fn constraints(found: &mut BTreeMap<Oid, Found>, rows: &[Row]) -> Result<(), Error> {
    for row in rows {
        let Some(found) = found.get_mut(&row.try_get(0)?) else { continue };
        let check: Option<String> = row.try_get(5)?;
        let other: (Option<String>, Option<String>) = (row.try_get(3)?, row.try_get(4)?);
        for number in row.try_get::<_, Vec<ColumnNumber>>(2)? {
            let Some(facts) = found.facts(number) else { continue };
            facts.checks.extend(check.clone());
            if let (Some(schema), Some(name)) = &other {
                facts.references = Some(RelationName::new(schema, name));
            }
        }
    }
    Ok(())
}

fn unique(found: &mut BTreeMap<Oid, Found>, rows: &[Row]) -> Result<(), Error> {
    for row in rows {
        let Some(found) = found.get_mut(&row.try_get(0)?) else { continue };
        let Some(facts) = found.facts(row.try_get(1)?) else { continue };
        facts.unique = true;
        facts.primary_key |= row.try_get::<_, bool>(2)?;
    }
    Ok(())
}

fn parents(rows: &[Row]) -> Result<HashMap<Oid, Vec<Oid>>, Error> {
    let mut parents: HashMap<Oid, Vec<Oid>> = HashMap::new();
    for row in rows {
        parents.entry(row.try_get(0)?).or_default().push(row.try_get(1)?);
    }
    Ok(parents)
}

/// Partitions go to their tables, columns to the parents that have them.
fn gathered(mut found: BTreeMap<Oid, Found>, parents: &HashMap<Oid, Vec<Oid>>) -> Vec<Described> {
    let mut leaves: HashMap<Oid, Vec<Leaf>> = HashMap::new();
    for (oid, partition) in found.iter().filter(|(_, found)| found.rows == Rows::OfTable) {
        let (mut root, mut steps) = (*oid, found.len());
        while let Some([parent]) = parents.get(&root).map(Vec::as_slice)
            && steps > 0
        {
            (root, steps) = (*parent, steps - 1);
        }
        let Described { name, kind, size, .. } = &partition.table;
        if *kind != RelationKind::PartitionedTable {
            let leaf = Leaf { name: name.clone(), kind: *kind, size: *size };
            leaves.entry(root).or_default().push(leaf);
        }
    }
    let inherited: HashMap<Oid, HashSet<String>> = found
        .keys()
        .map(|oid| {
            let above = parents.get(oid).into_iter().flatten().filter_map(|oid| found.get(oid));
            let columns = above.flat_map(|parent| &parent.table.columns);
            (*oid, columns.map(|column| column.facts.column.clone()).collect())
        })
        .collect();
    found.retain(|_, found| found.rows == Rows::Own);
    let mut tables: Vec<Described> = found.into_values().map(|found| found.table).collect();
    for table in &mut tables {
        table.leaves = leaves.remove(&table.oid).unwrap_or_default();
        if let Some(inherited) = inherited.get(&table.oid) {
            table.columns.retain(|column| !inherited.contains(&column.facts.column));
        }
    }
    tables.sort_by(|one, other| one.name.cmp(&other.name));
    tables
}
