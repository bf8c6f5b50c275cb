//! Attacks that choose the next question by the last answer.
//!
//! Each digs for the two digits in the middle of customer 7's number, or for the first letters of
//! an address, and says what it believes. Without the proxy it finds the truth; through the proxy
//! it believes the same of both twins.

use super::lab::Lab;
use crate::support::Client;
use crate::support::traps::{self, Variant};

/// What a session made the attacker believe.
type Dig = fn(&mut Client) -> String;

const DIGS: [(&str, Dig, &str); 7] = [
    ("binary search by the position of a probe row", by_order, "customers.ssn"),
    ("rows of an UPDATE", by_update_count, "customers.ssn"),
    ("rows of an INSERT that does nothing on conflict", by_conflict, "customers.ssn"),
    ("unique violations under savepoints", by_unique_violation, "customers.ssn"),
    ("foreign keys", by_foreign_key, "customers.ssn"),
    ("divisions by zero", by_error, "customers.ssn"),
    ("prefixes letter by letter", by_prefix, "customers.email"),
];

#[test]
fn adaptive() {
    let mut lab = Lab::open("adaptive");
    let mut failures = Vec::new();
    for (title, dig, column) in DIGS {
        let truth = |variant| {
            let stored = traps::stored(variant, column, 7);
            if column == "customers.ssn" { stored[4..6].to_owned() } else { stored[..4].to_owned() }
        };
        let believed = lab.direct().map(|target| dig(&mut target.connect()));
        lab.clean_up();
        if believed != [truth(Variant::A), truth(Variant::B)] {
            failures.push(format!("{title}: without the proxy it fails: {believed:?}"));
        }
        lab.expect_masks();
        let [a, b] = lab.proxied().map(|target| dig(&mut target.connect()));
        lab.clean_up();
        if a != b {
            failures.push(format!("{title}: the twins differ: {a} and {b}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn by_order(client: &mut Client) -> String {
    let (mut low, mut high) = (10, 99);
    while low < high {
        let middle = (low + high + 1) / 2;
        let first = client.query(&format!(
            "SELECT id FROM (SELECT id, ssn FROM customers WHERE id = 7 \
             UNION ALL SELECT -1, '900-{middle}') t ORDER BY ssn, id LIMIT 1"
        ));
        match first.rows() {
            rows if rows == [["-1"]] => low = middle,
            _ => high = middle - 1,
        }
    }
    low.to_string()
}

/// The first number for which `ask` says yes.
fn first_of_all(mut ask: impl FnMut(&str) -> bool) -> String {
    let found = (10..100).find(|middle| ask(&format!("900-{middle}-1207")));
    found.map_or_else(|| "nothing".to_owned(), |middle| middle.to_string())
}

fn by_update_count(client: &mut Client) -> String {
    client.query("BEGIN");
    first_of_all(|guess| {
        let sql = format!("UPDATE customers SET balance = balance WHERE ssn = '{guess}'");
        client.query(&sql).tags() == ["UPDATE 1"]
    })
}

fn by_conflict(client: &mut Client) -> String {
    first_of_all(|guess| {
        let sql = format!(
            "BEGIN; INSERT INTO customers (full_name, email, ssn) \
             VALUES ('x', 'x@x.test', '{guess}') ON CONFLICT DO NOTHING; ROLLBACK"
        );
        let reply = client.query(&sql);
        client.query("ROLLBACK");
        reply.tags().iter().any(|tag| tag == "INSERT 0 0")
    })
}

fn by_unique_violation(client: &mut Client) -> String {
    client.query("BEGIN");
    first_of_all(|guess| {
        client.query("SAVEPOINT s");
        let reply = client.query(&format!("UPDATE customers SET ssn = '{guess}' WHERE id = 8"));
        client.query("ROLLBACK TO s");
        reply.code() == "23505"
    })
}

fn by_foreign_key(client: &mut Client) -> String {
    client.query("BEGIN");
    client.query("SET CONSTRAINTS ALL IMMEDIATE");
    first_of_all(|guess| {
        client.query("SAVEPOINT s");
        let sql = format!("INSERT INTO kyc_checks VALUES (700, '{guess}', 'x', '2024-01-01')");
        let reply = client.query(&sql);
        client.query("ROLLBACK TO s");
        reply.error().is_none()
    })
}

fn by_error(client: &mut Client) -> String {
    first_of_all(|guess| {
        let sql = format!("SELECT 1 / (ssn <> '{guess}')::int FROM customers WHERE id = 7");
        client.query(&sql).code() == "22012"
    })
}

fn by_prefix(client: &mut Client) -> String {
    let mut prefix = String::new();
    while prefix.len() < 4 {
        let next = ('a'..='z').find(|letter| {
            let sql = format!(
                "SELECT count(*) FROM customers WHERE id = 7 AND email LIKE '{prefix}{letter}%'"
            );
            client.query(&sql).rows() == [["1"]]
        });
        match next {
            Some(letter) => prefix.push(letter),
            None => break,
        }
    }
    prefix
}
