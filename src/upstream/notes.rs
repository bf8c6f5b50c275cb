//! What a database says of its columns in comments and security labels.

use tokio_postgres::{Client, Error, Row};

use crate::model::{ColumnPath, RelationName};

/// A comment, or a label with its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub column: ColumnPath,
    /// None: a comment.
    pub provider: Option<String>,
    pub text: String,
}

/// Of ordinary and partitioned tables, views, materialized views and foreign tables; PostgreSQL's
/// own schemas are left out. Catalogs alone are read, which every role may.
const COMMENTS: &str = "
    SELECT n.nspname, c.relname, a.attname, NULL::text AS provider, d.description
    FROM pg_catalog.pg_description d
    JOIN pg_catalog.pg_class c ON c.oid = d.objoid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid
    WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid > 0
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT a.attisdropped
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1, 2, a.attnum";

const LABELS: &str = "
    SELECT n.nspname, c.relname, a.attname, l.provider, l.label
    FROM pg_catalog.pg_seclabel l
    JOIN pg_catalog.pg_class c ON c.oid = l.objoid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = l.objsubid
    WHERE l.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND l.objsubid > 0
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT a.attisdropped
    ORDER BY 1, 2, a.attnum, 4";

/// Every column's comment.
///
/// # Errors
/// If the database does not answer.
pub async fn comments(client: &Client) -> Result<Vec<Note>, Error> {
    client.query(COMMENTS, &[]).await?.iter().map(note).collect()
}

/// Every column's security labels, of every provider.
///
/// # Errors
/// If the database does not answer.
pub async fn labels(client: &Client) -> Result<Vec<Note>, Error> {
    client.query(LABELS, &[]).await?.iter().map(note).collect()
}

fn note(row: &Row) -> Result<Note, Error> {
    let relation = RelationName::new(row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
    let column = ColumnPath { relation, column: row.try_get(2)? };
    Ok(Note { column, provider: row.try_get(3)?, text: row.try_get(4)? })
}
