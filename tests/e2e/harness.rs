//! The tests' own tools, tried on a direct connection.

use crate::desk::email;
use crate::support::postgres::Postgres;
use crate::support::programs;
use crate::support::traps::{self, Variant};
use crate::support::{Format, Talker, Tap};

/// Columns of the traps that are no personal data, and views that show none.
const HARMLESS: [&str; 12] = [
    "SELECT id, balance, created_at FROM customers",
    "SELECT * FROM products",
    "SELECT * FROM orders",
    "SELECT * FROM order_items",
    "SELECT id, order_id, amount, paid_at, method FROM payments",
    "SELECT id, dept, manager_id, hired FROM hr.employees",
    "SELECT id, customer_id, at, kind FROM events",
    "SELECT * FROM public.contacts",
    "SELECT id, customer_id, agent, state FROM support_tickets",
    "SELECT id, result, checked_on FROM kyc_checks",
    "SELECT * FROM v_catalogue",
    "SELECT current_timestamp, now(), pg_backend_pid(), oid FROM pg_class",
];

#[test]
fn harmless_columns_hold_no_canary() {
    let server = Postgres::shared();
    traps::create(server, "harness_harmless", Variant::A);
    let mut client = server.direct("harness_harmless").connect();
    for sql in HARMLESS {
        assert!(client.query(sql).ok().rows().len() > 3, "{sql}");
    }
    let leaks = traps::finder(Variant::A).find(&client.heard, b"");
    assert_eq!(leaks, []);
}

#[test]
fn canaries_are_found_in_every_disguise() {
    let server = Postgres::shared();
    traps::create(server, "harness_disguise", Variant::A);
    let finder = traps::finder(Variant::A);
    for sql in [
        "SELECT email FROM customers WHERE id = 5",
        "SELECT substr(email, 3, 5) FROM customers WHERE id = 5",
        "SELECT upper(email) FROM customers WHERE id = 5",
        "SELECT reverse(email) FROM customers WHERE id = 5",
        "SELECT encode(convert_to(email, 'UTF8'), 'hex') FROM customers WHERE id = 5",
        "SELECT encode(convert_to(email, 'UTF8'), 'base64') FROM customers WHERE id = 5",
        "SELECT encode(convert_to('x' || email, 'UTF8'), 'base64') FROM customers WHERE id = 5",
        "SELECT array_agg(get_byte(convert_to(email, 'UTF8'), i)) \
         FROM customers, generate_series(2, 9) i WHERE id = 5",
        "SELECT ssn FROM customers WHERE id = 5",
        "SELECT scan FROM id_scans WHERE customer_id = 3",
        "SELECT phone FROM customers WHERE id = 5",
        "SELECT salary FROM hr.employees WHERE id = 5",
        "SELECT * FROM \"клиенты\" WHERE \"ид\" = 3",
        "SELECT json_build_object('a', emails) FROM contact_points WHERE customer_id = 3",
        "SELECT dob FROM customers WHERE id = 5",
        "SELECT ip FROM events WHERE id = 5",
        "SELECT address->'geo'->'lat' FROM customers WHERE id = 5",
    ] {
        let mut client = server.direct("harness_disguise").connect();
        client.query(sql).ok();
        assert_ne!(finder.find(&client.heard, sql.as_bytes()), [], "{sql}");
    }
}

#[test]
fn what_the_client_said_itself_is_no_leak() {
    let finder = traps::finder(Variant::A);
    let email = traps::stored(Variant::A, "customers.email", 5);
    let sql = format!("SELECT '{email}'");
    assert_ne!(finder.find(email.as_bytes(), b""), []);
    assert_eq!(finder.find(email.as_bytes(), sql.as_bytes()), []);
}

#[test]
fn variants_differ_in_hidden_values_only() {
    for (a, b) in traps::plan(Variant::A).planted.iter().zip(&traps::plan(Variant::B).planted) {
        assert_eq!((a.column, a.hidden.start), (b.column, b.hidden.start));
        assert_ne!(a.value, b.value, "{} {}", a.column, a.id);
        assert_eq!(a.value[..a.hidden.start], b.value[..b.hidden.start], "{} {}", a.column, a.id);
        assert_eq!(a.value[a.hidden.end..], b.value[b.hidden.end..], "{} {}", a.column, a.id);
    }
}

#[test]
fn variants_have_the_same_oids() {
    let server = Postgres::shared();
    let oids = |variant, name: &str| {
        traps::create(server, name, variant);
        let sql = "SELECT oid, relname, relpages, reltuples FROM pg_class \
                   WHERE oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace ORDER BY 1";
        server.admin(name).query(sql).ok().rows()
    };
    let (a, b) = (oids(Variant::A, "harness_oids_a"), oids(Variant::B, "harness_oids_b"));
    let differs: Vec<_> = a.iter().zip(&b).filter(|(a, b)| a != b).collect();
    assert!(differs.is_empty() && a.len() == b.len() && a.len() > 50, "{differs:?}");
}

#[test]
fn a_tap_keeps_every_byte_and_changes_none() {
    let server = Postgres::shared();
    traps::create(server, "harness_tap", Variant::A);
    let tap = Tap::new(server.port());
    let mut client = tap.through(&server.direct("harness_tap")).connect();
    let reply = client.extended("SELECT id, sku FROM products", &[], Format::Binary).ok();
    assert_eq!(reply.raw_rows().len(), 10);
    assert!(tap.to_client().ends_with(&client.heard));
    assert!(!client.heard.is_empty());
}

#[test]
fn a_server_that_was_stopped_starts_again() {
    let server = Postgres::start(crate::support::Version::V18);
    assert!(server.admin("postgres").query("SHOW server_version").scalar().starts_with("18"));
    server.stop();
    server.start_again();
    assert_eq!(server.admin("postgres").query("SELECT 1").scalar(), "1");
}

#[test]
fn every_driver_reads_the_address_directly() {
    let server = Postgres::shared();
    traps::create(server, "harness_drivers", Variant::A);
    let target = server.direct("harness_drivers");
    for program in [
        programs::python("loop_psycopg.py", &target),
        programs::python("loop_sqlalchemy.py", &target),
        programs::python("loop_asyncpg.py", &target),
        programs::node("loop_pg.js", &target),
    ] {
        let answer = Talker::start(program).ask("read");
        let ways: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&answer).expect("JSON");
        assert!(ways.len() >= 4 && ways.values().all(|way| *way == email()), "{answer}");
    }
}
