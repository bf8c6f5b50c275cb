//! The masks' two forms against a real PostgreSQL: what [`WireMask`] does to the bytes of a field
//! is what the SQL expression gives, for every type, value and format.
//!
//! `KEYHOLE_PG15_BIN` and `KEYHOLE_PG18_BIN` name the binaries of servers that are not found by
//! themselves. Without a PostgreSQL 18 its test says so and passes.

#[path = "masks/columns.rs"]
mod columns;
#[path = "masks/dice.rs"]
mod dice;
#[path = "masks/server.rs"]
mod server;

use std::error::Error;

use keyhole::catalog::MaskSpec;
use keyhole::mask::{ApplyError, Format, Masked, Needs, WireMask, sql_expression};
use keyhole::schema::ValueType;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, SimpleQueryMessage};

use columns::Column;
use server::Server;

#[tokio::test]
async fn masks_agree_on_postgresql_15() {
    agree(&Server::start(&server::find_any()).await).await;
}

#[tokio::test]
async fn masks_agree_on_postgresql_18() {
    match server::find_version(18) {
        Some(bin) => agree(&Server::start(&bin).await).await,
        None => eprintln!("no PostgreSQL 18 here: KEYHOLE_PG18_BIN names its binaries"),
    }
}

/// What a session can set to its taste and must not matter. A zone called UTC that is not UTC
/// moves `timezone('UTC', …)` since PostgreSQL 18.
const HOSTILE: &str = "SET search_path = evil, pg_catalog, public;
    SET standard_conforming_strings = off; SET escape_string_warning = off;
    SET TimeZone = 'UTC+167:59'; SET DateStyle = 'German, DMY'; SET IntervalStyle = sql_standard;
    SET extra_float_digits = -15; SET bytea_output = escape; SET backslash_quote = off";

async fn agree(server: &Server) {
    let plain = server.connect().await;
    plain.batch_execute(include_str!("masks/setup.sql")).await.expect("the set-up runs");
    let hostile = server.connect().await;
    let mut compared = 0;
    let columns = columns::all();
    for (index, column) in columns.iter().enumerate() {
        let table = Table::fill(&plain, index, column).await;
        table.check_declarations(&plain).await;
        table.check_volatility(&plain).await;
        compared += table.compare_text(&plain).await;
        let expected = table.compare_binary(&plain).await;
        compared += expected.compared;
        hostile.batch_execute(HOSTILE).await.expect("settings");
        let found = table.compare_binary(&hostile).await;
        assert!(expected.masked == found.masked, "{}: settings matter", column.declared);
        hostile.batch_execute("SET search_path = DEFAULT").await.expect("settings");
        table.check_date_styles(&plain).await;
        table.check_buckets(&plain).await;
        table.check_constants(&plain).await;
    }
    assert!(compared > 1_000_000, "only {compared} fields were compared");
    eprintln!("{compared} fields compared in {} columns", columns.len());
}

/// One column in a table of its own, with its masks in both forms.
struct Table<'a> {
    column: &'a Column,
    name: String,
    masks: Vec<(WireMask, String)>,
}

/// What a pass over a table in binary gave.
struct Pass {
    compared: usize,
    masked: Vec<Option<Vec<u8>>>,
}

impl<'a> Table<'a> {
    async fn fill(client: &Client, index: usize, column: &'a Column) -> Self {
        let (name, declared) = (format!("public.t{index}"), column.declared);
        let cast = match declared {
            // Clears the bits behind the netmask, which cidr's own input refuses.
            "cidr" => "inet::cidr",
            declared => declared.split(" COLLATE").next().unwrap_or(declared),
        };
        client.batch_execute(&format!("CREATE TABLE {name} (v {declared})")).await.expect(declared);
        let insert = format!("INSERT INTO {name} SELECT x::{cast} FROM unnest($1::text[]) AS x");
        let null = [None::<&str>];
        let values: Vec<_> = column.values.iter().map(|v| Some(v.as_str())).chain(null).collect();
        client.execute(&insert, &[&values]).await.expect(declared);
        client.batch_execute(&format!("ANALYZE {name}")).await.expect(declared);
        let value = value_type(client, &name).await;
        let bind = |spec: &MaskSpec| {
            let wire = WireMask::new(spec, &value);
            let wire = wire.unwrap_or_else(|error| panic!("{declared}: {spec:?}: {error}"));
            (wire, sql_expression(spec, &value, "\"t\".\"v\""))
        };
        Self { column, masks: column.masks.iter().map(bind).collect(), name }
    }

    fn select(&self) -> String {
        let masks: Vec<&str> = self.masks.iter().map(|(_, sql)| sql.as_str()).collect();
        format!("SELECT t.v, {} FROM {} AS t", masks.join(", "), self.name)
    }

    /// Type, typmod and collation of every mask are the column's; of a domain, its base type's.
    async fn check_declarations(&self, client: &Client) {
        let declared = self.column.declared;
        for (_, sql) in &self.masks {
            let view = format!("CREATE VIEW w AS SELECT {sql} AS m FROM {} AS t", self.name);
            client.batch_execute(&view).await.unwrap_or_else(|e| panic!("{declared}: {e:?}"));
            let value = value_type(client, &self.name).await;
            let mask = value_type(client, "w").await;
            assert_eq!(value, mask, "{declared}: {sql}");
            let collation = "SELECT count(DISTINCT attcollation) FROM pg_attribute
                WHERE attrelid IN ('w'::regclass, $1::text::regclass) AND attnum = 1";
            let row = client.query_one(collation, &[&self.name]).await.expect("collations");
            assert_eq!(row.get::<_, i64>(0), 1, "{declared}: collation of {sql}");
            client.batch_execute("DROP VIEW w").await.expect("the view goes");
        }
    }

    /// An index wants immutable expressions; a parallel plan wants parallel safe ones.
    async fn check_volatility(&self, client: &Client) {
        let (name, declared) = (&self.name, self.column.declared);
        for (spec, (_, sql)) in self.column.masks.iter().zip(&self.masks) {
            let sql = sql.replace("\"t\".\"v\"", "v");
            let index = format!("CREATE INDEX doomed ON {name} ((({sql}) IS NULL))");
            client.batch_execute(&index).await.unwrap_or_else(|e| panic!("{declared}: {e:?}"));
            client.batch_execute("DROP INDEX public.doomed").await.expect("the index goes");
            let plan = format!(
                "BEGIN; SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0;
                 SET LOCAL min_parallel_table_scan_size = 0;
                 EXPLAIN SELECT {sql} FROM {name} AS t WHERE v IS NOT NULL ORDER BY ({sql}) IS NULL;
                 COMMIT"
            );
            let plan = rows(client, &plan).await;
            let parallel = plan.iter().flatten().flatten().any(|line| line.contains("Parallel"));
            assert!(parallel || self.column.values.len() < 100, "{declared}: {spec:?}: {plan:?}");
        }
    }

    async fn compare_text(&self, client: &Client) -> usize {
        let mut compared = 0;
        for row in rows(client, &self.select()).await {
            let fields: Vec<_> = row.iter().map(|f| f.as_deref().map(str::as_bytes)).collect();
            compared += self.compare(Format::Text, &fields);
        }
        compared
    }

    async fn compare_binary(&self, client: &Client) -> Pass {
        let declared = self.column.declared;
        let rows = client.query(&self.select(), &[]).await;
        let mut pass = Pass { compared: 0, masked: Vec::new() };
        for row in rows.unwrap_or_else(|error| panic!("{declared}: {error:?}")) {
            let fields: Vec<_> =
                (0..row.len()).map(|i| row.get::<_, Option<Raw<'_>>>(i).map(|raw| raw.0)).collect();
            pass.compared += self.compare(Format::Binary, &fields);
            pass.masked.extend(fields[1..].iter().map(|field| field.map(<[u8]>::to_vec)));
        }
        pass
    }

    /// Compares every mask's forms on one row, whose first field is the value. Returns how many.
    fn compare(&self, format: Format, fields: &[Option<&[u8]>]) -> usize {
        let mut compared = 0;
        for ((spec, (wire, _)), by_sql) in
            self.column.masks.iter().zip(&self.masks).zip(&fields[1..])
        {
            let Some(value) = fields[0] else {
                assert_eq!(*by_sql, None, "{}: {spec:?}: NULL stays NULL", self.column.declared);
                continue;
            };
            let mut out = b"before".to_vec();
            let masked = wire.apply(format, value, &mut out);
            let by_wire = match masked {
                Ok(Masked::Value) => Some(&out[6..]),
                Ok(Masked::Null) => None,
                Err(ApplyError::NoForm) if wire.needs(format).is_none() => continue,
                Err(error) => panic!("{}: {spec:?}: {error}", self.column.declared),
            };
            assert!(
                by_wire == *by_sql && wire.needs(format).is_some(),
                "{} {format:?} {spec:?}: {:?} is {:?} on the wire, {:?} in SQL",
                self.column.declared,
                String::from_utf8_lossy(value),
                by_wire.map(String::from_utf8_lossy),
                by_sql.map(String::from_utf8_lossy),
            );
            compared += 1;
        }
        compared
    }

    /// In a style other than ISO the wire form fails; it never misreads. SQL works in all.
    async fn check_date_styles(&self, client: &Client) {
        for style in ["German", "SQL, DMY", "SQL, MDY", "Postgres, DMY", "Postgres, MDY"] {
            client.batch_execute(&format!("SET DateStyle = '{style}'")).await.expect(style);
            for row in rows(client, &self.select()).await {
                for (index, (wire, _)) in self.masks.iter().enumerate() {
                    let Some(value) = &row[0] else { continue };
                    if wire.needs(Format::Text) != Some(Needs::IsoDates) {
                        continue;
                    }
                    let mut out = Vec::new();
                    match wire.apply(Format::Text, value.as_bytes(), &mut out) {
                        Ok(_) if value.ends_with("infinity") => {
                            assert_eq!(Some(value), row[index + 1].as_ref());
                        }
                        Ok(_) => panic!("{style}: {value} was taken for an ISO date"),
                        Err(error) => assert_eq!(error, ApplyError::Malformed),
                    }
                }
            }
        }
        client.batch_execute("RESET DateStyle").await.expect("settings");
    }

    /// Every value that is not NULL has the one constant, a row of NULLs too.
    async fn check_constants(&self, client: &Client) {
        for (spec, (_, sql)) in self.column.masks.iter().zip(&self.masks) {
            let MaskSpec::Constant { .. } = spec else { continue };
            let query = format!(
                "SELECT count(DISTINCT CAST({sql} AS text)) FROM {} AS t
                 WHERE v IS DISTINCT FROM NULL",
                self.name
            );
            let row = client.query_one(&query, &[]).await.expect(self.column.declared);
            assert_eq!(row.get::<_, i64>(0), 1, "{}: {spec:?}", self.column.declared);
        }
    }

    /// Numerics have no wire form to compare with; a bucket's definition serves instead.
    async fn check_buckets(&self, client: &Client) {
        let declared = self.column.declared;
        if !declared.starts_with("numeric") {
            return;
        }
        for (spec, (_, sql)) in self.column.masks.iter().zip(&self.masks) {
            let MaskSpec::Bucket { size } = spec else { continue };
            let lowest = match declared {
                "numeric" => "'-Infinity'",
                "numeric(5,2)" => "-999.99",
                "numeric(10,0)" => "-9999999999",
                "numeric(3,-2)" => "-99900",
                "numeric(2,4)" => "-0.0099",
                other => panic!("no lowest value of {other} is known"),
            };
            // Rounding to a negative scale may move a multiple up by half a unit, never above v.
            let slack = if declared == "numeric(3,-2)" { 50 } else { 0 };
            let broken = format!(
                "SELECT count(*) FROM (SELECT v, {sql} AS m FROM {} AS t) AS s
                 WHERE CASE WHEN v IN ('NaN', 'Infinity', '-Infinity') THEN m <> v
                 WHEN m = {lowest} THEN m > v OR (v > 0 AND m < v - {size})
                 ELSE m > v OR v - m >= {size} + {slack}
                   OR ({slack} = 0 AND mod(m, {size}) <> 0) END",
                self.name
            );
            let row = client.query_one(&broken, &[]).await.expect(declared);
            assert_eq!(row.get::<_, i64>(0), 0, "{declared}: {spec:?}");
        }
    }
}

/// What the schema snapshot says of a relation's first column: a domain's base type and typmod,
/// named as with an empty `search_path`.
async fn value_type(client: &Client, relation: &str) -> ValueType {
    let query = "SELECT b.oid, m.typmod, format_type(b.oid, m.typmod), ascii(b.typcategory::text)
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END,
        LATERAL (SELECT CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END) m (typmod)
        WHERE attrelid = $1::text::regclass AND attnum = 1";
    let row = client.query_one(query, &[&relation]).await.expect("a column");
    client.batch_execute("SET search_path = ''").await.expect("settings");
    let named = "SELECT pg_catalog.format_type($1, $2)";
    let sql = client.query_one(named, &[&row.get::<_, u32>(0), &row.get::<_, i32>(1)]).await;
    client.batch_execute("RESET search_path").await.expect("settings");
    ValueType {
        oid: row.get(0),
        typmod: row.get(1),
        sql: sql.expect("a type's name").get(0),
        category: u8::try_from(row.get::<_, i32>(3)).expect("a letter"),
    }
}

async fn rows(client: &Client, query: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(query).await;
    let mut rows = Vec::new();
    for message in messages.unwrap_or_else(|error| panic!("{query}: {error:?}")) {
        if let SimpleQueryMessage::Row(row) = message {
            rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
        }
    }
    rows
}

/// A field's bytes, whatever its type.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
