//! Where the suite runs: the database that its own scripts fill, and the same with masks in the
//! place of some of its columns.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::Postgres;
use crate::support::postgres::APP_PASSWORD;

pub(crate) const RAW: &str = "regress_raw";
pub(crate) const TWIN: &str = "regress_twin";
/// A second twin, whose planner is told to do otherwise: what differs between the two is not
/// determined by the statement.
pub(crate) const CONTROL: &str = "regress_control";

/// The scripts that make what most others stand on.
const FOUNDATION: [&str; 30] = [
    "test_setup",
    "create_misc",
    "create_operator",
    "create_table",
    "create_type",
    "create_index",
    "create_aggregate",
    "float4",
    "numeric",
    "point",
    "lseg",
    "line",
    "box",
    "path",
    "polygon",
    "circle",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "inet",
    "case",
    "aggregates",
    "subselect",
    "tsearch",
    "jsonb",
    "rangetypes",
    "select",
];

/// Tables (children included), and their hidden columns with the masks' SQL. Inherited columns are
/// hidden wherever they are.
pub(crate) const HIDDEN: [(&str, &[(&str, &str)]); 38] = [
    ("tenk1", &[("unique2", BUCKET), ("stringu1", PARTIAL_NAME)]),
    ("onek", &[("unique2", BUCKET), ("stringu1", PARTIAL_NAME)]),
    ("int4_tbl", &[("f1", "42")]),
    ("int8_tbl", &[("q2", BUCKET_1000)]),
    ("text_tbl", &[("f1", "'***'")]),
    ("varchar_tbl", &[("f1", "'***'")]),
    ("float8_tbl", &[("f1", "NULL::float8")]),
    ("point_tbl", &[("f1", "NULL::point")]),
    ("person", &[("name", PARTIAL), ("age", BUCKET)]),
    ("emp", &[("name", PARTIAL), ("age", BUCKET), ("salary", "NULL::integer")]),
    ("student", &[("name", PARTIAL), ("age", BUCKET)]),
    ("stud_emp", &[("name", PARTIAL), ("age", BUCKET), ("salary", "NULL::integer")]),
    ("road", &[("name", PARTIAL)]),
    ("ihighway", &[("name", PARTIAL)]),
    ("shighway", &[("name", PARTIAL)]),
    ("char_tbl", &[("f1", "'***'::char(4)")]),
    ("int2_tbl", &[("f1", "NULL::int2")]),
    ("float4_tbl", &[("f1", "NULL::float4")]),
    ("num_data", &[("val", "NULL::numeric")]),
    ("lseg_tbl", &[("s", "NULL::lseg")]),
    ("line_tbl", &[("s", "NULL::line")]),
    ("box_tbl", &[("f1", "NULL::box")]),
    ("path_tbl", &[("f1", "NULL::path")]),
    ("polygon_tbl", &[("f1", "NULL::polygon")]),
    ("circle_tbl", &[("f1", "NULL::circle")]),
    ("date_tbl", &[("f1", "date_trunc('year', @)::date")]),
    ("time_tbl", &[("f1", "NULL::time")]),
    ("timetz_tbl", &[("f1", "NULL::timetz")]),
    ("timestamp_tbl", &[("d1", "date_trunc('year', @)::timestamp")]),
    ("timestamptz_tbl", &[("d1", "NULL::timestamptz")]),
    ("interval_tbl", &[("f1", "NULL::interval")]),
    ("inet_tbl", &[("i", "NULL::inet")]),
    ("aggtest", &[("b", "NULL::float4")]),
    ("subselect_tbl", &[("f3", "NULL::float8")]),
    ("test_tsvector", &[("t", "'***'::text")]),
    ("testjsonb", &[("j", "NULL::jsonb")]),
    ("onek2", &[("stringu2", "'***'::name")]),
    ("tenk2", &[("hundred", "42")]),
];

const BUCKET: &str = "(floor(@::numeric / 10) * 10)::integer";
const BUCKET_1000: &str = "(floor(@::numeric / 1000) * 1000)::bigint";
const PARTIAL: &str = "CASE WHEN length(@) <= 2 THEN repeat('*', length(@)) \
                       ELSE left(@, 2) || repeat('*', length(@) - 2) END";
const PARTIAL_NAME: &str = "(CASE WHEN length(@::text) <= 2 THEN repeat('*', length(@::text)) \
                            ELSE left(@::text, 2) || repeat('*', length(@::text) - 2) END)::name";

/// The same for the proxy.
pub(crate) const CATALOG: &str = r#"
[[class]]
name = "tens"
mask = { kind = "bucket", size = 10 }

[[class]]
name = "thousands"
mask = { kind = "bucket", size = 1000 }

[[class]]
name = "begins"
mask = { kind = "partial", keep_first = 2 }

[[class]]
name = "answer"
mask = { kind = "constant", value = "42" }

[[class]]
name = "year"
mask = { kind = "date", to = "year" }

[[class]]
name = "redacted"
mask = { kind = "redact" }

[[class]]
name = "nothing"
mask = { kind = "null" }

[[table]]
name = "public.tenk1"
columns = { unique2 = "tens", stringu1 = "begins" }

[[table]]
name = "public.onek"
columns = { unique2 = "tens", stringu1 = "begins" }

[[table]]
name = "public.int4_tbl"
columns = { f1 = "answer" }

[[table]]
name = "public.int8_tbl"
columns = { q2 = "thousands" }

[[table]]
name = "public.text_tbl"
columns = { f1 = "redacted" }

[[table]]
name = "public.varchar_tbl"
columns = { f1 = "redacted" }

[[table]]
name = "public.float8_tbl"
columns = { f1 = "nothing" }

[[table]]
name = "public.point_tbl"
columns = { f1 = "redacted" }

[[table]]
name = "public.person"
columns = { name = "begins", age = "tens" }

[[table]]
name = "public.emp"
columns = { salary = "nothing" }

[[table]]
name = "public.road"
columns = { name = "begins" }

[[table]]
name = "public.char_tbl"
columns = { f1 = "redacted" }

[[table]]
name = "public.int2_tbl"
columns = { f1 = "nothing" }

[[table]]
name = "public.float4_tbl"
columns = { f1 = "nothing" }

[[table]]
name = "public.num_data"
columns = { val = "nothing" }

[[table]]
name = "public.lseg_tbl"
columns = { s = "nothing" }

[[table]]
name = "public.line_tbl"
columns = { s = "nothing" }

[[table]]
name = "public.box_tbl"
columns = { f1 = "nothing" }

[[table]]
name = "public.path_tbl"
columns = { f1 = "nothing" }

[[table]]
name = "public.polygon_tbl"
columns = { f1 = "nothing" }

[[table]]
name = "public.circle_tbl"
columns = { f1 = "nothing" }

[[table]]
name = "public.date_tbl"
columns = { f1 = "year" }

[[table]]
name = "public.time_tbl"
columns = { f1 = "nothing" }

[[table]]
name = "public.timetz_tbl"
columns = { f1 = "nothing" }

[[table]]
name = "public.timestamp_tbl"
columns = { d1 = "year" }

[[table]]
name = "public.timestamptz_tbl"
columns = { d1 = "nothing" }

[[table]]
name = "public.interval_tbl"
columns = { f1 = "nothing" }

[[table]]
name = "public.inet_tbl"
columns = { i = "nothing" }

[[table]]
name = "public.aggtest"
columns = { b = "nothing" }

[[table]]
name = "public.subselect_tbl"
columns = { f3 = "nothing" }

[[table]]
name = "public.test_tsvector"
columns = { t = "redacted" }

[[table]]
name = "public.testjsonb"
columns = { j = "nothing" }

[[table]]
name = "public.onek2"
columns = { stringu2 = "redacted" }

[[table]]
name = "public.tenk2"
columns = { hundred = "answer" }
"#;

/// `src/test/regress` of PostgreSQL's sources.
pub(crate) fn source() -> PathBuf {
    let place = std::env::var_os("PG_REGRESS_SRC").map(PathBuf::from);
    let place = place.expect("PG_REGRESS_SRC names src/test/regress; `make regress` fetches it");
    assert!(place.join("sql/test_setup.sql").exists(), "{} is no suite", place.display());
    place
}

/// The suite's scripts in the order in which it runs them.
pub(crate) fn scripts() -> Vec<(String, String)> {
    let source = source();
    let schedule = std::fs::read_to_string(source.join("parallel_schedule")).expect("a schedule");
    let names = schedule.lines().filter_map(|line| line.strip_prefix("test:"));
    let names: Vec<&str> = names.flat_map(str::split_whitespace).collect();
    let read = |name: &str| {
        let bytes = std::fs::read(source.join("sql").join(format!("{name}.sql"))).ok()?;
        Some((name.to_owned(), String::from_utf8_lossy(&bytes).into_owned()))
    };
    names.into_iter().filter_map(read).collect()
}

/// Makes the three databases.
pub(crate) fn prepare(server: &Postgres) {
    let source = source();
    let mut admin = server.admin("postgres");
    admin.query(&format!("CREATE ROLE app LOGIN SUPERUSER PASSWORD '{APP_PASSWORD}'")).ok();
    admin.query(&format!("CREATE DATABASE {RAW} TEMPLATE template0 OWNER app")).ok();
    let url = server.direct(RAW).url();
    for script in FOUNDATION {
        let done = Command::new("psql")
            .args(["-X", "-q", "-d", &url, "-f"])
            .arg(source.join("sql").join(format!("{script}.sql")))
            .env("PG_ABS_SRCDIR", &source)
            .env("PG_LIBDIR", "/nowhere")
            .env("PG_DLSUFFIX", ".so")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(done.is_ok_and(|status| status.success()), "{script}");
    }
    let missing: Vec<_> = HIDDEN
        .iter()
        .filter(|(table, _)| {
            let sql = format!("SELECT to_regclass('{table}') IS NULL");
            server.admin(RAW).query(&sql).ok().scalar() == "t"
        })
        .collect();
    assert!(missing.is_empty(), "the suite did not make {missing:?}");
    let count = server.admin(RAW).query("SELECT count(*) FROM tenk1").ok().scalar();
    assert_eq!(count, "10000", "the suite's tables are filled");
    admin.query(&format!("CREATE DATABASE {TWIN} TEMPLATE {RAW} OWNER app")).ok();
    rewrite(server, RAW, |_, _| None);
    rewrite(server, TWIN, |table, column| {
        let (_, columns) = HIDDEN.iter().find(|(name, _)| *name == table)?;
        let (_, mask) = columns.iter().find(|(name, _)| *name == column)?;
        Some((*mask).to_owned())
    });
    for (table, columns) in HIDDEN {
        masks_itself(server, table, columns);
    }
    for database in [RAW, TWIN] {
        server.admin(database).query("VACUUM ANALYZE").ok();
    }
    admin.query(&format!("CREATE DATABASE {CONTROL} TEMPLATE {TWIN} OWNER app")).ok();
}

/// Writes every table with hidden columns anew, in the order of its rows, so that these lie in the
/// same order in all databases.
fn rewrite(server: &Postgres, database: &str, mask: impl Fn(&str, &str) -> Option<String>) {
    let mut session = server.admin(database);
    session.query("SET session_replication_role = replica").ok();
    for (table, _) in HIDDEN {
        let sql = format!(
            "SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass \
             AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        );
        let columns: Vec<String> = session
            .query(&sql)
            .ok()
            .rows()
            .into_iter()
            .map(|row| match mask(table, &row[0]) {
                None => row[0].clone(),
                Some(mask) => format!("{} AS {}", masked(&mask, &row[0]), row[0]),
            })
            .collect();
        let columns = columns.join(", ");
        for sql in [
            format!(
                "CREATE TEMP TABLE rewriting AS SELECT {columns} FROM ONLY {table} ORDER BY ctid"
            ),
            format!("TRUNCATE ONLY {table}"),
            format!("INSERT INTO {table} SELECT * FROM rewriting ORDER BY ctid"),
            "DROP TABLE rewriting".to_owned(),
        ] {
            session.query(&sql).ok();
        }
    }
}

/// NULL stays NULL.
fn masked(mask: &str, column: &str) -> String {
    format!("CASE WHEN {column} IS NOT NULL THEN {} END", mask.replace('@', column))
}

/// What is written to a hidden column of the twin is masked at once: there is nothing else in it.
fn masks_itself(server: &Postgres, table: &str, columns: &[(&str, &str)]) {
    let set: Vec<String> = columns
        .iter()
        .map(|(column, mask)| {
            let new = format!("NEW.{column}");
            format!("{new} := {};", masked(mask, &new))
        })
        .collect();
    let set = set.join(" ");
    let mut session = server.direct(TWIN).connect();
    let function = format!(
        "CREATE FUNCTION masks_{table}() RETURNS trigger LANGUAGE plpgsql AS \
         $mask$ BEGIN {set} RETURN NEW; END $mask$"
    );
    session.query(&function).ok();
    let trigger = format!(
        "CREATE TRIGGER zz_mask BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW \
         EXECUTE FUNCTION masks_{table}()"
    );
    session.query(&trigger).ok();
}
