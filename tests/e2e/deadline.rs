//! A grant ends in the middle of what it shows: how long after its end the client is told so.
//!
//! The figures are printed (`--nocapture`); what is asserted is that everything ends.

use std::time::Duration;

use keyhole::model::Timestamp;

use crate::desk::{EMAIL, Shop, email, masked};
use crate::support::Client;
use crate::support::client::{bind, describe, execute, parse, query, sync};
use crate::support::message::Format;
use crate::support::wait::until;

/// A row every 20 ms, for twenty seconds.
const SLOW: &str =
    "SELECT email, pg_sleep(0.02)::text FROM customers, generate_series(1, 1000) WHERE id = 5";

const ROUNDS: usize = 3;

fn wall() -> Timestamp {
    Timestamp::now()
}

/// Alice may read addresses for a second from now; when that ends.
fn short_grant(shop: &Shop) -> Timestamp {
    let mut dba = shop.dba();
    dba.say("GRANT READ ON shop.public.customers.email TO alice FOR '1 second' REASON 'INC-7: x'");
    let grants = dba.say("SHOW GRANTS");
    let at = grants.columns().iter().position(|column| column.name == "expires_at");
    let end = grants.rows().last().expect("a grant")[at.expect("a column")].clone();
    end.parse().expect("a timestamp")
}

/// Reads until the error; when it came.
fn told(session: &mut Client) -> (String, Timestamp) {
    loop {
        let message = session.read().expect("in time").expect("an open connection");
        match message.tag {
            b'E' => return (message.error().code().to_owned(), wall()),
            b'Z' => return (String::new(), wall()),
            _ => session.forget(),
        }
    }
}

#[test]
fn what_streams_is_cut_at_its_end_and_the_query_is_cancelled() {
    let shop = Shop::open("deadline_stream");
    let extended = |format| {
        let bound = bind("", "", &[], format);
        [parse("", SLOW), bound, describe(b'P', ""), execute("", 0), sync()].concat()
    };
    let declare = format!("BEGIN; DECLARE c CURSOR FOR {SLOW}; FETCH ALL FROM c");
    let ways = [
        ("a simple query", query(SLOW)),
        ("a prepared statement", extended(Format::Binary)),
        ("COPY", query(&format!("COPY ({SLOW}) TO STDOUT"))),
        ("a cursor", query(&declare)),
        ("an open transaction", query(&format!("BEGIN; {SLOW}"))),
    ];
    let mut late: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        for (way, bytes) in &ways {
            let end = short_grant(&shop);
            let mut session = shop.alice().connect();
            session.send(bytes).expect("alive");
            let (code, at) = told(&mut session);
            assert_eq!(code, "42501", "{way}");
            let after = Duration::try_from(at.duration_since(end)).unwrap_or_default();
            eprintln!("{way}: told {:.1} ms after the end", after.as_secs_f64() * 1e3);
            late.push(after);
            session.until_ready();
            session.query("ROLLBACK").ok();
            assert_eq!(session.query(EMAIL).ok().scalar(), masked(&email()), "{way}: usable");
            let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
                           AND query LIKE '%pg_sleep(0.02)%' AND pid <> pg_backend_pid()";
            let mut direct = shop.direct().connect();
            until("the query is cancelled", || {
                (direct.query(running).ok().scalar() == "0").then_some(())
            });
        }
    }
    late.sort();
    let worst = late.last().copied().unwrap_or_default();
    eprintln!("median {:?}, worst {worst:?} of {}", late[late.len() / 2], late.len());
    assert!(worst < Duration::from_secs(10), "{worst:?}");
}
