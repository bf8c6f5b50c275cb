//! What is asked about tables before they are read: a fixed number of questions, none of which
//! takes a lock on a table.

/// Of the settings named, those that this server has. A database that knows no encodings would
/// refuse whatever is no UTF-8 to a client that wants some.
pub(super) const SETTINGS: &str = r"
SELECT pg_catalog.set_config(s.name, w.value, false)
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]),
                pg_catalog.unnest($2::pg_catalog.text[])) AS w (name, value)
JOIN pg_catalog.pg_settings s ON s.name OPERATOR(pg_catalog.=) w.name
WHERE w.name OPERATOR(pg_catalog.<>) 'client_encoding'
   OR pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.=) 'SQL_ASCII'";

/// Statements of [`super::describe`], those that begin and end its transaction included.
pub(super) const DESCRIBING: u64 = 9;

/// Temporary tables belong to one session; extensions' internals and our own are nobody's data.
pub(super) const RELATIONS: &str = r"
SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relkind,
       c.relispartition, c.relpages, c.reltuples, c.relrowsecurity,
       pg_catalog.obj_description(c.oid, 'pg_class'),
       COALESCE(pg_catalog.has_schema_privilege(n.oid, 'USAGE'), false)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'keyhole_internal')
ORDER BY 2, 3";

pub(super) const COLUMNS: &str = r"
SELECT a.attrelid, a.attnum, a.attname::pg_catalog.text, a.atttypid, a.atttypmod,
       pg_catalog.format_type(a.atttypid, a.atttypmod),
       pg_catalog.col_description(a.attrelid, a.attnum),
       COALESCE(pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'), false)
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'keyhole_internal')
ORDER BY a.attrelid, a.attnum";

/// (type, typmod) as declared, and the base type behind domains: OID, typmod, text, category; and
/// the labels, if it is an enum.
pub(super) const TYPES: &str = r"
WITH RECURSIVE declared AS (
  SELECT DISTINCT atttypid AS type, atttypmod AS typmod FROM pg_catalog.pg_attribute
  WHERE attnum > 0 AND NOT attisdropped
), resolved (type, typmod, base, base_typmod) AS (
  SELECT type, typmod, type, typmod FROM declared
  UNION ALL
  SELECT r.type, r.typmod, t.typbasetype, t.typtypmod
  FROM resolved r JOIN pg_catalog.pg_type t ON t.oid = r.base WHERE t.typtype = 'd'
)
SELECT r.type, r.typmod, r.base, r.base_typmod,
       pg_catalog.format_type(r.base, r.base_typmod), t.typcategory,
       CASE t.typtype WHEN 'e' THEN ARRAY(
         SELECT e.enumlabel::pg_catalog.text FROM pg_catalog.pg_enum e
         WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder LIMIT 200) END
FROM resolved r JOIN pg_catalog.pg_type t ON t.oid = r.base WHERE t.typtype <> 'd'";

/// Checks of each domain and of the domains that it is made from.
pub(super) const DOMAIN_CHECKS: &str = r"
WITH RECURSIVE domains (domain, ancestor) AS (
  SELECT oid, oid FROM pg_catalog.pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT d.domain, t.typbasetype
  FROM domains d JOIN pg_catalog.pg_type t ON t.oid = d.ancestor WHERE t.typtype = 'd'
)
SELECT d.domain, pg_catalog.pg_get_constraintdef(c.oid)
FROM domains d JOIN pg_catalog.pg_constraint c ON c.contypid = d.ancestor
WHERE c.contype = 'c' ORDER BY d.domain, c.oid";

/// Checks with the columns they are about, and foreign keys with the table they refer to.
pub(super) const CONSTRAINTS: &str = r"
SELECT c.conrelid, c.contype, c.conkey, n.nspname::pg_catalog.text, r.relname::pg_catalog.text,
       CASE c.contype WHEN 'c' THEN pg_catalog.pg_get_constraintdef(c.oid) END
FROM pg_catalog.pg_constraint c
LEFT JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE c.contype IN ('c', 'f') AND c.conrelid <> 0 AND c.conkey IS NOT NULL
ORDER BY c.conrelid, c.oid";

/// Columns that are unique by themselves.
pub(super) const UNIQUE: &str = r"
SELECT indrelid, indkey[0], indisprimary FROM pg_catalog.pg_index
WHERE indisunique AND indnkeyatts = 1 AND indkey[0] <> 0 AND indpred IS NULL AND indisvalid";

pub(super) const PARENTS: &str =
    "SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits ORDER BY inhrelid, inhseqno";
