//! The loop in the hands of real clients: one open session each, every way of asking it has.

use std::process::Command;

use crate::desk::{EMAIL, REQUEST, Shop, email, masked};
use crate::support::programs;
use crate::support::traps::{self, Variant};
use crate::support::{Talker, Tap, Target};

#[test]
fn psycopg_sees_the_loop() {
    loop_with("drivers_psycopg", |target| programs::python("loop_psycopg.py", target));
}

#[test]
fn sqlalchemy_sees_the_loop() {
    loop_with("drivers_sqlalchemy", |target| programs::python("loop_sqlalchemy.py", target));
}

#[test]
fn asyncpg_sees_the_loop() {
    loop_with("drivers_asyncpg", |target| programs::python("loop_asyncpg.py", target));
}

#[test]
fn node_postgres_sees_the_loop() {
    loop_with("drivers_node", |target| programs::node("loop_pg.js", target));
}

/// Each program answers `read` with a JSON object, way of asking → address, and `request` with
/// `requested`.
fn loop_with(name: &str, program: impl FnOnce(&Target) -> Command) {
    let shop = Shop::open(name);
    let tap = Tap::new(shop.proxy.data_port());
    let mut client = Talker::start(program(&tap.through(&shop.alice())));
    let mut dba = shop.dba();
    let (raw, hidden) = (email(), masked(&email()));

    assert_all(&client.ask("read"), &hidden, "before any grant");
    assert_eq!(client.ask("request"), "requested");
    assert_all(&client.ask("read"), &hidden, "while the request is pending");
    let leaks = traps::finder(Variant::A).find(&after_login(&tap.to_client()), b"");
    assert_eq!(leaks, [], "without a grant");

    dba.approve("alice");
    assert_all(&client.ask("read"), &raw, "after approval");
    dba.revoke("alice");
    let before = tap.to_client().len();
    assert_all(&client.ask("read"), &hidden, "after revocation");
    let leaks = traps::finder(Variant::A).find(&after_login(&tap.to_client()[before..]), b"");
    assert_eq!(leaks, [], "after revocation");
}

/// Without what is drawn at random in a login: AuthenticationSASLContinue and -Final.
fn after_login(heard: &[u8]) -> Vec<u8> {
    let (mut kept, mut rest) = (Vec::new(), heard);
    while let Some((&first, others)) = rest.split_first() {
        let is_sasl = rest.get(5..9).is_some_and(|code| matches!(code, [0, 0, 0, 11 | 12]));
        let len = rest.get(1..5).and_then(|len| len.try_into().ok()).map(u32::from_be_bytes);
        match len.and_then(|len| rest.get(1 + len as usize..)) {
            Some(behind) if first == b'R' && is_sasl => rest = behind,
            Some(_) | None => {
                kept.push(first);
                rest = others;
            }
        }
    }
    kept
}

#[track_caller]
fn assert_all(answer: &str, expected: &str, when: &str) {
    let ways: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(answer).unwrap_or_else(|error| panic!("{answer}: {error}"));
    let wrong: Vec<_> = ways.iter().filter(|(_, value)| *value != expected).collect();
    assert!(wrong.is_empty() && ways.len() >= 4, "{when}, expected {expected}: {ways:?}");
}

#[test]
fn psql_sees_the_loop() {
    let shop = Shop::open("drivers_psql");
    let mut command = programs::psql(&shop.alice());
    command.args(["-A", "-t", "-q"]).stderr(std::process::Stdio::null());
    let mut psql = Talker::start(command);
    let mut ask = |sql: &str| {
        psql.say(sql);
        // The shell's echo makes psql flush what it has printed.
        psql.say("\\! echo --");
        let mut lines = Vec::new();
        loop {
            match psql.hear() {
                line if line == "--" => return lines.join("\n"),
                line => lines.push(line),
            }
        }
    };
    let (raw, hidden) = (email(), masked(&email()));
    let mut dba = shop.dba();
    let ways = [
        format!("{EMAIL};"),
        format!("{EMAIL} \\g"),
        format!("PREPARE kept AS {EMAIL}; EXECUTE kept; DEALLOCATE kept;"),
        format!("\\copy ({EMAIL}) to stdout"),
    ];
    ask(&format!("PREPARE before AS {EMAIL};"));
    for way in &ways {
        assert_eq!(ask(way), hidden, "{way}");
    }
    assert_eq!(ask("EXECUTE before;"), hidden);
    assert_ne!(ask(&format!("{REQUEST};")), "");
    dba.approve("alice");
    for way in &ways {
        assert_eq!(ask(way), raw, "{way}");
    }
    // What SQL has prepared is prepared again when it means something else.
    assert_eq!(ask("EXECUTE before;"), raw);
    ask(&format!("PREPARE under AS {EMAIL};"));
    assert_eq!(ask("EXECUTE under;"), raw);
    dba.revoke("alice");
    for way in &ways {
        assert_eq!(ask(way), hidden, "{way}");
    }
    assert_ne!(ask("EXECUTE under;"), raw);
}

#[test]
fn tokio_postgres_sees_the_loop() {
    let shop = Shop::open("drivers_tokio");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(tokio_loop(&shop));
}

async fn tokio_loop(shop: &Shop) {
    let url = shop.alice().url() + "?sslmode=disable";
    let (client, connection) =
        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a session");
    #[expect(clippy::disallowed_methods, reason = "the driver's connection needs a task")]
    tokio::spawn(connection);
    let kept = client.prepare("SELECT email FROM customers WHERE id = $1").await.expect("prepared");
    let mut dba = shop.dba();
    let (raw, hidden) = (email(), masked(&email()));
    for (step, expected) in ["masked", "granted", "revoked"].iter().zip([&hidden, &raw, &hidden]) {
        match *step {
            "granted" => dba.approve("alice"),
            "revoked" => dba.revoke("alice"),
            _ => {}
        }
        let simple = client.simple_query(EMAIL).await.expect("rows");
        let simple = simple.iter().find_map(|message| {
            let tokio_postgres::SimpleQueryMessage::Row(row) = message else { return None };
            row.get(0).map(str::to_owned)
        });
        assert_eq!(simple.as_ref(), Some(expected), "simple, {step}");
        // The driver asks for binary results in all that follows.
        let row = client.query_one(EMAIL, &[]).await.expect("a row");
        assert_eq!(row.get::<_, String>(0), *expected, "extended, {step}");
        let row = client.query_one(&kept, &[&5i32]).await.expect("a row");
        assert_eq!(row.get::<_, String>(0), *expected, "prepared, {step}");
        if *step == "masked" {
            client.simple_query(REQUEST).await.expect("a request");
        }
    }
}
