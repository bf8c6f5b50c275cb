//! How a table is read: which pages, how many rows at a time, in which words.

use std::fmt::Write;

use super::columns::{Described, DescribedColumn, Leaf, Reading, Size};
use super::{LEAVES_MAX, Left};
use crate::model::{Oid, RelationName, quote_ident};
use crate::schema::{RelationKind, ValueType};

/// Below so many pages (1 MiB) the first rows are taken: choosing pages is not worth it.
const PAGES_SMALL: u32 = 128;

/// Pages are chosen for so many times as many rows: estimates are old, pages are not full.
const MARGIN: f64 = 1.5;

/// What one portion may hold in memory.
const CHUNK_BYTES: u64 = 8 << 20;
const CHUNK_ROWS_MAX: u64 = 1_000;

/// Text of a number, a time, an address: never longer.
const SHORT_BYTES: u64 = 64;
const CHAR_BYTES_MAX: u64 = 4;

/// Documents are of use whole only, so they are cut later.
const DOCUMENT_FACTOR: u32 = 4;
const JSON: Oid = 114;
const JSONB: Oid = 3802;
const XML: Oid = 142;

/// From here on types are somebody's own (`FirstNormalObjectId`).
const OWN_TYPES: Oid = 16_384;

/// `varchar(n)` and `char(n)` say n and the four bytes of a header.
const VARCHAR: Oid = 1043;
const BPCHAR: Oid = 1042;
const VARHDRSZ: i32 = 4;

/// What is sent for one table or partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The next one if the one before gave no row.
    pub(super) statements: Vec<String>,
    pub(super) chunk_rows: i32,
}

/// The columns that are read, by their places.
pub(super) fn columns(table: &Described) -> Vec<usize> {
    let all = table.columns.iter().enumerate();
    all.filter(|(_, column)| column.reading == Reading::Read).map(|(place, _)| place).collect()
}

/// What holds the rows, in the order in which it is asked: partitions spread over all that there
/// are, those first that are known to have rows; otherwise the table itself.
pub(super) fn leaves(table: &Described) -> Vec<Leaf> {
    if !table.is_partitioned() {
        let Described { name, kind, size, .. } = table;
        return vec![Leaf { name: name.clone(), kind: *kind, size: *size }];
    }
    let local = table.leaves.iter().filter(|leaf| leaf.kind != RelationKind::ForeignTable);
    let (full, empty): (Vec<&Leaf>, Vec<&Leaf>) = local.partition(|leaf| leaf.size.pages > 0);
    spread(&full).into_iter().chain(spread(&empty)).cloned().collect()
}

/// Every n-th first, so that the first few are from everywhere.
fn spread<'a>(leaves: &[&'a Leaf]) -> Vec<&'a Leaf> {
    let step = leaves.len().div_ceil(LEAVES_MAX).max(1);
    (0..step).flat_map(|begin| leaves.iter().skip(begin).step_by(step).copied()).collect()
}

impl Plan {
    pub(super) fn new(
        table: &Described,
        leaf: &Leaf,
        columns: &[usize],
        left: Left,
        value_chars: u32,
    ) -> Self {
        let first = statement(table, &leaf.name, columns, "", left.rows, value_chars);
        let mut statements = Vec::new();
        if leaf.kind != RelationKind::ForeignTable
            && let Some(percent) = percent(leaf.size, left.rows)
        {
            let pages = format!(" TABLESAMPLE SYSTEM ({percent:.6}) REPEATABLE (1)");
            let sampled = statement(table, &leaf.name, columns, &pages, left.rows, value_chars);
            statements.push(sampled);
        }
        statements.push(first);
        Self { statements, chunk_rows: chunk_rows(table, columns, value_chars) }
    }

    /// The first rows of a table with all its partitions.
    pub(super) fn whole(table: &Described, columns: &[usize], left: Left, chars: u32) -> Self {
        let statements = vec![statement(table, &table.name, columns, "", left.rows, chars)];
        Self { statements, chunk_rows: chunk_rows(table, columns, chars) }
    }
}

/// How much of a table is chosen; None: too little to choose from.
fn percent(Size { pages, rows }: Size, wanted: u64) -> Option<f64> {
    if pages < PAGES_SMALL || rows <= 0.0 {
        return None;
    }
    let per_page = f64::from(rows) / f64::from(pages);
    #[expect(clippy::cast_precision_loss, reason = "a number of rows that a person chose")]
    let percent = wanted as f64 * MARGIN / per_page / f64::from(pages) * 100.0;
    // At least a page or two, whatever the estimates say.
    let percent = percent.max(200.0 / f64::from(pages));
    (percent < 50.0).then_some(percent)
}

fn statement(
    table: &Described,
    from: &RelationName,
    columns: &[usize],
    sample: &str,
    rows: u64,
    value_chars: u32,
) -> String {
    let mut sql = String::from("SELECT ");
    for (at, column) in columns.iter().filter_map(|place| table.columns.get(*place)).enumerate() {
        let separator = if at > 0 { ", " } else { "" };
        let DescribedColumn { facts, value, .. } = column;
        let (text, chars) = (as_text(&facts.column, value), chars(value, value_chars));
        let _ = write!(sql, "{separator}pg_catalog.left({text}, {chars})");
    }
    let _ = write!(sql, " FROM {}{sample} LIMIT {rows}", from.quoted());
    sql
}

/// As the type itself writes it. Whoever owns a type may give it a cast to text, and that function
/// would run with the rights of whoever scans; output functions are a superuser's.
fn as_text(column: &str, value: &ValueType) -> String {
    let name = quote_ident(column);
    if value.oid < OWN_TYPES {
        return format!("({name})::pg_catalog.text");
    }
    // `IS NULL` is true of rows of NULLs too.
    format!("CASE pg_catalog.num_nulls({name}) WHEN 0 THEN pg_catalog.format('%s', {name}) END")
}

fn chars(value: &ValueType, value_chars: u32) -> u32 {
    match value.oid {
        JSON | JSONB | XML => value_chars.saturating_mul(DOCUMENT_FACTOR),
        _ if value.sql == "hstore" || value.sql.ends_with(".hstore") => {
            value_chars.saturating_mul(DOCUMENT_FACTOR)
        }
        _ => value_chars,
    }
}

/// As many as fit, even if each value is as long as can be.
fn chunk_rows(table: &Described, columns: &[usize], value_chars: u32) -> i32 {
    let width = |value: &ValueType| match (value.category, value.oid) {
        (b'N' | b'D' | b'T' | b'I' | b'B', _) => SHORT_BYTES,
        (_, VARCHAR | BPCHAR) if value.typmod > VARHDRSZ => {
            let declared = u64::try_from(value.typmod - VARHDRSZ).unwrap_or(0);
            declared.min(u64::from(value_chars)) * CHAR_BYTES_MAX
        }
        (_, _) => u64::from(chars(value, value_chars)),
    };
    let row: u64 =
        columns.iter().filter_map(|at| table.columns.get(*at)).map(|c| width(&c.value)).sum();
    let rows = (CHUNK_BYTES / row.max(1)).clamp(1, CHUNK_ROWS_MAX);
    i32::try_from(rows).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::ColumnFacts;

    fn column(name: &str, oid: Oid, sql: &str, category: u8) -> DescribedColumn {
        let facts = ColumnFacts {
            table: RelationName::new("public", "people"),
            column: name.to_owned(),
            data_type: sql.to_owned(),
            comment: None,
            table_comment: None,
            checks: Vec::new(),
            labels: Vec::new(),
            unique: false,
            primary_key: false,
            references: None,
        };
        let value = ValueType { oid, typmod: -1, sql: sql.to_owned(), category };
        DescribedColumn { facts, value, reading: Reading::Read }
    }

    fn people(size: Size) -> Described {
        let mut photo = column("photo", 17, "bytea", b'U');
        photo.reading = Reading::NoText;
        Described {
            oid: 1,
            name: RelationName::new("public", "people"),
            kind: RelationKind::Table,
            columns: vec![
                column("id", 23, "integer", b'N'),
                photo,
                column("the \"note\"", 25, "text", b'S'),
                column("doc", JSONB, "jsonb", b'U'),
            ],
            size,
            row_security: false,
            leaves: Vec::new(),
        }
    }

    const LEFT: Left = Left { rows: 1_000, bytes: 1 << 20 };

    fn plan(table: &Described) -> Plan {
        let leaves = leaves(table);
        Plan::new(table, &leaves[0], &columns(table), LEFT, 4096)
    }

    #[test]
    fn a_small_table_gives_its_first_rows() {
        for size in
            [Size::default(), Size { pages: 100, rows: 9e4 }, Size { pages: 130, rows: 900.0 }]
        {
            let plan = plan(&people(size));
            assert_eq!(
                plan.statements,
                ["SELECT pg_catalog.left((\"id\")::pg_catalog.text, 4096), \
                  pg_catalog.left((\"the \"\"note\"\"\")::pg_catalog.text, 4096), \
                  pg_catalog.left((\"doc\")::pg_catalog.text, 16384) \
                  FROM \"public\".\"people\" LIMIT 1000"]
            );
            assert_eq!(plan.chunk_rows, (8 << 20) / (64 + 4096 + 16384));
        }
    }

    #[test]
    fn no_cast_of_somebodys_own_type_is_called() {
        let mut table = people(Size::default());
        table.columns = vec![column("mood", 16_384, "public.mood", b'E')];
        assert_eq!(
            plan(&table).statements,
            ["SELECT pg_catalog.left(CASE pg_catalog.num_nulls(\"mood\") WHEN 0 \
              THEN pg_catalog.format('%s', \"mood\") END, 4096) \
              FROM \"public\".\"people\" LIMIT 1000"]
        );
    }

    #[test]
    fn pages_of_a_large_one_are_chosen() {
        let plan = plan(&people(Size { pages: 100_000, rows: 5e6 }));
        assert_eq!(plan.statements.len(), 2);
        let chosen = " TABLESAMPLE SYSTEM (0.030000) REPEATABLE (1) LIMIT 1000";
        assert!(plan.statements[0].ends_with(chosen), "{}", plan.statements[0]);
        assert!(plan.statements[1].ends_with("\"people\" LIMIT 1000"));
    }

    #[test]
    fn partitions_are_taken_from_everywhere_full_ones_first() {
        let mut table = people(Size::default());
        table.kind = RelationKind::PartitionedTable;
        table.leaves = (0..40)
            .map(|number| Leaf {
                name: RelationName::new("public", format!("p{number:02}")),
                kind: if number == 3 { RelationKind::ForeignTable } else { RelationKind::Table },
                size: Size { pages: u32::from(number < 24), rows: 1.0 },
            })
            .collect();
        let names: Vec<String> = leaves(&table).into_iter().map(|leaf| leaf.name.name).collect();
        assert_eq!(names.len(), 39);
        assert_eq!(names[..8], ["p00", "p04", "p07", "p10", "p13", "p16", "p19", "p22"]);
        assert_eq!(names[23], "p24");
    }
}
