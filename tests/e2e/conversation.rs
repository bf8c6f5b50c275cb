//! The rest of the protocol: what clients rely on works as on a direct connection.

use std::time::Duration;

use crate::desk::{EMAIL, Shop, email, masked};
use crate::support::client::{bind, close, describe, execute, frame, parse, query, sync};
use crate::support::message::{Format, Reply};
use crate::support::programs;
use crate::support::wait::until;
use crate::support::{Client, Tap};

/// The same frames directly and through the proxy; both replies up to the n-th ReadyForQuery.
fn both(shop: &Shop, frames: &[Vec<u8>], replies: usize) -> [Vec<Reply>; 2] {
    [shop.direct(), shop.alice()].map(|target| {
        let mut session = target.connect();
        session.send(&frames.concat()).expect("alive");
        (0..replies).map(|_| session.until_ready()).collect()
    })
}

#[test]
fn what_touches_no_personal_data_is_the_same_byte_for_byte() {
    let shop = Shop::open("talk_same_bytes");
    let products = "SELECT * FROM products ORDER BY id";
    let extended = |sql: &str, format| {
        [parse("", sql), describe(b'S', ""), bind("", "", &[], format), describe(b'P', "")]
            .into_iter()
            .chain([execute("", 0), sync()])
            .collect::<Vec<_>>()
            .concat()
    };
    let cases: Vec<(Vec<u8>, usize)> = vec![
        (query(products), 1),
        (query("SELECT 1; SELECT 2, 'x'; SELECT"), 1),
        (query(""), 1),
        (query("SELECT 1/0"), 1),
        (query("SELECT nosuch FROM products"), 1),
        (query("SELECT 1; SELECT 1/0; SELECT 2"), 1),
        (query("BEGIN; SELECT 1; COMMIT; SHOW work_mem"), 1),
        (query("SELECT NULL, true, 1.5, now() IS NULL, ARRAY[1,2], '{\"a\":1}'::jsonb"), 1),
        (query("COPY products TO STDOUT"), 1),
        (query("COPY products TO STDOUT (FORMAT binary)"), 1),
        (query("SET work_mem = '5MB'; SHOW work_mem"), 1),
        (query("SET application_name = 'zz'"), 1),
        (query("SET TimeZone = 'Asia/Tokyo'"), 1),
        (query("SELECT repeat('y', 300000)"), 1),
        (query("SELECT g, md5(g::text) FROM generate_series(1, 20000) g"), 1),
        (extended(products, Format::Text), 1),
        (extended(products, Format::Binary), 1),
        (extended("SELECT 1/0", Format::Text), 1),
        (extended("", Format::Text), 1),
        (extended("UPDATE products SET stock = stock RETURNING *", Format::Binary), 1),
        ([extended("SELECT 1", Format::Text), query("SELECT 2"), sync()].concat(), 3),
    ];
    for (frames, replies) in cases {
        let what = frames.escape_ascii().to_string();
        let [expected, seen] = both(&shop, &[frames], replies);
        assert_eq!(seen, expected, "{}", &what[..what.len().min(120)]);
    }
}

#[test]
fn errors_skip_to_sync() {
    let shop = Shop::open("talk_skip");
    let frames = [
        parse("", "SELECT nosuch"),
        bind("", "", &[], Format::Text),
        execute("", 0),
        parse("kept", "SELECT 1"),
        sync(),
        bind("", "kept", &[], Format::Text),
        sync(),
        parse("", "SELECT 42"),
        bind("", "", &[], Format::Text),
        execute("", 0),
        sync(),
    ];
    let [expected, seen] = both(&shop, &frames, 3);
    assert_eq!(seen, expected);
    assert_eq!(seen.iter().map(Reply::code).collect::<Vec<_>>(), ["42703", "26000", ""]);
}

#[test]
fn a_refusal_skips_to_sync_too() {
    let shop = Shop::open("talk_refusal_skips");
    let mut session = shop.alice().connect();
    let frames = [
        parse("", "CREATE TABLE t AS SELECT ssn FROM customers"),
        bind("", "", &[], Format::Text),
        execute("", 0),
        parse("", "INSERT INTO app_settings VALUES ('skipped', 'x')"),
        bind("", "", &[], Format::Text),
        execute("", 0),
        sync(),
    ];
    session.send(&frames.concat()).expect("alive");
    let reply = session.until_ready();
    assert_eq!((reply.code(), reply.status()), ("42501".to_owned(), Some('I')), "{reply:?}");
    let count = "SELECT count(*) FROM app_settings WHERE key = 'skipped'";
    assert_eq!(session.query(count).ok().scalar(), "0");
}

#[test]
fn a_refusal_fails_the_transaction_like_any_error() {
    let shop = Shop::open("talk_refusal_tx");
    let mut session = shop.alice().connect();
    session.query("BEGIN").ok();
    session.query("INSERT INTO app_settings VALUES ('gone', 'x')").ok();
    let reply = session.query("CREATE TABLE t AS SELECT ssn FROM customers");
    assert_eq!(reply.code(), "42501");
    let error = reply.error().expect("refused");
    assert!(error.field('H').is_some(), "a hint says how to ask: {error}");
    assert_eq!(reply.status(), Some('E'));
    assert_eq!(session.query("SELECT 1").code(), "25P02");
    assert_eq!(session.query("COMMIT").tags(), ["ROLLBACK"]);
    let count = "SELECT count(*) FROM app_settings WHERE key = 'gone'";
    assert_eq!(session.query(count).ok().scalar(), "0");
}

#[test]
fn a_refusal_can_be_rolled_back_to_a_savepoint() {
    let shop = Shop::open("talk_refusal_savepoint");
    let mut session = shop.alice().connect();
    session.query("BEGIN; INSERT INTO app_settings VALUES ('kept', 'x'); SAVEPOINT s").ok();
    assert_eq!(session.query("SELECT ssn INTO t FROM customers").code(), "42501");
    session.query("ROLLBACK TO s").ok();
    assert_eq!(session.query("COMMIT").ok().tags(), ["COMMIT"]);
    let count = "SELECT count(*) FROM app_settings WHERE key = 'kept'";
    assert_eq!(session.query(count).ok().scalar(), "1");
}

#[test]
fn several_statements_are_run_all_or_none() {
    let shop = Shop::open("talk_all_or_none");
    let mut session = shop.alice().connect();
    let sql = "INSERT INTO app_settings VALUES ('first', 'x'); SELECT ssn INTO t FROM customers";
    assert_eq!(session.query(sql).code(), "42501");
    let count = "SELECT count(*) FROM app_settings WHERE key = 'first'";
    assert_eq!(session.query(count).ok().scalar(), "0");
}

#[test]
fn a_cancel_request_stops_the_statement() {
    let shop = Shop::open("talk_cancel");
    let mut session = shop.alice().connect();
    for sql in ["SELECT pg_sleep(60)", "SELECT pg_sleep(60), email FROM customers"] {
        session.start(sql);
        std::thread::sleep(Duration::from_millis(300));
        session.cancel().expect("the port answers");
        let reply = session.until_ready();
        assert_eq!((reply.code(), reply.status()), ("57014".to_owned(), Some('I')), "{sql}");
    }
    assert_eq!(session.query("SELECT 1").ok().scalar(), "1");
}

#[test]
fn a_cancel_request_with_a_wrong_key_does_nothing() {
    let shop = Shop::open("talk_cancel_wrong");
    let mut session = shop.alice().connect();
    let mut other = shop.bob().connect();
    other.key = (session.key.0, session.key.1.wrapping_add(1));
    session.start("SELECT pg_sleep(1)");
    other.cancel().expect("the port answers");
    assert_eq!(session.until_ready().code(), "");
}

#[test]
fn notifications_arrive_from_other_sessions() {
    let mut shop = Shop::open("talk_notify");
    let mut hear = |drop: &str| {
        shop.direct().connect().query(drop).ok();
        shop.proxy.restart();
        let mut listener = shop.alice().connect();
        listener.query("LISTEN ch").ok();
        shop.bob().connect().query("NOTIFY ch, 'hello'").ok();
        // Without asking anything: it comes by itself.
        let message = listener.read().expect("in time").expect("an open connection");
        assert_eq!(message.tag, b'A');
        message.body[4..].to_vec()
    };
    // A trigger of this shop sends addresses: nobody knows which payload holds one.
    assert_eq!(hear("SELECT 1"), b"ch\0\0");
    assert_eq!(hear("DROP FUNCTION trg_points() CASCADE"), b"ch\0hello\0");
}

#[test]
fn notices_of_the_application_pass() {
    let shop = Shop::open("talk_notices");
    let mut session = shop.alice().connect();
    let reply = session.query("DROP TABLE IF EXISTS no_such_table").ok();
    let notices = reply.notices();
    assert_eq!(notices.len(), 1);
    assert!(notices[0].text().contains("no_such_table"), "{}", notices[0]);
}

#[test]
fn one_notice_says_that_something_was_masked() {
    let shop = Shop::open("talk_mask_notice");
    let mut session = shop.alice().connect();
    let notices = session.query(EMAIL).ok().notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].to_string().contains("email"), "{}", notices[0]);
    let quiet = Shop::open_with("talk_mask_silent", |c| c.set("enforcement", "notice", false));
    assert_eq!(quiet.alice().connect().query(EMAIL).ok().notices(), []);
}

#[test]
fn copy_in_reaches_tables_and_its_errors_come_back() {
    let shop = Shop::open("talk_copy_in");
    let mut session = shop.alice().connect();
    let copy = |session: &mut Client, sql: &str, data: &[&[u8]], end: Vec<u8>| {
        let mut frames = query(sql);
        frames.extend(data.iter().flat_map(|data| frame(b'd', data)));
        frames.extend(end);
        session.send(&frames).expect("alive");
        session.until_ready()
    };
    let settings = "COPY app_settings FROM STDIN";
    // Rows may be cut anywhere.
    let reply = copy(&mut session, settings, &[b"a\tb\nc", b"\td\n"], frame(b'c', b""));
    assert_eq!(reply.ok().tags(), ["COPY 2"]);
    let reply = copy(&mut session, settings, &[b"e\tf\n"], frame(b'f', b"enough\0"));
    assert_eq!(reply.code(), "57014");
    let bad = copy(&mut session, "COPY contacts FROM STDIN", &[b"bad\ta\tb\n"], frame(b'c', b""));
    assert_eq!((bad.code(), bad.status()), ("22P02".to_owned(), Some('I')));
    let count = "SELECT count(*) FROM app_settings WHERE key IN ('a', 'c', 'e')";
    assert_eq!(session.query(count).ok().scalar(), "2");
}

#[test]
fn copy_out_of_hidden_columns_is_masked_in_every_format() {
    let shop = Shop::open("talk_copy_out");
    let mut session = shop.alice().connect();
    for options in ["", " (FORMAT csv, HEADER)", " (FORMAT binary)"] {
        let copied = session.query(&format!("COPY customers (id, email) TO STDOUT{options}")).ok();
        let copied = String::from_utf8_lossy(&copied.copied()).into_owned();
        assert!(copied.contains(&masked(&email())), "{options}: {copied}");
        assert!(!copied.contains(&email()), "{options}");
    }
}

#[test]
fn portals_are_read_in_pieces() {
    let shop = Shop::open("talk_portals");
    let frames = [
        query("BEGIN"),
        parse("s", "SELECT id, sku FROM products ORDER BY id"),
        bind("p", "s", &[], Format::Binary),
        describe(b'P', "p"),
        execute("p", 3),
        execute("p", 4),
        sync(),
        execute("p", 0),
        close(b'P', "p"),
        sync(),
        query("ROLLBACK"),
    ];
    let [expected, seen] = both(&shop, &frames, 4);
    assert_eq!(seen, expected);
    let mut session = shop.alice().connect();
    session.send(&[execute("p", 0), sync()].concat()).expect("alive");
    assert_eq!(session.until_ready().code(), "34000");
}

#[test]
fn psycopg_pipelines() {
    let shop = Shop::open("talk_pipeline");
    let tap = Tap::new(shop.proxy.data_port());
    let script = programs::python("pipeline.py", &tap.through(&shop.alice()));
    assert_eq!(programs::run(script, "").ok().out.trim(), masked(&email()));
    let finder = crate::support::traps::finder(crate::support::traps::Variant::A);
    assert_eq!(finder.find(&tap.to_client(), b""), []);
}

#[test]
fn startup_parameters_reach_the_session() {
    let shop = Shop::open("talk_startup");
    let target =
        shop.alice().option("application_name", "till 7").option("options", "-c work_mem=5MB");
    let mut session = target.connect();
    assert_eq!(session.query("SHOW application_name").ok().scalar(), "till 7");
    assert_eq!(session.query("SHOW work_mem").ok().scalar(), "5MB");
    let version = session.parameters.iter().find(|(name, _)| name == "server_version");
    assert!(version.is_some_and(|(_, value)| value.starts_with("15")), "{version:?}");
}

#[test]
fn settings_of_one_session_do_not_reach_another() {
    let shop = Shop::open("talk_settings");
    let mut first = shop.alice().connect();
    first.query("SET work_mem = '7MB'; SET search_path = hr; CREATE TEMP TABLE mine (a int)").ok();
    first.query("LISTEN ch; PREPARE p AS SELECT 1").ok();
    drop(first);
    for _ in 0..3 {
        let mut next = shop.alice().connect();
        assert_ne!(next.query("SHOW work_mem").ok().scalar(), "7MB");
        assert_eq!(
            next.query("SELECT email FROM contacts WHERE id = 5").ok().scalar(),
            "desk5@shop.test"
        );
        assert_eq!(next.query("TABLE mine").code(), "42P01");
        assert_eq!(next.query("EXECUTE p").code(), "26000");
    }
}

#[test]
fn sigterm_lets_the_running_statement_end() {
    let mut shop = Shop::open("talk_sigterm");
    let mut session = shop.alice().connect();
    session.start("SELECT 'done' FROM pg_sleep(1.5)");
    std::thread::sleep(Duration::from_millis(300));
    shop.proxy.signal("TERM");
    assert_eq!(session.until_ready().ok().scalar(), "done");
    let after = session.send(&query("SELECT 1")).map(|()| session.until_ready());
    if let Ok(reply) = after {
        assert!(reply.code() == "57P01" || reply.messages.is_empty(), "{reply:?}");
    }
    assert_eq!(shop.proxy.wait().code(), Some(0));
    let (ok, said) = shop.proxy.audit_verify();
    assert!(ok, "{said}");
}

#[test]
fn sigterm_ends_idle_sessions_and_takes_no_new_ones() {
    let mut shop = Shop::open("talk_sigterm_idle");
    let mut idle = shop.alice().connect();
    idle.query("SELECT 1").ok();
    let target = shop.bob();
    assert_eq!(shop.proxy.signal_and_wait("TERM").code(), Some(0));
    assert!(Client::connect(&target).is_err());
    let last = idle.until_ready();
    assert!(last.code() == "57P01" || last.messages.is_empty(), "{last:?}");
}

#[test]
fn sighup_reloads_and_keeps_sessions() {
    let shop = Shop::open("talk_sighup");
    let mut session = shop.alice().connect();
    let sql = "SELECT name FROM products WHERE id = 1";
    assert_eq!(session.query(sql).ok().scalar(), "thing 1");
    let more = "\n[[table]]\nname = \"public.products\"\ncolumns = { name = \"personal\" }\n";
    let catalog = crate::support::traps::CATALOG.to_owned() + more;
    let file = shop.proxy.config.path().join("shop.toml");
    std::fs::write(&file, catalog).expect("writable");
    shop.proxy.signal("HUP");
    until("the new catalog counts", || {
        let reply = session.query(sql);
        match &*reply.code() {
            // Judged by the old catalog, caught by the new one.
            "42501" => None,
            _ => (reply.ok().scalar() == "***").then_some(()),
        }
    });
    // A broken one changes nothing.
    std::fs::write(&file, "[[table]\n").expect("writable");
    shop.proxy.signal("HUP");
    until("the error is in the log", || shop.proxy.log().contains("shop.toml").then_some(()));
    assert_eq!(session.query(sql).ok().scalar(), "***");
    assert_eq!(shop.bob().connect().query(sql).ok().scalar(), "***");
}

#[test]
fn many_sessions_at_once() {
    let shop = Shop::open("talk_many");
    let mut sessions: Vec<_> = (0..40).map(|_| shop.alice().connect()).collect();
    for session in &mut sessions {
        session.start("SELECT email FROM customers, pg_sleep(0.2) WHERE id = 5");
    }
    for session in &mut sessions {
        assert_eq!(session.until_ready().ok().scalar(), masked(&email()));
    }
}

#[test]
fn a_changed_search_path_changes_what_a_name_means() {
    let shop = Shop::open("conversation_path");
    let sql = "SELECT email FROM contacts WHERE id = 5";
    let mut direct = shop.direct().connect();
    let public = direct.query(sql).ok().scalar();
    let hidden = direct.query("SELECT email FROM hr.contacts WHERE id = 5").ok().scalar();
    let mut session = shop.alice().connect();
    for (path, seen) in [("public", &public), ("hr, public", &masked(&hidden)), ("public", &public)]
    {
        session.query(&format!("SET search_path = {path}")).ok();
        assert_eq!(&session.query(sql).ok().scalar(), seen, "{path}");
        assert_eq!(&session.extended(sql, &[], Format::Text).ok().scalar(), seen, "{path}");
    }
}

#[test]
fn words_of_the_server_about_hidden_columns_are_the_same_in_both_protocols() {
    let shop = Shop::open("conversation_words");
    let mut session = shop.alice().connect();
    let sql = "SELECT email, nosuch FROM customers";
    let simple = session.query(sql).error().expect("no such column");
    let extended = session.extended(sql, &[], Format::Text).error().expect("no such column");
    assert_eq!(simple.code(), "42703");
    assert_eq!(simple.to_string(), extended.to_string());
    assert!(!extended.to_string().contains("nosuch"), "{extended}");
}
