//! psql's own commands see through the proxy what they see on a direct connection.

use crate::desk::{email, masked};
use crate::support::keyhole::Config;
use crate::support::programs::{psql, run};
use crate::support::traps::{self, Variant};
use crate::support::{Keyhole, Postgres, Talker, Target};

/// Direct and through the proxy, to the same database under the same name.
fn both(name: &str) -> (Target, Target, Keyhole) {
    let server = Postgres::shared();
    traps::create(server, name, Variant::A);
    let proxy = Keyhole::start(Config::new().database(name, server, name, traps::CATALOG));
    (server.direct(name), proxy.data("alice", name), proxy)
}

#[track_caller]
fn assert_same(direct: &Target, proxied: &Target, script: &str) {
    let [expected, seen] = [direct, proxied].map(|target| run(psql(target), script));
    assert_eq!(seen.code, expected.code, "{script}\n{}", seen.err);
    assert_eq!(normal(&seen.out), normal(&expected.out), "{script}\n{}", seen.err);
    assert_eq!(normal(&seen.err), normal(&expected.err), "{script}");
}

/// Without databases of other tests, which come and go, and without process numbers.
fn normal(out: &str) -> String {
    let without_pid = |line: &str| match line.split_once(" server process with PID ") {
        Some((before, _)) => before.to_owned(),
        None => line.trim_end().to_owned(),
    };
    let own = |line: &&str| {
        !["harness_", "loop_", "drivers_", "bad_", "attack_", "twin_"]
            .iter()
            .any(|name| line.trim_start().starts_with(name))
    };
    out.lines().filter(own).map(without_pid).collect::<Vec<_>>().join("\n")
}

#[test]
fn describing_commands_are_the_same() {
    let (direct, proxied, _proxy) = both("psqlmeta_describe");
    let commands = [
        r"\d",
        r"\d customers",
        r"\d+ customers",
        r"\d vip_customers",
        r"\d events",
        r"\d+ events_2024_01",
        r"\d hr.*",
        r#"\d "UserProfiles""#,
        r#"\d "клиенты""#,
        r"\d v_customers",
        r"\d+ v_contact_card",
        r"\d mv_sales",
        r"\d customers_ssn_key",
        r"\d nosuchtable",
        r"\dt+",
        r"\dt *.*",
        r"\di",
        r"\dm",
        r"\dv+",
        r"\ds",
        r"\df",
        r"\df+ get_customer_email",
        r"\df *.vat",
        r"\da",
        r"\dT+",
        r"\dD",
        r"\dn",
        r"\dn+",
        r"\dp",
        r"\dx",
        r"\dX",
        r"\du",
        r"\drds",
        r"\ddp",
        r"\dO",
        r"\dL",
        r"\dy",
        r"\dRp",
        r"\dc+ utf8_to_win1258",
        r"\dC+",
        r"\sf order_total",
        r"\sv v_spend",
        r"\encoding",
        r"\dconfig work_mem",
    ];
    assert_same(&direct, &proxied, &commands.join("\n"));
    for command in commands {
        assert_same(&direct, &proxied, command);
    }
}

#[test]
fn the_list_of_databases_is_the_same() {
    let (direct, proxied, _proxy) = both("psqlmeta_list");
    let only = r"\l psqlmeta_list";
    assert_same(&direct, &proxied, only);
    assert_same(&direct, &proxied, r"\l+ template*");
    let listed = run(psql(&proxied), r"\l").ok().out;
    assert!(listed.contains("psqlmeta_list") && listed.contains("template1"), "{listed}");
}

#[test]
fn queries_and_their_presentation_are_the_same() {
    let (direct, proxied, _proxy) = both("psqlmeta_queries");
    for script in [
        "SELECT * FROM products ORDER BY id \\gx",
        "SELECT id, sku, price FROM products \\gdesc",
        "SELECT category, status, count(*) FROM products p JOIN orders o ON o.id = p.id \
         GROUP BY 1, 2 ORDER BY 1 \\crosstabview",
        "SELECT format('SELECT %s', g) FROM generate_series(1, 3) g \\gexec",
        "SELECT 1 AS a, NULL AS b \\gset\n\\echo :a :b",
        "\\set FETCH_COUNT 3\nSELECT * FROM products ORDER BY id;",
        "SELECT 1\\; SELECT 2\\; SELECT 3;",
        "SELECT 1; SELECT 1/0; SELECT 2;",
        "\\set VERBOSITY verbose\nSELECT nosuch FROM products;\n\\errverbose",
        "BEGIN; SELECT 1/0; SELECT 2; COMMIT; SELECT 3;",
        "\\set ON_ERROR_ROLLBACK on\nBEGIN; SELECT 1/0; SELECT 2; COMMIT;",
        "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT id FROM products ORDER BY id; FETCH 3 FROM c; \
         FETCH BACKWARD 1 FROM c; MOVE 2 IN c; FETCH ALL FROM c; COMMIT;",
        "PREPARE p(int) AS SELECT name FROM products WHERE id = $1; EXECUTE p(3); DEALLOCATE p; \
         EXECUTE p(1);",
        "EXPLAIN (COSTS OFF) SELECT * FROM products WHERE id = 1;",
        "SET datestyle = 'German'; SELECT date '2020-01-02'; SHOW timezone; RESET ALL;",
        "SET client_encoding = 'LATIN1'; SELECT chr(233); RESET client_encoding;",
        "LISTEN ch; NOTIFY ch; UNLISTEN *;",
        ";\n/* c */;\n-- x\n;\nSELECT;\n",
        "SELECT 'customers', 'ssn' AS \"customers.ssn\", $$email$$ AS email;",
        "-- customers\nSELECT /* ssn */ 1;",
    ] {
        assert_same(&direct, &proxied, script);
    }
}

#[test]
fn copy_goes_both_ways() {
    let (direct, proxied, proxy) = both("psqlmeta_copy");
    let file = proxy.config.path().join("products.csv");
    let file = file.to_str().expect("UTF-8");
    let read = || std::fs::read_to_string(file).expect("psql wrote it");
    let mut written = Vec::new();
    for target in [&direct, &proxied] {
        run(psql(target), &format!("\\copy products to '{file}' csv header")).ok();
        written.push(read());
        run(psql(target), &format!("\\copy (SELECT id, sku FROM products) to '{file}'")).ok();
        written.push(read());
    }
    assert_eq!(written[..2], written[2..]);
    run(psql(&proxied), "CREATE TABLE copied (id int, sku text);").ok();
    let said = run(psql(&proxied), &format!("\\copy copied from '{file}'")).ok().out;
    assert_eq!(said.trim(), "COPY 10");
    let check = "SELECT count(*), min(sku) FROM copied;";
    assert_same(&direct, &proxied, check);
    assert_same(&direct, &proxied, "\\copy copied from stdin\n1\tx\nbad\ty\n\\.\nSELECT 1;");
    run(psql(&proxied), &format!("\\copy customers (id, email) to '{file}'")).ok();
    let five = format!("5\t{}\n", masked(&email()));
    assert!(read().contains(&five) && !read().contains(&email()), "{}", read());
}

#[test]
fn completion_finds_the_same_names() {
    let (direct, proxied, _proxy) = both("psqlmeta_completion");
    let matching = |what: &str, from: &str, prefix: &str| {
        let length = prefix.len();
        format!(
            "SELECT {what} FROM {from} WHERE substring({what}, 1, {length}) = '{prefix}' \
             ORDER BY 1 LIMIT 1000;"
        )
    };
    let relation = "pg_catalog.quote_ident(c.relname)";
    let relations = "pg_catalog.pg_class c";
    let attributes = "SELECT pg_catalog.quote_ident(attname) FROM pg_catalog.pg_attribute a, \
         pg_catalog.pg_class c WHERE c.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped \
         AND (pg_catalog.quote_ident(relname) = 'customers' OR \
         '\"' || relname || '\"' = 'customers') AND pg_catalog.pg_table_is_visible(c.oid) \
         ORDER BY 1;";
    for query in [
        matching(relation, relations, "cust"),
        matching(relation, relations, "v_"),
        matching(relation, relations, "customers"),
        matching("pg_catalog.quote_ident(proname)", "pg_catalog.pg_proc", "get_customer"),
        matching("pg_catalog.quote_ident(nspname)", "pg_catalog.pg_namespace", "h"),
        matching("name", "pg_catalog.pg_settings", "work"),
        attributes.to_owned(),
    ] {
        assert_same(&direct, &proxied, &query);
    }
}

#[test]
fn watch_repeats_until_it_is_stopped() {
    let (_direct, proxied, _proxy) = both("psqlmeta_watch");
    let mut command = psql(&proxied);
    command.args(["-A", "-t"]);
    let mut session = Talker::start(command);
    session.say("SELECT 'seen ' || email FROM customers WHERE id = 5 \\watch 0.1");
    let expected = format!("seen {}", masked(&email()));
    let seen = (0..12).filter(|_| session.hear() == expected).count();
    assert!(seen >= 3, "{seen} times");
}
