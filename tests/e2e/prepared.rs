//! Statements that were prepared before what is hidden changed, and cancel requests meanwhile.

use crate::desk::{Shop, email, masked};
use crate::support::client::{parse, sync};
use crate::support::wait::until;
use crate::support::{Client, Postgres};

/// Computed over a mask: its text on the server depends on what is hidden.
const SELECT: &str = "SELECT lower(email) FROM customers WHERE id = 5";

fn raw() -> String {
    email().to_lowercase()
}

fn hidden() -> String {
    masked(&email()).to_lowercase()
}

/// A statement that the protocol has prepared, and one that SQL has.
fn prepare(client: &mut Client) {
    client.send(&[parse("p", SELECT), sync()].concat()).expect("open");
    client.until_ready().ok();
    client.query(&format!("PREPARE s AS {SELECT}")).ok();
}

#[test]
fn what_was_prepared_in_either_way_follows_the_grants() {
    let shop = Shop::open("prepared_follow");
    let mut alice = shop.alice().connect();
    prepare(&mut alice);
    let both =
        |client: &mut Client| ["EXECUTE p", "EXECUTE s"].map(|sql| client.query(sql).ok().scalar());
    assert_eq!(both(&mut alice), [hidden(), hidden()]);
    shop.dba().grant("public.customers.email", "alice");
    assert_eq!(both(&mut alice), [raw(), raw()], "in the session that is open");
    alice.query("BEGIN").ok();
    assert_eq!(both(&mut alice), [raw(), raw()]);
    shop.dba().revoke("alice");
    assert_eq!(both(&mut alice), [hidden(), hidden()], "in the middle of a transaction");
    alice.query("COMMIT").ok();
    assert_eq!(both(&mut alice), [hidden(), hidden()]);
    let expected = ["26000".to_owned(), "26000".to_owned()];
    alice.query("DISCARD ALL").ok();
    assert_eq!(["EXECUTE p", "EXECUTE s"].map(|sql| alice.query(sql).code()), expected);
}

/// Whether somebody waits for a lock on the customers.
fn waits(server: &Postgres, database: &str) -> bool {
    let sql =
        "SELECT count(*) FROM pg_locks WHERE relation = 'customers'::regclass AND NOT granted";
    server.admin(database).query(sql).ok().scalar() == "1"
}

#[test]
fn a_cancel_request_reaches_a_statement_that_waits_for_its_preparation() {
    let shop = Shop::open("prepared_cancel");
    let mut alice = shop.alice().connect();
    prepare(&mut alice);
    shop.dba().grant("public.customers.email", "alice");
    for (sql, begin, status) in [
        ("EXECUTE p", "", 'I'),
        ("EXECUTE s", "", 'I'),
        ("EXECUTE p", "BEGIN", 'E'),
        ("EXECUTE s", "BEGIN", 'E'),
    ] {
        if !begin.is_empty() {
            alice.query(begin).ok();
        }
        let mut other = shop.server.admin(&shop.database);
        other.query("BEGIN").ok();
        other.query("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE").ok();
        alice.start(sql);
        until("it waits for the lock", || waits(shop.server, &shop.database).then_some(()));
        alice.cancel().expect("the port answers");
        let reply = alice.until_ready();
        assert_eq!((reply.code(), reply.status()), ("57014".to_owned(), Some(status)), "{sql}");
        let said = reply.error().expect("an error").text().to_owned();
        assert_eq!(said, "canceling statement due to user request", "{sql}");
        other.query("ROLLBACK").ok();
        alice.query("ROLLBACK");
        assert_eq!(alice.query(sql).ok().scalar(), raw(), "{sql}: it is still prepared");
        // For the next round.
        shop.dba().revoke("alice");
        assert_eq!(alice.query(sql).ok().scalar(), hidden(), "{sql}");
        shop.dba().grant("public.customers.email", "alice");
    }
}
