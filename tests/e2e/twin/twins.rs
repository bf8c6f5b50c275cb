//! The masked twin: without grants, every statement answers what it answers on a database in which
//! each hidden value has physically been replaced by its mask.

use std::sync::OnceLock;

use crate::desk::Shop;
use crate::support::message::{Format, Reply};
use crate::support::traps::{self, Variant};
use crate::support::{Client, Postgres};

const MASK: &str = include_str!("mask.sql");
const STATEMENTS: &str = include_str!("statements.sql");

fn statements() -> impl Iterator<Item = &'static str> {
    STATEMENTS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--"))
}

/// A shop behind the proxy, and its masked copy past it.
fn twins(name: &str) -> (Shop, String) {
    let shop = Shop::open_with(name, |config| config.set("enforcement", "notice", false));
    let masked = format!("{name}_masked");
    let server = Postgres::shared();
    traps::create(server, &masked, Variant::A);
    server.admin(&masked).query(MASK).ok();
    (shop, masked)
}

/// What a client makes of a reply: names, types, rows, tags, SQLSTATE, and copied rows. The type of
/// a whole row is `record`, whichever table's it is: a masked row is no row of the table.
#[derive(Debug, PartialEq)]
struct Seen {
    columns: Vec<(String, u32, i16)>,
    rows: Vec<Vec<Option<Vec<u8>>>>,
    copied: Vec<u8>,
    tags: Vec<String>,
    code: String,
}

impl Seen {
    fn of(sql: &str, reply: &Reply) -> Self {
        let mut rows = reply.raw_rows();
        if !sql.contains("ORDER BY") {
            rows.sort();
        }
        let columns = reply.columns().into_iter();
        Self {
            columns: columns.map(|it| (it.name, as_record(it.type_oid), it.format)).collect(),
            rows,
            copied: reply.copied(),
            tags: reply.tags(),
            code: reply.code(),
        }
    }
}

/// `record` and `record[]` for the row types of tables, whose OIDs follow those of the tables.
fn as_record(type_oid: u32) -> u32 {
    static ROW_TYPES: OnceLock<Vec<(u32, u32)>> = OnceLock::new();
    let known = ROW_TYPES.get_or_init(|| {
        let sql = "SELECT oid, 2249 FROM pg_type WHERE typtype = 'c' AND oid >= 16384 UNION ALL \
                   SELECT typarray, 2287 FROM pg_type WHERE typtype = 'c' AND oid >= 16384";
        let rows = Postgres::shared().admin("traps_schema").query(sql).ok().rows();
        let number = |text: &String| text.parse().expect("an OID");
        rows.iter().map(|row| (number(&row[0]), number(&row[1]))).collect()
    });
    known.iter().find(|(oid, _)| *oid == type_oid).map_or(type_oid, |(_, record)| *record)
}

/// Everywhere the same; returns what was not.
fn compare(shop: &Shop, masked: &str, ask: impl Fn(&mut Client, &str) -> Reply) -> Vec<String> {
    let mut twin = shop.server.direct(masked).connect();
    let mut proxied = shop.alice().connect();
    let mut differences = Vec::new();
    for sql in statements() {
        let [expected, seen] = [&mut twin, &mut proxied].map(|session| {
            session.query("BEGIN").ok();
            let reply = ask(session, sql);
            session.query("ROLLBACK").ok();
            (Seen::of(sql, &reply), reply.error())
        });
        if expected.0 != seen.0 {
            differences.push(format!("{sql}\n{}", difference(&expected.0, &seen)));
        }
    }
    differences
}

fn difference(
    expected: &Seen,
    (seen, error): &(Seen, Option<crate::support::ServerError>),
) -> String {
    if let Some(error) = error {
        return format!("    {error}");
    }
    if expected.columns != seen.columns {
        return format!("    columns {:?}\n    not     {:?}", seen.columns, expected.columns);
    }
    let rows = expected.rows.iter().zip(&seen.rows);
    if let Some((expected, seen)) = rows.into_iter().find(|(expected, seen)| expected != seen) {
        let show = |row: &Vec<Option<Vec<u8>>>| {
            let field = |field: &Option<Vec<u8>>| match field {
                Some(bytes) => bytes.escape_ascii().to_string(),
                None => "NULL".to_owned(),
            };
            row.iter().map(field).collect::<Vec<_>>().join(" | ")
        };
        return format!("    row {}\n    not {}", show(seen), show(expected));
    }
    let told = |seen: &Seen| format!("{} rows, {:?} {}", seen.rows.len(), seen.tags, seen.code);
    format!("    {} not {}", told(seen), told(expected))
}

#[track_caller]
fn assert_none(differences: &[String]) {
    let (count, all) = (differences.len(), statements().count());
    assert!(count == 0, "{count} of {all} differ from the twin:\n{}", differences.join("\n"));
}

#[test]
fn simple_queries_answer_as_on_the_twin() {
    let (shop, masked) = twins("twin_simple");
    assert_none(&compare(&shop, &masked, |session, sql| session.query(sql)));
    assert_eq!(traps::finder(Variant::A).find(&everything_heard(&shop), b""), []);
}

#[test]
fn extended_queries_in_text_answer_as_on_the_twin() {
    let (shop, masked) = twins("twin_text");
    let ask = |session: &mut Client, sql: &str| session.extended(sql, &[], Format::Text);
    assert_none(&compare(&shop, &masked, ask));
}

#[test]
fn extended_queries_in_binary_answer_as_on_the_twin() {
    let (shop, masked) = twins("twin_binary");
    let ask = |session: &mut Client, sql: &str| session.extended(sql, &[], Format::Binary);
    assert_none(&compare(&shop, &masked, ask));
}

/// All statements once more in one session, for the search for canaries.
fn everything_heard(shop: &Shop) -> Vec<u8> {
    let mut session = shop.alice().connect();
    for sql in statements() {
        session.query("BEGIN");
        session.query(sql);
        session.query("ROLLBACK");
    }
    session.heard
}

#[test]
fn the_twin_itself_holds_nothing_hidden() {
    let server = Postgres::shared();
    traps::create(server, "twin_itself", Variant::A);
    server.admin("twin_itself").query(MASK).ok();
    let mut session = server.direct("twin_itself").connect();
    for sql in statements() {
        session.query("BEGIN").ok();
        session.query(sql).ok();
        session.query("ROLLBACK").ok();
    }
    assert_eq!(traps::finder(Variant::A).find(&session.heard, b""), []);
    assert!(statements().count() >= 80, "{}", statements().count());
}
