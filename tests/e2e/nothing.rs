//! Where no catalog names anything there is nothing to hide, and nothing is refused for its sake.

use crate::desk::Shop;
use crate::support::client::{frame, query};
use crate::support::keyhole::Config;
use crate::support::traps::{self, Variant};
use crate::support::wait::until;
use crate::support::{Client, Keyhole, Postgres};

const NOTHING: &str = "";
const SOMETHING: &str = r#"
[[class]]
name = "email"
mask = { kind = "email" }

[[table]]
name = "public.customers"
columns = { email = "email" }
"#;

/// What would be a side door, a definition of code or unreadable if there were anything to hide.
const SIDE_DOORS: [&str; 12] = [
    "SELECT count(*) FROM pg_stats WHERE tablename = 'customers'",
    "SELECT count(*) > 0 FROM pg_locks",
    "SELECT count(*) > 0 FROM pg_stat_activity",
    "SELECT name FROM pg_prepared_statements",
    "SELECT query_to_xml('SELECT 1', true, true, '')",
    "SELECT lo_from_bytea(0, 'abc') > 0",
    "DO $$ BEGIN EXECUTE 'CREATE TEMP TABLE made (a int)'; END $$",
    "CREATE FUNCTION pick(regclass) RETURNS text LANGUAGE plpgsql AS \
     $$ DECLARE found text; BEGIN EXECUTE 'SELECT max(email) FROM ' || $1 INTO found; \
     RETURN found; END $$",
    "SELECT pick('customers')",
    "EXPLAIN (COSTS OFF) SELECT email FROM customers",
    "SET standard_conforming_strings = off; SELECT 'a\\nb'",
    "SELECT U&\"\\0065mail\" FROM customers ORDER BY id LIMIT 1",
];

fn serve(name: &str, catalog: &str) -> Keyhole {
    let server = Postgres::shared();
    traps::create(server, name, Variant::A);
    Keyhole::serve(server, name, catalog)
}

#[test]
fn with_nothing_to_hide_there_are_no_side_doors() {
    let proxy = serve("nothing_doors", NOTHING);
    let mut alice = proxy.data("alice", "shop").connect();
    let mut direct = Postgres::shared().direct("nothing_doors").connect();
    for sql in SIDE_DOORS {
        let heard = alice.query(sql).ok();
        if sql.contains("CREATE") {
            continue;
        }
        assert_eq!(heard.rows(), direct.query(sql).ok().rows(), "{sql}");
    }
    // What cannot be parsed is the server's to refuse, in its own words.
    let (heard, said) = (alice.query("CREATE wrong"), direct.query("CREATE wrong"));
    assert_eq!(heard.error().map(|e| e.text().to_owned()), said.error().map(|e| e.text().into()));
    until("all of it is on record", || proxy.audit_text().contains("pg_stats").then_some(()));
}

/// `abs(int4)` over the fast path: its OID, binary in and out.
fn call(session: &mut Client) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(1397_u32.to_be_bytes());
    body.extend([0, 1, 0, 1, 0, 1]);
    body.extend(4_u32.to_be_bytes());
    body.extend((-7_i32).to_be_bytes());
    body.extend([0, 1]);
    session.send(&frame(b'F', &body)).expect("an open connection");
    session.until_ready().messages.iter().flat_map(|m| [&[m.tag][..], &m.body].concat()).collect()
}

#[test]
fn fast_path_calls_pass_where_there_is_nothing_to_hide() {
    let proxy = serve("nothing_calls", NOTHING);
    let mut alice = proxy.data("alice", "shop").connect();
    let mut direct = Postgres::shared().direct("nothing_calls").connect();
    assert_eq!(call(&mut alice), call(&mut direct));
    assert_eq!(alice.query("SELECT 1").ok().scalar(), "1");
}

#[test]
fn a_catalog_elsewhere_closes_them_again() {
    let server = Postgres::shared();
    traps::create(server, "nothing_here", Variant::A);
    let config = Config::new().database("plain", server, "nothing_here", NOTHING).database(
        "shop",
        server,
        "nothing_here",
        SOMETHING,
    );
    let proxy = Keyhole::start(config);
    let mut alice = proxy.data("alice", "plain").connect();
    for sql in ["SELECT query FROM pg_stat_activity", "SELECT * FROM pg_stats"] {
        assert_eq!(alice.query(sql).code(), "42501", "{sql}");
    }
}

#[test]
fn a_session_ends_when_there_is_something_to_hide_for_the_first_time() {
    let shop = Shop::open_with("nothing_reload", |config| config);
    let file = shop.proxy.config.path().join("shop.toml");
    std::fs::write(&file, NOTHING).expect("a writable file");
    shop.dba().say("RELOAD");
    let mut early = shop.alice().connect();
    early.query("PREPARE p AS SELECT upper(email) FROM customers WHERE id = 5").ok();
    std::fs::write(&file, SOMETHING).expect("a writable file");
    shop.dba().say("RELOAD");
    early.send(&query("EXECUTE p")).expect("an open connection");
    let heard = early.until_ready();
    assert_eq!(heard.code(), "57P01");
    assert!(heard.rows().is_empty());
    let mut late = shop.alice().connect();
    assert_eq!(late.query("SELECT * FROM pg_stats").code(), "42501");
}
