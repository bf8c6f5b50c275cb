//! Who may change definitions over personal data does not see through them before they are known.

use crate::desk::{Shop, email, masked};
use crate::support::client::{bind, execute, parse, sync};
use crate::support::message::Format;
use crate::support::traps::{self, Variant};
use crate::support::wait::until;
use crate::support::{Client, Target};

/// A shop, and Mia, who has the role `ddl`.
fn shop(name: &str) -> (Shop, Client) {
    let shop = Shop::open_with(name, |mut config| {
        let mia = "name = 'mia'\nroles = ['ddl']\nscram_env = 'KEYHOLE_BOB_PASSWORD'";
        config.push("user", mia);
        // Nothing is known because it was time to look.
        config.set("schema", "refresh", "1h")
    });
    let mia = Target::new(shop.proxy.data_port(), "mia", "bob-secret", "shop").connect();
    (shop, mia)
}

const DEFINITIONS: [(&str, &str); 8] = [
    (
        "CREATE VIEW fresh AS SELECT email || '' AS x FROM customers WHERE id = 5",
        "SELECT x FROM fresh",
    ),
    (
        "ALTER TABLE customers RENAME COLUMN email TO x",
        "SELECT x || '' FROM customers WHERE id = 5",
    ),
    ("ALTER TABLE customers RENAME TO fresh", "SELECT email || '' FROM fresh WHERE id = 5"),
    ("ALTER TABLE customers SET SCHEMA hr", "SELECT email || '' FROM hr.customers WHERE id = 5"),
    (
        "CREATE OR REPLACE VIEW v_catalogue AS SELECT email::text AS sku, ''::text AS name, \
         0::numeric(10,2) AS price FROM customers WHERE id = 5",
        "SELECT sku || '' FROM v_catalogue",
    ),
    (
        "CREATE FUNCTION fresh() RETURNS text LANGUAGE sql AS \
         'SELECT email FROM customers WHERE id = 5'",
        "SELECT fresh()",
    ),
    ("ALTER FUNCTION get_customer_email(int) RENAME TO fresh", "SELECT fresh(5)"),
    (
        "CREATE MATERIALIZED VIEW fresh AS SELECT email || '' AS x FROM customers WHERE id = 5",
        "SELECT x || '' FROM fresh",
    ),
];

#[test]
fn definitions_of_an_open_transaction_are_not_seen_through() {
    let (_shop, mut mia) = shop("migrations_open");
    let email = email();
    for (define, read) in DEFINITIONS {
        let ways: [&dyn Fn(&mut Client) -> String; 4] = [
            &|mia| {
                mia.query("BEGIN").ok();
                mia.query(define);
                mia.query(read).code()
            },
            &|mia| {
                mia.query("BEGIN").ok();
                mia.query(define);
                mia.extended(read, &[], Format::Text).code()
            },
            &|mia| mia.query(&format!("BEGIN; {define}; {read}")).code(),
            &|mia| {
                mia.query("BEGIN").ok();
                mia.query(define);
                mia.query(&format!("COPY ({read}) TO STDOUT")).code()
            },
        ];
        for way in ways {
            let code = way(&mut mia);
            mia.query("ROLLBACK");
            assert!(["42501", "25P02", "42P01", "42883"].contains(&&*code), "{define}: {code}");
        }
    }
    let heard = String::from_utf8_lossy(&mia.heard).into_owned();
    assert!(!heard.contains(&email), "shown");
    assert!(traps::finder(Variant::A).find(&mia.heard, b"").is_empty());
}

#[test]
fn definitions_are_known_to_others_while_who_made_them_rests() {
    let (shop, mut mia) = shop("migrations_rest");
    let mut bob = shop.bob().connect();
    mia.query("CREATE VIEW fresh AS SELECT upper(email) AS x FROM customers WHERE id = 5").ok();
    // She says nothing more, and yet the schema is read again, long before the next poll.
    until("the view is known", || {
        let seen = bob.query("SELECT x || '' FROM fresh").ok().scalar();
        (seen == masked(&email()).to_uppercase()).then_some(())
    });
}

#[test]
fn definitions_are_known_as_soon_as_they_are_committed() {
    let (shop, mut mia) = shop("migrations_committed");
    mia.query("BEGIN").ok();
    mia.query("CREATE VIEW fresh AS SELECT id, email AS x FROM customers").ok();
    mia.query("CREATE INDEX ON customers (balance)").ok();
    mia.query("SELECT count(*) FROM products").ok();
    mia.query("COMMIT").ok();
    for session in [&mut mia, &mut shop.bob().connect()] {
        let seen = session.query("SELECT x FROM fresh WHERE id = 5").ok().scalar();
        assert_eq!(seen, masked(&email()));
    }
    // In one batch, too: what comes behind the definition waits for it or is refused.
    let one = "CREATE VIEW fresher AS SELECT email AS y FROM customers WHERE id = 5";
    let batch = [
        crate::support::client::query(one),
        crate::support::client::query("SELECT y || '' FROM fresher"),
    ];
    mia.send(&batch.concat()).expect("alive");
    mia.until_ready().ok();
    let second = mia.until_ready();
    assert!(second.code() == "42501" || second.scalar() == masked(&email()), "{}", second.code());
}

/// A function that nobody can look into, as it builds its statement at run time.
const OPAQUE: &str = "CREATE FUNCTION how_many(what text) RETURNS bigint LANGUAGE plpgsql AS \
    $$DECLARE n bigint; BEGIN EXECUTE 'SELECT count(*) FROM ' || what INTO n; RETURN n; END$$";

#[test]
fn code_that_nobody_can_look_into_runs_for_those_who_may_define_it() {
    let (shop, mut mia) = shop("migrations_opaque");
    let mut alice = shop.alice().connect();
    mia.query(OPAQUE).ok();
    let call = "SELECT how_many('products')";
    assert_eq!(mia.query(call).ok().rows().len(), 1);
    assert_eq!(alice.query(call).code(), "42501");
    // What is known to read personal data is no matter of roles.
    let reads = "CREATE FUNCTION first_email() RETURNS text LANGUAGE plpgsql AS \
                 $$BEGIN RETURN (SELECT email FROM customers WHERE id = how_many('stores')); END$$";
    mia.query(reads).ok();
    for session in [&mut mia, &mut alice] {
        assert_eq!(session.query("SELECT first_email()").code(), "42501");
        assert_eq!(session.query(crate::desk::EMAIL).ok().scalar(), masked(&email()));
        for door in
            ["SELECT * FROM pg_stats", "SELECT lo_get(1)", "SELECT * FROM pg_stat_user_tables"]
        {
            assert_eq!(session.query(door).code(), "42501", "{door}");
        }
    }
    for door in ["pg_locks", "pg_cursors", "pg_prepared_statements", "pg_stat_activity"] {
        let look = format!("SELECT count(*) FROM {door}");
        mia.query(&look).ok();
        assert_eq!(alice.query(&look).code(), "42501", "{door}");
    }
}

#[test]
fn a_migration_uses_what_it_has_just_defined() {
    let (_shop, mut mia) = shop("migrations_use");
    let steps = [
        "BEGIN",
        "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n'",
        OPAQUE,
        "CREATE TYPE mood AS ENUM ('calm', 'wild')",
        "CREATE TABLE fresh (n int, feels mood)",
        "INSERT INTO fresh SELECT twice(21), 'calm'::mood",
        "SELECT n, feels FROM fresh WHERE twice(n) = 84",
        "PREPARE p AS SELECT how_many('fresh')",
        "EXECUTE p",
    ];
    for step in steps {
        mia.query(step).ok();
    }
    // Beside personal data, it stays unknown what the new code does.
    let beside = "SELECT twice(id) FROM customers WHERE email LIKE 'a%'";
    assert_eq!(mia.query(beside).code(), "42501");
    mia.query("ROLLBACK").ok();
}

#[test]
fn a_migration_of_a_table_with_personal_data_goes_on_with_others() {
    let (_shop, mut mia) = shop("migrations_beside");
    mia.query("CREATE FUNCTION doubled(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n'").ok();
    for step in [
        "BEGIN",
        "ALTER TABLE customers ADD COLUMN note text, ADD COLUMN seen timestamptz",
        "ALTER TABLE customers ALTER COLUMN seen SET DEFAULT now()",
        "CREATE TABLE beside (id serial PRIMARY KEY, note text, seen timestamptz, n int8 CHECK (n > 0))",
        "CREATE INDEX ON beside (note)",
        "ALTER TABLE beside ADD COLUMN name text, ALTER COLUMN note SET DEFAULT ''",
        "INSERT INTO beside (note, seen, n) SELECT 'x', now(), doubled(g) FROM generate_series(1, 3) g",
        "UPDATE beside SET name = upper(note) WHERE n = 2 AND id IN (SELECT id FROM beside)",
        "SELECT sku FROM v_catalogue LIMIT 1",
        "COMMIT",
    ] {
        mia.query(step).ok();
    }
}

#[test]
fn ranges_of_plain_types_are_no_secret() {
    let (shop, mut mia) = shop("migrations_ranges");
    mia.query("CREATE TYPE span AS RANGE (subtype = text)").ok();
    let plain = "SELECT span('a', 'c') @> 'b'::text, '[a,b]'::span, span('a', 'b')::span = '[a,b)'";
    assert_eq!(shop.bob().connect().query(plain).ok().rows(), [["t", "[a,b]", "t"]]);
    // The difference of two bounds is computed by code that nobody can look into.
    let opaque = "CREATE FUNCTION gap(a text, b text) RETURNS float8 IMMUTABLE LANGUAGE plpgsql AS \
                  $$DECLARE n float8; BEGIN EXECUTE 'SELECT 1' INTO n; RETURN n; END$$";
    mia.query(opaque).ok();
    mia.query("CREATE TYPE gapped AS RANGE (subtype = text, subtype_diff = gap)").ok();
    // Known to all before it is to her.
    assert_eq!(mia.query("SELECT gapped('a', 'c')").code(), "");
    assert_eq!(shop.bob().connect().query("SELECT gapped('a', 'c')").code(), "42501");
}

#[test]
fn an_operator_in_a_body_is_code_like_any_other() {
    let (shop, mut mia) = shop("migrations_operator");
    for define in [
        "CREATE FUNCTION leak(int, int) RETURNS text LANGUAGE sql AS \
         'SELECT email FROM customers WHERE id = $1'",
        "CREATE OPERATOR <=|> (FUNCTION = leak, LEFTARG = int, RIGHTARG = int)",
        "CREATE FUNCTION plain() RETURNS text LANGUAGE sql AS 'SELECT 5 <=|> -1'",
        "CREATE FUNCTION plainer() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN 5<=|>-1; END'",
        "CREATE FUNCTION told(text) RETURNS bool LANGUAGE sql AS \
         'SELECT EXISTS (SELECT FROM customers WHERE email = $1)'",
        "CREATE DOMAIN known AS text CHECK (told(VALUE))",
        "CREATE FUNCTION asks(x text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN x::known; END'",
        "CREATE TABLE plainest (x text DEFAULT 5 <=|> 1, n int)",
    ] {
        mia.query(define).ok();
    }
    mia.query("SELECT 1").ok();
    for session in [&mut mia, &mut shop.alice().connect()] {
        for read in ["SELECT 5 <=|> 1", "SELECT plain()", "SELECT plainer()", "SELECT asks('x')"] {
            assert_eq!(session.query(read).code(), "42501", "{read}");
        }
        let stored = session.query("INSERT INTO plainest VALUES (DEFAULT, 1) RETURNING x || ''");
        assert_eq!(stored.code(), "42501", "{:?}", stored.rows());
    }
}

/// Types whose values are checked, cast or compared by code over personal data, and what is made
/// of them.
const TYPES: &[&str] = &[
    "CREATE FUNCTION told(text) RETURNS bool LANGUAGE sql IMMUTABLE AS \
     'SELECT NOT EXISTS (SELECT FROM public.customers WHERE email = $1)'",
    "CREATE DOMAIN known AS text CHECK (public.told(VALUE))",
    "CREATE DOMAIN many AS known[]",
    "CREATE TYPE pair AS (one known, other int)",
    "CREATE DOMAIN paired AS pair",
    "CREATE TYPE span AS RANGE (subtype = known)",
    "CREATE OPERATOR ~!~ (FUNCTION = told, RIGHTARG = text)",
    "CREATE DOMAIN operated AS text CHECK (~!~ VALUE)",
    "CREATE DOMAIN inner_cast AS text CHECK (VALUE::operated IS NOT NULL)",
    "CREATE FUNCTION takes(x known) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
    "CREATE FUNCTION takes_cast(x inner_cast) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
    "CREATE FUNCTION takes_many(x many) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
    "CREATE VIEW cast_in_view AS SELECT x::inner_cast FROM (VALUES ('a')) v (x)",
    "CREATE TYPE mood AS ENUM ('calm', 'wild')",
    "CREATE FUNCTION moody(text) RETURNS mood LANGUAGE sql AS \
     'SELECT CASE WHEN public.told($1) THEN ''calm'' ELSE ''wild'' END::public.mood'",
    "CREATE CAST (text AS mood) WITH FUNCTION moody(text) AS IMPLICIT",
    "CREATE FUNCTION feels(x mood) RETURNS text LANGUAGE sql AS 'SELECT $1::text'",
    "CREATE FUNCTION routed(t text) RETURNS int IMMUTABLE LANGUAGE sql AS \
     'SELECT 1 / (NOT public.told(t))::int'",
    "CREATE TABLE parted (x text) PARTITION BY LIST (routed(x))",
    "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1)",
    "CREATE TYPE weight AS (n int, t text)",
    "CREATE FUNCTION weigh(a weight, b weight) RETURNS int IMMUTABLE LANGUAGE sql AS \
     'SELECT CASE WHEN public.told(($1).t) THEN 0 ELSE ($1).n - ($2).n END'",
    "CREATE FUNCTION lighter(weight, weight) RETURNS bool IMMUTABLE LANGUAGE sql AS \
     'SELECT public.weigh($1, $2) < 0'",
    "CREATE OPERATOR <~ (FUNCTION = lighter, LEFTARG = weight, RIGHTARG = weight)",
    "CREATE OPERATOR CLASS weights DEFAULT FOR TYPE weight USING btree AS \
     OPERATOR 1 <~, FUNCTION 1 weigh(weight, weight)",
];

#[test]
fn types_made_of_what_reads_personal_data_are_code_like_any_other() {
    let (shop, mut mia) = shop("migrations_types");
    let mut admin = shop.server.admin(&shop.database);
    for define in TYPES {
        admin.query(define).ok();
    }
    mia.query("CREATE TABLE wake (n int)").ok();
    let email = email();
    for session in [&mut mia, &mut shop.alice().connect()] {
        for read in [
            format!("SELECT '{email}'::known"),
            format!("SELECT '{{{email}}}'::many"),
            format!("SELECT '{{{email}}}'::known[]"),
            format!("SELECT '{{{email}}}'::_known"),
            format!("SELECT '({email},1)'::pair"),
            format!("SELECT '({email},1)'::paired"),
            format!("SELECT '{{\"({email},1)\"}}'::_pair"),
            format!("SELECT '[a,{email}]'::span"),
            format!("SELECT span('a', '{email}')"),
            format!("SELECT '{{[a,{email}]}}'::span_multirange"),
            format!("SELECT span_multirange(span('a', '{email}'))"),
            format!("SELECT '{email}'::operated"),
            format!("SELECT '{email}'::inner_cast"),
            format!("SELECT takes('{email}')"),
            format!("SELECT takes_cast('{email}')"),
            format!("SELECT takes_many('{{{email}}}')"),
            "TABLE cast_in_view".to_owned(),
            format!("SELECT feels('{email}'::text)"),
            format!("SELECT '{email}'::text::mood"),
            format!("INSERT INTO parted VALUES ('{email}')"),
            format!("INSERT INTO parted_1 VALUES ('{email}')"),
            format!(
                "SELECT DISTINCT x FROM (VALUES (1, '{email}'), (2, 'b')) v (n, x), \
                     LATERAL (SELECT (v.n, v.x)::weight) w (w) ORDER BY w"
            ),
        ] {
            let heard = session.query(&read);
            assert_eq!(heard.code(), "42501", "{read}: {:?}", heard.rows());
        }
    }
}

/// Definitions of one transaction that lead to what it has put under a name, and what then reads.
const CHAINS: [(&[&str], &str); 17] = [
    (
        &["CREATE VIEW fresh AS SELECT email AS x FROM customers", "CREATE VIEW v2 AS TABLE fresh"],
        "SELECT x || '' FROM v2 WHERE x IS NOT NULL",
    ),
    (
        &[
            "CREATE VIEW fresh AS SELECT email AS x FROM customers",
            "ALTER VIEW fresh RENAME TO older",
        ],
        "SELECT x || '' FROM older",
    ),
    (
        &[
            "CREATE VIEW fresh AS SELECT email AS x FROM customers",
            "ALTER VIEW fresh RENAME TO older",
            "ALTER VIEW older RENAME TO oldest",
            "ALTER VIEW oldest SET SCHEMA hr",
        ],
        "SELECT x || '' FROM hr.oldest",
    ),
    (
        &[
            "CREATE FUNCTION late() RETURNS text LANGUAGE plpgsql AS \
             'BEGIN RETURN (SELECT max(x) FROM fresh); END'",
            "CREATE VIEW fresh AS SELECT email AS x FROM customers",
        ],
        "SELECT late()",
    ),
    (&["CREATE VIEW absent AS SELECT email AS x FROM customers"], "SELECT known_late()"),
    (&["CREATE VIEW \"Absent\" AS SELECT email AS x FROM customers"], "SELECT known_quoted()"),
    (&["CREATE VIEW absent AS SELECT email AS x FROM customers"], "SELECT known_later()"),
    (&["CREATE VIEW absent AS SELECT email AS x FROM customers"], "SELECT 1 ~~! 1"),
    (&["CREATE VIEW absent AS SELECT email AS x FROM customers"], "SELECT a || '' FROM known_view"),
    (
        &["CREATE OR REPLACE VIEW v_catalogue AS SELECT email::text AS sku, ''::text AS name, \
           0::numeric(10,2) AS price FROM customers WHERE id = 5"],
        "SELECT sku || '' FROM v_over",
    ),
    (&["CREATE OPERATOR !~~! (FUNCTION = get_customer_email, RIGHTARG = int)"], "SELECT !~~! 5"),
    (
        &[
            "CREATE FUNCTION unboxed(boxed) RETURNS text LANGUAGE sql AS \
             'SELECT email FROM customers WHERE id = ($1).n'",
            "CREATE CAST (boxed AS text) WITH FUNCTION unboxed(boxed) AS IMPLICIT",
        ],
        "SELECT '' || b FROM boxes",
    ),
    (
        &["CREATE VIEW fresh AS SELECT email AS x FROM customers"],
        "DO 'BEGIN RAISE NOTICE ''%'', (SELECT string_agg(x, '' '') FROM fresh); END'",
    ),
    (
        &["CREATE VIEW absent AS SELECT email AS x FROM customers"],
        "DO 'BEGIN RAISE NOTICE ''%'', known_late(); END'",
    ),
    (
        &[
            "CREATE VIEW fresh AS SELECT email AS x FROM customers",
            "CREATE TABLE plain (x text)",
            "CREATE RULE \"_RETURN\" AS ON SELECT TO plain DO INSTEAD SELECT x FROM fresh",
        ],
        "SELECT x || '' FROM plain",
    ),
    (
        &["CREATE TABLE heir (LIKE customers)", "ALTER TABLE customers INHERIT heir"],
        "SELECT email || '' FROM heir",
    ),
    (
        &["CREATE SCHEMA attic CREATE VIEW fresh AS SELECT email AS x FROM public.customers \
           CREATE VIEW fresher AS SELECT x FROM fresh"],
        "SELECT x || '' FROM attic.fresher",
    ),
];

#[test]
fn chains_of_definitions_are_not_seen_through() {
    let (_shop, mut mia) = shop("migrations_chains");
    for define in [
        "CREATE FUNCTION known_late() RETURNS text LANGUAGE plpgsql AS \
         'BEGIN RETURN (SELECT max(x) FROM absent); END'",
        "CREATE FUNCTION known_quoted() RETURNS text LANGUAGE plpgsql AS \
         'BEGIN RETURN (SELECT max(x) FROM \"Absent\"); END'",
        "CREATE FUNCTION known_later() RETURNS text LANGUAGE plpgsql AS \
         'BEGIN RETURN known_late(); END'",
        "CREATE FUNCTION signs(int, int) RETURNS text LANGUAGE plpgsql AS \
         'BEGIN RETURN known_late(); END'",
        "CREATE OPERATOR ~~! (FUNCTION = signs, LEFTARG = int, RIGHTARG = int)",
        "CREATE VIEW known_view AS SELECT known_late() AS a",
        "CREATE VIEW v_over AS SELECT sku FROM v_catalogue",
        "CREATE TYPE boxed AS (n int)",
        "CREATE TABLE boxes (b boxed)",
        "INSERT INTO boxes VALUES (ROW(5))",
    ] {
        mia.query(define).ok();
    }
    mia.query("SELECT 1").ok();
    let mut passed = Vec::new();
    for (definitions, read) in CHAINS {
        let ways: [&dyn Fn(&mut Client) -> String; 3] = [
            &|mia| {
                mia.query("BEGIN").ok();
                definitions.iter().for_each(|define| drop(mia.query(define)));
                mia.query(read).code()
            },
            &|mia| {
                mia.query("BEGIN").ok();
                definitions.iter().for_each(|define| drop(mia.query(define)));
                mia.extended(read, &[], Format::Text).code()
            },
            &|mia| mia.query(&format!("BEGIN; {}; {read}", definitions.join("; "))).code(),
        ];
        for (at, way) in ways.iter().enumerate() {
            let code = way(&mut mia);
            mia.query("ROLLBACK");
            if code != "42501" {
                passed.push(format!("{at} {definitions:?} {read}: {code}"));
            }
        }
    }
    assert!(passed.is_empty(), "{}", passed.join("\n"));
    let heard = String::from_utf8_lossy(&mia.heard).into_owned();
    assert!(!heard.contains(&email()), "shown");
    assert!(traps::finder(Variant::A).find(&mia.heard, b"").is_empty());
}

#[test]
fn what_was_opened_before_a_definition_does_not_see_through_it_either() {
    let (_shop, mut mia) = shop("migrations_before");
    mia.query(
        "CREATE FUNCTION known_late() RETURNS text LANGUAGE plpgsql AS \
         'BEGIN RETURN (SELECT max(x) FROM absent); EXCEPTION WHEN undefined_table THEN RETURN 0; \
          END'",
    )
    .ok();
    mia.query("SELECT 1").ok();
    let define = "CREATE VIEW absent AS SELECT email AS x FROM customers";
    let opened = "SELECT known_late() FROM generate_series(1, 3)";
    mia.query("BEGIN").ok();
    mia.send(&[parse("s", opened), bind("p", "s", &[], Format::Text), sync()].concat()).expect("");
    mia.until_ready().ok();
    mia.query(&format!("DECLARE c CURSOR FOR {opened}")).ok();
    mia.query(define).ok();
    mia.query("SAVEPOINT s").ok();
    mia.send(&[execute("p", 0), sync()].concat()).expect("sent");
    assert_eq!(mia.until_ready().code(), "42501", "a portal");
    mia.query("ROLLBACK TO s").ok();
    mia.send(&[execute("c", 0), sync()].concat()).expect("sent");
    assert_eq!(mia.until_ready().code(), "42501", "a cursor as a portal");
    mia.query("ROLLBACK TO s").ok();
    assert_eq!(mia.query("FETCH ALL FROM c").code(), "42501", "a cursor");
    mia.query("ROLLBACK").ok();
    assert!(traps::finder(Variant::A).find(&mia.heard, b"").is_empty());
}
