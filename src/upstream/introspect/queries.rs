//! The questions introspection asks, a fixed number of them however large the schema is.
//!
//! Every name is qualified, since the answer must not depend on anybody's `search_path`. Objects of
//! users and extensions have OIDs from 16384 on (`FirstNormalObjectId`), whatever schema they are
//! in; PostgreSQL records no dependencies on its own functions and types.

pub(super) const VERSION_NUM: &str =
    "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4";

pub(super) const DATABASE: &str = r"
SELECT oid, datname::pg_catalog.text FROM pg_catalog.pg_database
WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()";

pub(in crate::upstream) const SYSTEM: &str =
    "SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()";

pub(super) const SCHEMAS: &str = r"
SELECT nspname FROM pg_catalog.pg_namespace
WHERE nspname !~ '^pg_(toast_)?temp_[0-9]+$' ORDER BY nspname";

/// Indexes and TOAST tables are no relations to a statement; temporary ones belong to one session.
pub(super) const RELATIONS: &str = r"
SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltype, c.relrowsecurity,
       CASE WHEN c.relkind IN ('v', 'm') AND c.oid >= 16384
            THEN pg_catalog.pg_get_viewdef(c.oid) END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
  AND n.nspname !~ '^pg_(toast_)?temp_[0-9]+$'";

pub(super) const COLUMNS: &str = r"
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull,
       a.attgenerated <> '',
       (a.atthasdef AND a.attgenerated = '') OR a.attidentity <> ''
       OR EXISTS (SELECT FROM pg_catalog.pg_type t
                  WHERE t.oid = a.atttypid AND t.typdefault IS NOT NULL)
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
ORDER BY a.attrelid, a.attnum";

/// Each declared type with what its values look like on the wire: domains over domains resolved.
pub(super) const VALUE_TYPES: &str = r"
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
       pg_catalog.format_type(r.base, r.base_typmod), t.typcategory
FROM resolved r JOIN pg_catalog.pg_type t ON t.oid = r.base WHERE t.typtype <> 'd'";

/// Types that carry rows of relations: row types, arrays of them, domains over either.
pub(super) const ROW_TYPES: &str = r"
WITH RECURSIVE rows (type, relation) AS (
  SELECT oid, typrelid FROM pg_catalog.pg_type WHERE typrelid <> 0
  UNION
  SELECT t.oid, r.relation
  FROM rows r JOIN (
    SELECT oid, CASE WHEN typtype = 'd' THEN typbasetype WHEN typlen = -1 THEN typelem END
    FROM pg_catalog.pg_type
  ) AS t (oid, made_of) ON t.made_of = r.type
)
SELECT type, relation FROM rows";

pub(super) const PARENTS: &str =
    "SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits ORDER BY inhrelid, inhseqno";

/// What code depends on: (kind of code, whose it is, catalog of what it needs, which, column).
/// `r` rules, `p` policies, `w` what runs on writes, `f` functions, `d` checks of domains. `k`:
/// expressions that a partition's rows are routed by, which run on writes to it, too.
/// A generated column's expression is recorded on its default or, by some versions, on the column
/// itself. A domain runs the checks of the domains it is made from.
pub(super) const DEPENDENCIES: &str = r"
WITH RECURSIVE domains (domain, ancestor) AS (
  SELECT oid, oid FROM pg_catalog.pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT d.domain, t.typbasetype
  FROM domains d JOIN pg_catalog.pg_type t ON t.oid = d.ancestor WHERE t.typtype = 'd'
), code (kind, owner, classid, objid) AS (
  SELECT 'r'::pg_catalog.text, ev_class, 'pg_catalog.pg_rewrite'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_rewrite
  UNION ALL
  SELECT 'p', polrelid, 'pg_catalog.pg_policy'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_policy
  UNION ALL
  SELECT 'w', adrelid, 'pg_catalog.pg_attrdef'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_attrdef
  UNION ALL
  SELECT 'w', conrelid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_constraint WHERE conrelid <> 0 AND contype = 'c'
  UNION ALL
  SELECT 'w', indrelid, 'pg_catalog.pg_class'::pg_catalog.regclass, indexrelid
    FROM pg_catalog.pg_index WHERE indexprs IS NOT NULL OR indpred IS NOT NULL
  UNION ALL
  SELECT 'k', c.oid, 'pg_catalog.pg_class'::pg_catalog.regclass, k.relid
    FROM pg_catalog.pg_class c, LATERAL pg_catalog.pg_partition_ancestors(c.oid) AS k (relid)
    WHERE c.relispartition OR c.relkind = 'p'
  UNION ALL
  SELECT 'w', tgrelid, 'pg_catalog.pg_trigger'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_trigger WHERE NOT tgisinternal
  UNION ALL
  SELECT 'f', oid, 'pg_catalog.pg_proc'::pg_catalog.regclass, oid FROM pg_catalog.pg_proc
  UNION ALL
  SELECT 'd', domain, 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_constraint JOIN domains ON ancestor = contypid
)
SELECT DISTINCT CASE code.kind WHEN 'k' THEN 'w' ELSE code.kind END, code.owner,
       CASE d.refclassid WHEN 'pg_catalog.pg_class'::pg_catalog.regclass THEN 'c'
            WHEN 'pg_catalog.pg_proc'::pg_catalog.regclass THEN 'p'
            WHEN 'pg_catalog.pg_operator'::pg_catalog.regclass THEN 'o'
            ELSE 't' END,
       d.refobjid
FROM code JOIN pg_catalog.pg_depend d ON d.classid = code.classid AND d.objid = code.objid
WHERE d.objid >= 16384 AND d.deptype IN ('n', 'a')
  AND (code.kind <> 'k'
       OR d.objsubid = 0 AND d.refclassid <> 'pg_catalog.pg_class'::pg_catalog.regclass)
  AND d.refclassid IN ('pg_catalog.pg_class'::pg_catalog.regclass,
                       'pg_catalog.pg_proc'::pg_catalog.regclass,
                       'pg_catalog.pg_operator'::pg_catalog.regclass,
                       'pg_catalog.pg_type'::pg_catalog.regclass)";

/// (relation, generated column, column its expression reads).
pub(super) const GENERATED: &str = r"
SELECT a.attrelid, a.attnum, d.refobjsubid::pg_catalog.int2
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
JOIN pg_catalog.pg_depend d
  ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = a.attrelid
 AND d.refobjsubid > 0 AND d.refobjsubid <> a.attnum
 AND ((d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid)
   OR (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = a.attrelid
       AND d.objsubid = a.attnum))
WHERE a.attgenerated <> '' AND NOT a.attisdropped";

/// The texts of attached code, for names of PostgreSQL's own objects.
pub(super) const TEXTS: &str = r"
SELECT 'w'::pg_catalog.text, ev_class, pg_catalog.pg_get_ruledef(oid)
  FROM pg_catalog.pg_rewrite WHERE rulename <> '_RETURN' AND oid >= 16384
UNION ALL
SELECT 'p', polrelid, pg_catalog.concat_ws(' ', pg_catalog.pg_get_expr(polqual, polrelid),
                                           pg_catalog.pg_get_expr(polwithcheck, polrelid))
  FROM pg_catalog.pg_policy
UNION ALL
SELECT 'w', adrelid, pg_catalog.pg_get_expr(adbin, adrelid)
  FROM pg_catalog.pg_attrdef WHERE oid >= 16384
UNION ALL
SELECT 'w', conrelid, pg_catalog.pg_get_expr(conbin, conrelid)
  FROM pg_catalog.pg_constraint WHERE conrelid <> 0 AND contype = 'c' AND oid >= 16384
UNION ALL
SELECT 'w', indrelid, pg_catalog.pg_get_indexdef(indexrelid)
  FROM pg_catalog.pg_index
  WHERE (indexprs IS NOT NULL OR indpred IS NOT NULL) AND indexrelid >= 16384
UNION ALL
SELECT 'w', tgrelid, pg_catalog.pg_get_triggerdef(oid)
  FROM pg_catalog.pg_trigger WHERE NOT tgisinternal AND tgqual IS NOT NULL";

pub(super) const TRIGGERS: &str = r"
SELECT DISTINCT tgrelid, tgfoid FROM pg_catalog.pg_trigger WHERE NOT tgisinternal";

/// Unique, primary-key and exclusion indexes: key columns, and the columns of expressions and
/// predicates (0: the whole row; INCLUDEd columns cannot be told apart there).
pub(super) const INDEXES: &str = r"
SELECT i.indrelid, i.indisprimary, i.indisexclusion, i.indnkeyatts,
       i.indkey::pg_catalog.int2[],
       ARRAY(SELECT d.refobjsubid::pg_catalog.int2 FROM pg_catalog.pg_depend d
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.objid = i.indexrelid
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.refobjid = i.indrelid
               AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
FROM pg_catalog.pg_index i
WHERE (i.indisunique OR i.indisexclusion) AND i.indexrelid >= 16384";

/// Checks and foreign keys; `a` and `r` are NO ACTION and RESTRICT.
pub(super) const CONSTRAINTS: &str = r"
SELECT conrelid, contype, coalesce(conkey, '{}'), confrelid, coalesce(confkey, '{}'),
       confdeltype NOT IN ('a', 'r') OR confupdtype NOT IN ('a', 'r')
FROM pg_catalog.pg_constraint WHERE contype IN ('c', 'f') AND conrelid <> 0";

pub(super) const FUNCTIONS: &str = r"
SELECT p.oid, n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid),
       p.oid::pg_catalog.regprocedure::pg_catalog.text, p.proargtypes::pg_catalog.oid[],
       coalesce((SELECT pg_catalog.array_agg(a.type)
          FROM ROWS FROM (pg_catalog.unnest(p.proallargtypes),
                          pg_catalog.unnest(p.proargmodes)) AS a (type, mode)
          WHERE a.mode IN ('o', 'b', 't')), '{}'),
       p.prorettype,
       CASE WHEN l.lanname = 'internal' AND EXISTS (SELECT FROM pg_catalog.pg_depend d
          JOIN pg_catalog.pg_type t ON t.oid = d.refobjid
          JOIN pg_catalog.pg_range r ON t.oid IN (r.rngtypid, r.rngmultitypid)
          WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
            AND d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.deptype = 'i'
            AND greatest(r.rngsubtype, r.rngsubopc, r.rngcanonical::pg_catalog.oid,
                         r.rngsubdiff::pg_catalog.oid) < 16384)
         THEN 'range' ELSE l.lanname END,
       coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc),
       coalesce(pg_catalog.pg_get_expr(p.proargdefaults, 0), ''),
       (SELECT e.extname FROM pg_catalog.pg_depend d
          JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
          WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
            AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
            AND d.deptype = 'e' LIMIT 1)
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.oid >= 16384 AND n.nspname !~ '^pg_temp_[0-9]+$'";

pub(super) const AGGREGATES: &str = r"
SELECT a.aggfnoid::pg_catalog.oid, runs.functions::pg_catalog.oid[],
       pg_catalog.array_to_string(runs.functions, ' ')
FROM pg_catalog.pg_aggregate a,
     LATERAL (SELECT ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn,
                           a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn,
                           a.aggmfinalfn] AS functions) AS runs
WHERE a.aggfnoid::pg_catalog.oid >= 16384";

pub(super) const OPERATORS: &str = r"
SELECT o.oid, o.oprname, p.oid, p.proname
FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode::pg_catalog.oid
WHERE o.oid >= 16384";

/// User-defined functions by the types that run them, and whether unasked: both ends of casts, what ranges compute with
/// their bounds, and how values of users' types and bounds are compared. Functions in C of operator
/// classes compare what they are given.
pub(super) const TYPE_CALLS: &str = r"
SELECT type, castfunc, castcontext = 'i' FROM pg_catalog.pg_cast,
       LATERAL (VALUES (castsource), (casttarget)) AS ends (type)
WHERE castfunc >= 16384
UNION ALL
SELECT rngtypid, function, true FROM pg_catalog.pg_range,
       LATERAL (VALUES (rngcanonical::pg_catalog.oid),
                       (rngsubdiff::pg_catalog.oid)) AS runs (function)
WHERE function >= 16384
UNION ALL
SELECT type, p.oid, true
FROM (SELECT opcintype, opcfamily FROM pg_catalog.pg_opclass
      WHERE opcdefault AND opcintype >= 16384
      UNION ALL
      SELECT r.rngtypid, c.opcfamily
      FROM pg_catalog.pg_range r JOIN pg_catalog.pg_opclass c ON c.oid = r.rngsubopc
     ) AS compared (type, family)
JOIN pg_catalog.pg_amproc a ON a.amprocfamily = compared.family
JOIN pg_catalog.pg_proc p ON p.oid = a.amproc::pg_catalog.oid
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.oid >= 16384 AND l.lanname NOT IN ('c', 'internal')";

/// What values of a type are made of, where that is a user's type: elements of arrays, the base of
/// a domain, bounds of ranges, fields of rows.
pub(super) const TYPE_PARTS: &str = r"
SELECT oid, typelem FROM pg_catalog.pg_type WHERE typelem >= 16384
UNION ALL
SELECT oid, typbasetype FROM pg_catalog.pg_type WHERE typbasetype >= 16384
UNION ALL
SELECT rngtypid, rngsubtype FROM pg_catalog.pg_range WHERE rngsubtype >= 16384
UNION ALL
SELECT rngmultitypid, rngtypid FROM pg_catalog.pg_range
WHERE rngtypid >= 16384 AND rngmultitypid <> 0
UNION ALL
SELECT c.reltype, a.atttypid
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE c.reltype <> 0 AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384";

pub(super) const TYPE_NAMES: &str = r"
SELECT t.oid, n.nspname, t.typname
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.oid = ANY ($1)";

/// A text that differs whenever anything above may: per catalog the number of rows and the sum of
/// the transactions that wrote them. A change without more or fewer rows raises the sum, since the
/// newer transaction has the higher number (but for one wraparound in between); rewritten
/// statistics (`VACUUM`, `ANALYZE`) update in place and change nothing. Temporary objects are left
/// out, or every temporary table would ask for a full reading.
pub(super) const VERSION: &str = r"
WITH temporary AS MATERIALIZED (
  SELECT pg_catalog.array_agg(oid) AS schemas FROM pg_catalog.pg_namespace
  WHERE nspname ~ '^pg_(toast_)?temp_[0-9]+$' OR nspname = 'pg_toast'
), outside AS MATERIALIZED (
  SELECT c.oid FROM pg_catalog.pg_class c, temporary WHERE c.relnamespace = ANY (schemas)
), versions (part, xmin) AS (
  SELECT 1, c.xmin FROM pg_catalog.pg_class c
    WHERE c.oid >= 16384 AND c.oid NOT IN (SELECT oid FROM outside)
  UNION ALL SELECT 2, a.xmin FROM pg_catalog.pg_attribute a
    WHERE a.attrelid >= 16384 AND a.attrelid NOT IN (SELECT oid FROM outside)
  UNION ALL SELECT 3, xmin FROM pg_catalog.pg_rewrite WHERE oid >= 16384
  UNION ALL SELECT 4, p.xmin FROM pg_catalog.pg_proc p, temporary
    WHERE p.oid >= 16384 AND (p.pronamespace = ANY (schemas)) IS NOT TRUE
  UNION ALL SELECT 5, xmin FROM pg_catalog.pg_trigger
  UNION ALL SELECT 6, xmin FROM pg_catalog.pg_inherits
  UNION ALL SELECT 7, xmin FROM pg_catalog.pg_constraint WHERE oid >= 16384
    AND conrelid NOT IN (SELECT oid FROM outside)
  UNION ALL SELECT 8, xmin FROM pg_catalog.pg_attrdef
    WHERE adrelid NOT IN (SELECT oid FROM outside)
  UNION ALL SELECT 9, xmin FROM pg_catalog.pg_policy
  UNION ALL SELECT 10, t.xmin FROM pg_catalog.pg_type t, temporary
    WHERE t.oid >= 16384 AND (t.typnamespace = ANY (schemas)) IS NOT TRUE
  UNION ALL SELECT 11, n.xmin FROM pg_catalog.pg_namespace n, temporary
    WHERE (n.oid = ANY (schemas)) IS NOT TRUE
  UNION ALL SELECT 12, xmin FROM pg_catalog.pg_operator WHERE oid >= 16384
  UNION ALL SELECT 13, xmin FROM pg_catalog.pg_cast WHERE oid >= 16384
  UNION ALL SELECT 14, xmin FROM pg_catalog.pg_extension
  UNION ALL SELECT 15, i.xmin FROM pg_catalog.pg_index i
    WHERE i.indexrelid >= 16384 AND i.indrelid NOT IN (SELECT oid FROM outside)
  UNION ALL SELECT 16, xmin FROM pg_catalog.pg_opclass WHERE oid >= 16384
  UNION ALL SELECT 17, xmin FROM pg_catalog.pg_amproc WHERE oid >= 16384
), parts AS (
  SELECT part, pg_catalog.count(*) AS n,
         pg_catalog.sum(xmin::pg_catalog.text::pg_catalog.int8) AS total
  FROM versions GROUP BY part
)
SELECT pg_catalog.current_setting('server_version_num') || ':' ||
       coalesce(pg_catalog.string_agg(part || '=' || n || '/' || total, ' ' ORDER BY part), '')
FROM parts";
