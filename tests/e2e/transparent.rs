//! What clients can tell the proxy by: other encodings, goodbyes in the middle.

use crate::desk::{EMAIL, Shop};
use crate::support::client::{bind, execute, frame, parse, query, sync};
use crate::support::keyhole::Config;
use crate::support::message::Format;
use crate::support::traps::{self, Variant};
use crate::support::{Client, Keyhole, Postgres, Reply, Target};

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("LATIN1")).collect()
}

fn latin1_query(text: &str) -> Vec<u8> {
    frame(b'Q', &[latin1(text), vec![0]].concat())
}

/// No name in it is spelled otherwise in another encoding.
const NARROW: &str = "[[class]]\nname = 'email'\nmask = { kind = 'email' }\n\
                      [[table]]\nname = 'public.customers'\ncolumns = { email = 'email' }\n";

#[test]
fn statements_in_another_encoding_pass_where_they_mention_nothing() {
    let server = Postgres::shared();
    traps::create(server, "transparent_encoding", Variant::A);
    let proxy = Keyhole::serve(server, "transparent_encoding", NARROW);
    let targets = [server.direct("transparent_encoding"), proxy.data("alice", "shop")];
    for mut session in targets.map(|target| target.connect()) {
        session.query("SET client_encoding = 'LATIN1'").ok();
        session.send(&latin1_query("SELECT 'é', length('é') AS é")).expect("sent");
        let heard = session.until_ready().ok();
        let row = vec![Some(latin1("é")), Some(b"1".to_vec())];
        assert_eq!(heard.raw_rows(), std::slice::from_ref(&row));
        let body = [b"\0".to_vec(), latin1("SELECT 'é', length('é')"), vec![0, 0, 0]].concat();
        let batch = [frame(b'P', &body), bind("", "", &[], Format::Text), execute("", 0), sync()];
        session.send(&batch.concat()).expect("sent");
        assert_eq!(session.until_ready().ok().raw_rows(), [row]);
    }
}

#[test]
fn statements_in_another_encoding_are_refused_where_they_mention_something() {
    let shop = Shop::open("transparent_mention");
    let mut alice = shop.alice().connect();
    alice.query("SET client_encoding = 'LATIN1'").ok();
    alice.send(&latin1_query("SELECT upper(email), 'é' FROM customers")).expect("sent");
    let heard = alice.until_ready();
    assert_eq!((heard.code().as_str(), heard.rows().len()), ("42501", 0));
    assert_eq!(alice.query("SELECT 1").ok().scalar(), "1", "the session goes on");
}

#[test]
fn bytes_that_are_no_utf8_are_the_servers_to_refuse() {
    let shop = Shop::open("transparent_bytes");
    for mut session in [shop.direct().connect(), shop.alice().connect()] {
        session.send(&latin1_query("SELECT 'é'")).expect("sent");
        assert_eq!(session.until_ready().code(), "22021");
        assert_eq!(session.query("SELECT 1").ok().scalar(), "1");
    }
}

#[test]
fn a_goodbye_behind_other_messages_waits_for_their_answers() {
    let shop = Shop::open("transparent_goodbye");
    let goodbye = frame(b'X', b"");
    let batch = [
        parse("", "SELECT 1 FROM pg_sleep(0.2)"),
        bind("", "", &[], Format::Text),
        execute("", 0),
        sync(),
        query("SELECT 2"),
        goodbye,
    ];
    for mut session in [shop.direct().connect(), shop.alice().connect()] {
        session.send(&batch.concat()).expect("sent");
        assert_eq!(session.until_ready().ok().scalar(), "1");
        assert_eq!(session.until_ready().ok().scalar(), "2");
        assert_eq!(session.read().expect("no reset"), None, "and then the end");
    }
}

#[test]
fn what_is_no_sql_is_told_so_in_postgresqls_words() {
    let shop = Shop::open("transparent_syntax");
    let mut sessions = [shop.direct().connect(), shop.alice().connect()];
    for text in [
        "CREATE TABLE t (a int,)",
        "SELECT 'é', email FROM customers WHERE WHERE id = 1",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1' AS AS",
        "DO $$ BEGIN",
        "COPY (SELECT 1) TO",
        "UPDATE customers SET email = 'x' id = 1",
        "PREPARE p AS SELECT FROM FROM customers",
    ] {
        let said = |reply: Reply| {
            let error = reply.error().expect("an error");
            ['S', 'C', 'M', 'P'].map(|field| error.field(field).map(str::to_owned))
        };
        let [there, here] = sessions.each_mut().map(|session| said(session.query(text)));
        assert_eq!(there, here, "{text}");
        let extended = |session: &mut Client| said(session.extended(text, &[], Format::Text));
        let [there, here] = sessions.each_mut().map(extended);
        assert_eq!(there, here, "{text}, in an extended query");
    }
}

#[test]
fn prepared_statements_that_touch_nothing_are_explained_and_stored() {
    let shop = Shop::open("transparent_execute");
    let mut alice = shop.alice().connect();
    alice.query("PREPARE plain (int) AS SELECT sku FROM products WHERE id < $1").ok();
    alice.query("PREPARE secret AS SELECT email FROM customers").ok();
    let plan = alice.query("EXPLAIN (COSTS OFF) EXECUTE plain (5)").ok();
    assert!(plan.rows().iter().flatten().any(|line| line.contains("products")), "{plan:?}");
    alice.query("CREATE TEMP TABLE kept AS EXECUTE plain (5)").ok();
    for text in ["EXPLAIN EXECUTE secret", "CREATE TEMP TABLE kept_too AS EXECUTE secret"] {
        assert_eq!(alice.query(text).code(), "42501", "{text}");
    }
    alice.query("DEALLOCATE plain").ok();
    assert_eq!(alice.query("EXPLAIN EXECUTE plain (5)").code(), "42501");
    // A statement by the protocol that would explain itself.
    let batch = [parse("it", "EXPLAIN EXECUTE it"), sync()].concat();
    alice.send(&batch).expect("sent");
    assert_eq!(alice.until_ready().code(), "42501");
}

#[test]
fn what_was_prepared_counts_and_not_what_its_text_means_by_now() {
    let shop = Shop::open("transparent_path");
    shop.dba().say(
        "GRANT READ ON shop.hr.contacts WHERE id > 0 TO alice FOR '1h' REASON 'INC-7: a test'",
    );
    let mut alice = shop.alice().connect();
    alice.query("SET search_path = hr").ok();
    alice.query("PREPARE p AS SELECT email FROM contacts").ok();
    alice.query("SET search_path = public").ok();
    for text in ["EXPLAIN (VERBOSE) EXECUTE p", "CREATE TEMP TABLE kept AS EXECUTE p"] {
        let reply = alice.query(text);
        let kept = alice.query("SELECT email FROM kept LIMIT 1").rows();
        assert_eq!(reply.code(), "42501", "{text}: {:?} {kept:?}", reply.rows());
    }
}

#[test]
fn a_statement_in_another_encoding_is_never_sent_with_other_letters() {
    let server = Postgres::shared();
    traps::create(server, "transparent_again", Variant::A);
    let mut config = Config::new().database("shop", server, "transparent_again", NARROW);
    config.push("user", "name = 'mia'\nroles = ['ddl']\nscram_env = 'KEYHOLE_BOB_PASSWORD'");
    let proxy = Keyhole::start(config);
    let mia = Target::new(proxy.data_port(), "mia", "bob-secret", "shop");
    mia.connect().query("CREATE TABLE later (note text)").ok();
    let mut alice = proxy.data("alice", "shop").connect();
    alice.query("SET client_encoding = 'LATIN1'").ok();
    let body =
        [b"s\0".to_vec(), latin1("SELECT 'é', note || 'é' FROM later"), vec![0, 0, 0]].concat();
    let run = || [bind("", "s", &[], Format::Text), execute("", 0), sync()].concat();
    alice.send(&[frame(b'P', &body), run()].concat()).expect("sent");
    assert_eq!(alice.until_ready().ok().rows().len(), 0);
    // What it names is another thing now: one that is looked into.
    let mut mia = mia.connect();
    for change in [
        "INSERT INTO later VALUES ('x')",
        "ALTER TABLE later RENAME TO sooner",
        "CREATE VIEW later AS SELECT email AS note FROM customers WHERE id = 5",
    ] {
        mia.query(change).ok();
    }
    mia.query("SELECT 1").ok();
    alice.send(&run()).expect("sent");
    let heard = alice.until_ready();
    assert_eq!((heard.code().as_str(), heard.raw_rows().len()), ("42501", 0));
    assert_eq!(alice.query("SELECT 1").ok().scalar(), "1", "the session goes on");
}

/// EXPLAIN runs what a name stands for by then.
#[test]
fn a_prepared_statement_that_was_harmless_is_not_explained_when_it_is_another() {
    let shop = Shop::open("transparent_other");
    let mut alice = shop.alice().connect();
    let (plain, hidden) = ("PREPARE p AS SELECT 1", format!("PREPARE p AS {EMAIL}"));
    alice.query(plain).ok();
    for explains in ["EXPLAIN ANALYZE EXECUTE p", "CREATE TEMP TABLE mine AS EXECUTE p"] {
        let at_once = alice.query(&format!("DEALLOCATE p; {hidden}; {explains}"));
        assert_eq!(at_once.code(), "42501", "{explains}");
        alice.query("BEGIN").ok();
        let opens = [parse("e", explains), bind("e", "e", &[], Format::Text), sync()];
        alice.send(&opens.concat()).expect("sent");
        alice.until_ready().ok();
        alice.query(&format!("DEALLOCATE p; {hidden}")).ok();
        alice.send(&[execute("e", 0), sync()].concat()).expect("sent");
        assert_eq!(alice.until_ready().code(), "42501", "{explains}");
        alice.query("ROLLBACK").ok();
        alice.query("DEALLOCATE ALL").ok();
        alice.query(plain).ok();
    }
}
