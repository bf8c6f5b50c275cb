//! When a grant ends, what it had opened ends with it: streams, portals, cursors, statements.

use std::time::Duration;

use crate::desk::{EMAIL, Shop, email, masked};
use crate::support::Client;
use crate::support::client::{bind, describe, execute, parse, query, sync};
use crate::support::message::{Format, Reply};
use crate::support::wait::until;

/// Big enough that no buffer on the way holds all of it: 200 MB.
const STREAM: &str = "SELECT email, repeat('x', 1000) FROM customers, generate_series(1, 200000) \
                      WHERE id = 5";
const STREAM_ROWS: usize = 200_000;

/// Alice may read addresses.
fn granted(name: &str) -> Shop {
    let shop = Shop::open(name);
    shop.dba().grant("public.customers.email", "alice");
    shop
}

/// Starts the statement and reads the first rows of it, no more.
fn first_rows(session: &mut Client, start: &[u8]) {
    session.send(start).expect("alive");
    let mut rows = 0;
    while rows < 100 {
        let message = session.read().expect("in time").expect("an open connection");
        assert_ne!(message.tag, b'E', "{}", message.error());
        rows += usize::from([b'D', b'd'].contains(&message.tag));
    }
}

/// Reads on to the end, and tells how many rows still came and the error.
fn rest(session: &mut Client) -> (usize, String) {
    let (mut rows, mut code) = (0, String::new());
    while let Ok(Some(message)) = session.read() {
        match message.tag {
            b'D' | b'd' => rows += 1,
            b'E' => message.error().code().clone_into(&mut code),
            b'Z' => break,
            _ => {}
        }
        // Nobody wants to keep 200 MB.
        session.forget();
    }
    (rows, code)
}

fn unnamed(sql: &str, format: Format) -> Vec<u8> {
    let bound = bind("", "", &[], format);
    [parse("", sql), bound, describe(b'P', ""), execute("", 0), sync()].concat()
}

#[test]
fn a_stream_is_cut_when_its_grant_is_revoked() {
    let shop = granted("expiry_stream_revoked");
    for start in [
        query(STREAM),
        unnamed(STREAM, Format::Text),
        unnamed(STREAM, Format::Binary),
        query(&format!("COPY ({STREAM}) TO STDOUT")),
    ] {
        let mut session = shop.alice().connect();
        first_rows(&mut session, &start);
        shop.dba().revoke("alice");
        let (rows, code) = rest(&mut session);
        assert_eq!(code, "42501", "after {rows} more rows");
        assert!(rows < STREAM_ROWS / 2, "{rows} more rows");
        shop.dba().grant("public.customers.email", "alice");
    }
}

#[test]
fn a_stream_is_cut_when_its_grant_expires() {
    let shop = Shop::open("expiry_stream_expired");
    shop.dba().say(
        "GRANT READ ON shop.public.customers.email TO alice FOR '2 seconds' REASON 'INC-7: short'",
    );
    let mut session = shop.alice().connect();
    first_rows(&mut session, &query(STREAM));
    std::thread::sleep(Duration::from_secs(3));
    let (rows, code) = rest(&mut session);
    assert_eq!(code, "42501", "after {rows} more rows");
    assert!(rows < STREAM_ROWS / 2, "{rows} more rows");
}

#[test]
fn a_revoked_grant_cuts_an_open_cursor() {
    let shop = granted("expiry_cursor");
    for declare in [
        "DECLARE c CURSOR FOR SELECT email FROM customers ORDER BY id",
        "DECLARE c BINARY CURSOR FOR SELECT email FROM customers ORDER BY id",
        "DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT email FROM customers ORDER BY id",
    ] {
        let mut session = shop.alice().connect();
        session.query("BEGIN").ok();
        session.query(declare).ok();
        session.query("MOVE 4 FROM c").ok();
        assert_eq!(session.query("FETCH 1 FROM c").ok().scalar(), email());
        if declare.contains("HOLD") {
            session.query("COMMIT").ok();
        }
        shop.dba().revoke("alice");
        assert_eq!(session.query("FETCH 1 FROM c").code(), "42501", "{declare}");
        session.query("ROLLBACK");
        assert_eq!(session.query(EMAIL).ok().scalar(), masked(&email()), "{declare}");
        shop.dba().grant("public.customers.email", "alice");
    }
}

#[test]
fn a_revoked_grant_cuts_a_portal_that_waits() {
    let shop = granted("expiry_portal");
    for format in [Format::Text, Format::Binary] {
        let mut session = shop.alice().connect();
        session.query("BEGIN").ok();
        let frames = [
            parse("s", "SELECT email FROM customers WHERE id >= 5 ORDER BY id"),
            bind("p", "s", &[], format),
            execute("p", 1),
            sync(),
        ];
        session.send(&frames.concat()).expect("alive");
        assert_eq!(session.until_ready().ok().scalar(), email());
        shop.dba().revoke("alice");
        session.send(&[execute("p", 1), sync()].concat()).expect("alive");
        let reply = session.until_ready();
        assert_eq!(reply.code(), "42501", "{format:?}: {reply:?}");
        assert_eq!(reply.raw_rows().len(), 0, "{format:?}");
        shop.dba().grant("public.customers.email", "alice");
    }
}

/// Masked or refused, but not raw.
#[track_caller]
fn assert_hidden(what: &str, reply: &Reply) {
    match reply.error() {
        Some(error) => assert_eq!(error.code(), "42501", "{what}: {error}"),
        None => assert_eq!(reply.scalar(), masked(&email()), "{what}"),
    }
}

#[test]
fn what_was_prepared_under_a_grant_hides_without_it() {
    let shop = granted("expiry_prepared");
    let mut session = shop.alice().connect();
    session.query(&format!("PREPARE s AS {EMAIL}")).ok();
    session.send(&[parse("p", EMAIL), sync()].concat()).expect("alive");
    session.until_ready().ok();
    let mut kept = |format| {
        let frames = [bind("", "p", &[], format), execute("", 0), sync()];
        session.send(&frames.concat()).expect("alive");
        let extended = session.until_ready();
        (session.query("EXECUTE s"), extended)
    };
    let (sql, extended) = kept(Format::Text);
    assert_eq!((sql.ok().scalar(), extended.ok().scalar()), (email(), email()));
    shop.dba().revoke("alice");
    for format in [Format::Text, Format::Binary] {
        let (sql, extended) = kept(format);
        assert_eq!(sql.ok().scalar(), masked(&email()), "EXECUTE");
        assert_hidden("Bind", &extended);
    }
}

#[test]
fn what_was_prepared_before_a_grant_shows_raw_under_it_and_hides_after_it() {
    let shop = Shop::open("expiry_prepared_before");
    let mut session = shop.alice().connect();
    let lower = "SELECT lower(email) FROM customers WHERE id = $1";
    session.query(&format!("PREPARE s (int) AS {lower}; SELECT 1")).ok();
    session.query(&format!("PREPARE \"Odd \"\" name\" (int) AS {lower}")).ok();
    let mut all = |in_transaction: bool| {
        if in_transaction {
            session.query("BEGIN").ok();
        }
        let mut seen = vec![session.query("EXECUTE \"Odd \"\" name\"(5)").ok().scalar()];
        let frames = [bind("", "Odd \" name", &[Some("5")], Format::Text), execute("", 0), sync()];
        session.send(&frames.concat()).expect("alive");
        seen.push(session.until_ready().ok().scalar());
        if in_transaction {
            session.query("COMMIT").ok();
        }
        // Prepared beside something else, it stays what it was.
        let beside = session.query("EXECUTE s(5)").ok().scalar();
        assert_eq!(beside, masked(&email()));
        seen.dedup();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    };
    for in_transaction in [false, true] {
        assert_eq!(all(in_transaction), masked(&email()));
        shop.dba().grant("public.customers.email", "alice");
        assert_eq!(all(in_transaction), email());
        shop.dba().revoke("alice");
        assert_eq!(all(in_transaction), masked(&email()));
    }
}

#[test]
fn a_portal_of_an_execute_is_judged_by_what_the_name_stands_for_when_it_runs() {
    let shop = Shop::open("expiry_portal_of_execute");
    let mut session = shop.alice().connect();
    session.query("PREPARE s AS SELECT lower(email) FROM customers WHERE id = 5").ok();
    session.query("BEGIN").ok();
    let frames = [parse("x", "EXECUTE s"), bind("p", "x", &[], Format::Text), sync()];
    session.send(&frames.concat()).expect("alive");
    session.until_ready().ok();
    shop.dba().grant("public.customers.email", "alice");
    assert_eq!(session.query("EXECUTE s").ok().scalar(), email());
    shop.dba().revoke("alice");
    session.send(&[execute("p", 0), sync()].concat()).expect("alive");
    assert_hidden("Execute", &session.until_ready());
}

#[test]
fn a_portal_bound_under_a_grant_is_not_executed_without_it() {
    let shop = granted("expiry_bound");
    let mut session = shop.alice().connect();
    session.query("BEGIN").ok();
    let frames = [parse("", EMAIL), bind("p", "", &[], Format::Text), sync()];
    session.send(&frames.concat()).expect("alive");
    session.until_ready().ok();
    shop.dba().revoke("alice");
    session.send(&[execute("p", 0), sync()].concat()).expect("alive");
    assert_hidden("Execute", &session.until_ready());
}

#[test]
fn a_statement_that_waits_does_not_outlive_its_grant() {
    let shop = granted("expiry_waiting");
    let mut session = shop.alice().connect();
    session.start("SELECT email, pg_sleep(1.5) IS NULL FROM customers WHERE id = 5");
    std::thread::sleep(Duration::from_millis(300));
    shop.dba().revoke("alice");
    assert_hidden("a row that comes later", &session.until_ready());
}

#[test]
fn a_later_statement_of_a_message_does_not_outlive_the_grant() {
    let shop = granted("expiry_message");
    let mut session = shop.alice().connect();
    session.start(&format!("SELECT 1 FROM pg_sleep(1.5); {EMAIL}"));
    std::thread::sleep(Duration::from_millis(300));
    shop.dba().revoke("alice");
    let reply = session.until_ready();
    assert!(!reply.rows().iter().any(|row| row[0] == email()), "{reply:?}");
    assert!(reply.code() == "42501" || reply.rows().len() == 2, "{reply:?}");
}

#[test]
fn a_snapshot_of_old_rows_is_masked_too() {
    let shop = granted("expiry_snapshot");
    let mut session = shop.alice().connect();
    session.query("BEGIN ISOLATION LEVEL REPEATABLE READ").ok();
    assert_eq!(session.query(EMAIL).ok().scalar(), email());
    shop.dba().revoke("alice");
    assert_eq!(session.query(EMAIL).ok().scalar(), masked(&email()));
}

#[test]
fn of_two_grants_one_goes_and_the_other_counts() {
    let shop = granted("expiry_two");
    shop.dba().grant("public.customers.email", "alice");
    let mut session = shop.alice().connect();
    shop.dba().revoke("alice");
    assert_eq!(session.query(EMAIL).ok().scalar(), email());
}

#[test]
fn a_killed_session_ends() {
    let shop = granted("expiry_kill");
    let mut session = shop.alice().connect();
    assert_eq!(session.query(EMAIL).ok().scalar(), email());
    let mut dba = shop.dba();
    let sessions = dba.say("SHOW SESSIONS");
    let at = |name: &str| {
        let found = sessions.columns().iter().position(|column| column.name == name);
        found.unwrap_or_else(|| panic!("SHOW SESSIONS has no column {name}"))
    };
    let mine = sessions.rows().into_iter().find(|row| row[at("user")] == "alice");
    let id = mine.expect("alice has a session")[at("id")].clone();
    dba.say(&format!("KILL SESSION {id}"));
    session.send(&query("SELECT 1")).ok();
    let reply = session.until_ready();
    assert_eq!((reply.code(), reply.status()), ("57P01".to_owned(), None), "{reply:?}");
}

#[test]
fn a_reload_that_takes_a_class_away_counts_in_open_sessions() {
    let shop = Shop::open("expiry_reload");
    let mut session = shop.alice().connect();
    let sku = "SELECT sku FROM products WHERE id = 1";
    assert_eq!(session.query(sku).ok().scalar(), "SKU-1");
    let more = "\n[[table]]\nname = \"public.products\"\ncolumns = { sku = \"personal\" }\n";
    let catalog = crate::support::traps::CATALOG.to_owned() + more;
    let reload = |catalog: &str| {
        std::fs::write(shop.proxy.config.path().join("shop.toml"), catalog).expect("writable");
        shop.dba().say("RELOAD");
    };
    reload(&catalog);
    assert_eq!(session.query(sku).ok().scalar(), "***");
    reload(crate::support::traps::CATALOG);
    // Showing more may wait for the schema to be bound again; hiding more may not.
    until("the old catalog counts", || (session.query(sku).ok().scalar() == "SKU-1").then_some(()));
}

/// PL/pgSQL reads cursors and portals by names that no text mentions.
#[test]
fn a_function_reads_no_cursor_whose_grant_is_over() {
    let shop = granted("expiry_refcursor");
    let mut session = shop.alice().connect();
    let grab = "CREATE FUNCTION grab(c refcursor) RETURNS text LANGUAGE plpgsql AS \
                $$ DECLARE r record; BEGIN FETCH c INTO r; RETURN r::text; END $$";
    assert_eq!(session.query(grab).code(), "42501");
    shop.direct().connect().query(grab).ok();
    // The schema is read again after a definition.
    session.query("CREATE TABLE anything (a int)").ok();
    session.query("BEGIN").ok();
    session.query("DECLARE c CURSOR FOR SELECT email FROM customers WHERE id = 5").ok();
    shop.dba().revoke("alice");
    let reply = session.query("SELECT grab('c')");
    assert!(!format!("{:?}", reply.rows()).contains(&email()), "read after the grant");
}

/// A grant on every row for half an hour, beside one on another row that stays.
fn granted_beside_a_row(name: &str) -> Shop {
    let shop = Shop::open(name);
    shop.dba().say(
        "GRANT READ ON shop.public.customers.email WHERE id = 6 TO alice FOR '30 minutes' REASON \
         'INC-7: a row'",
    );
    shop.dba().grant("public.customers.email", "alice");
    shop
}

#[test]
fn a_grant_on_some_rows_keeps_nothing_open_that_showed_all() {
    let shop = granted_beside_a_row("expiry_rows_cursor");
    let mut session = shop.alice().connect();
    session.query("DECLARE c CURSOR WITH HOLD FOR SELECT email FROM customers WHERE id = 5").ok();
    session.query("PREPARE p AS SELECT upper(email) FROM customers WHERE id = 5").ok();
    shop.dba().revoke("alice");
    assert_eq!(session.query(EMAIL).ok().scalar(), masked(&email()));
    assert_hidden("the cursor", &session.query("FETCH 1 FROM c"));
    let reply = session.query("EXECUTE p");
    assert!(!format!("{reply:?}").contains(&email().to_uppercase()), "{reply:?}");
}

#[test]
fn a_grant_on_some_rows_lets_no_stream_go_on_that_shows_all() {
    let shop = granted_beside_a_row("expiry_rows_stream");
    let mut session = shop.alice().connect();
    first_rows(&mut session, &query(STREAM));
    shop.dba().revoke("alice");
    let (rows, code) = rest(&mut session);
    assert_eq!(code, "42501");
    assert!(rows < STREAM_ROWS, "all of them came");
    assert_eq!(session.query(EMAIL).ok().scalar(), masked(&email()));
}

#[test]
fn a_grant_that_is_used_up_lets_no_stream_go_on_of_another() {
    let shop = Shop::open("expiry_spent_stream");
    let limited = "GRANT READ ON shop.public.customers.email TO alice FOR '30 minutes' REASON \
                   'INC-7: once' MAX 1 USES";
    shop.dba().say(limited);
    let mut session = shop.alice().connect();
    assert_eq!(session.query(EMAIL).ok().scalar(), email());
    assert_eq!(session.query(EMAIL).ok().scalar(), masked(&email()), "it is used up");
    shop.dba().say(limited);
    first_rows(&mut session, &query(STREAM));
    shop.dba().revoke("alice");
    let (rows, code) = rest(&mut session);
    assert_eq!(code, "42501");
    assert!(rows < STREAM_ROWS, "all of them came");
}
