//! What cannot be answered gets a code that says why, and disturbs nobody else.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::desk::{EMAIL, Shop, email, masked};
use crate::support::client::{Client, Target, frame};
use crate::support::keyhole::Config;
use crate::support::traps;
use crate::support::wait::{PATIENCE, until};
use crate::support::{Keyhole, Postgres, Version};

fn refusal(target: &Target) -> String {
    let refused = Client::connect(target).err().expect("no session");
    refused.code().to_owned()
}

#[test]
fn logins_that_fail_say_why() {
    let shop = Shop::open("bad_logins");
    assert_eq!(refusal(&shop.alice().password("wrong")), "28P01");
    assert_eq!(refusal(&shop.alice().password("")), "28P01");
    assert_eq!(refusal(&shop.proxy.data("nobody_we_know", "shop").password("x")), "28P01");
    assert_eq!(refusal(&shop.proxy.data("alice", "no_such_database")), "3D000");
    assert_eq!(refusal(&shop.proxy.control("dora").password("wrong")), "28P01");
    assert_eq!(shop.alice().connect().query("SELECT 1").scalar(), "1");
}

#[test]
fn a_replication_connection_is_refused() {
    let shop = Shop::open("bad_replication");
    for value in ["database", "true", "on", "1"] {
        let code = refusal(&shop.alice().option("replication", value));
        assert!(["42501", "0A000", "28000"].contains(&&*code), "replication={value}: {code}");
    }
}

/// Frames that no client sends, after login.
fn nonsense() -> Vec<(&'static str, Vec<u8>)> {
    let lengths = |tag: u8, len: u32, body: &[u8]| [&[tag], &len.to_be_bytes()[..], body].concat();
    vec![
        ("a length of zero", lengths(b'Q', 0, b"SELECT 1\0")),
        ("a length of three", lengths(b'Q', 3, b"SELECT 1\0")),
        ("a length of two GiB", lengths(b'Q', 0x7fff_ffff, b"SELECT 1\0")),
        ("a length of four GiB", lengths(b'Q', 0xffff_ffff, b"SELECT 1\0")),
        ("an unknown message", frame(b'!', b"hello")),
        ("a backend's message", frame(b'T', b"\0\0")),
        ("zeros", vec![0; 64]),
        ("text", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("a Query without its end", frame(b'Q', b"SELECT 1")),
        ("a Query with more behind its end", frame(b'Q', b"SELECT 1\0SELECT 2\0")),
        ("a Query that is empty of everything", frame(b'Q', b"")),
        ("a Parse without its end", frame(b'P', b"\0SELECT 1")),
        ("a Parse that counts too many types", frame(b'P', b"\0SELECT 1\0\0\x05")),
        ("a Parse with more behind its end", frame(b'P', b"\0SELECT 1\0\0\0SELECT ssn")),
        ("a Bind cut short", frame(b'B', b"\0\0\0\0\0\x01\0\0\0\x09abc")),
        ("a Bind with a length of minus two", frame(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0")),
        ("an Execute cut short", frame(b'E', b"\0\0")),
        ("a Describe of neither", frame(b'D', b"X\0")),
        ("a Close of neither", frame(b'C', b"X\0")),
        ("a Sync with a body", frame(b'S', b"x")),
    ]
}

#[test]
fn a_frame_that_is_nonsense_ends_its_session_only() {
    let shop = Shop::open("bad_frames");
    let mut other = shop.bob().connect();
    for (what, bytes) in nonsense() {
        let mut session = shop.alice().connect();
        session.send(&bytes).expect("alive");
        // Extended messages are answered at Sync at the latest.
        session.send(&frame(b'S', b"")).ok();
        let mut codes = Vec::new();
        while let Ok(Some(message)) = session.read() {
            if message.tag == b'E' {
                codes.push(message.error().code().to_owned());
            }
            assert!(codes.len() < 3, "{what}: it goes on: {codes:?}");
            if message.tag == b'Z' && !codes.is_empty() {
                // PostgreSQL itself keeps the session when it could cut the frame.
                session.send(&frame(b'X', b"")).ok();
            }
        }
        assert_eq!(codes, ["08P01"], "{what}");
        assert_eq!(other.query("SELECT 1").ok().scalar(), "1", "{what}: another session");
    }
    assert_eq!(other.query(EMAIL).ok().scalar(), masked(&email()));
}

#[test]
fn a_frame_cut_off_by_the_end_of_the_connection_is_not_run() {
    let shop = Shop::open("bad_cut_off");
    for cut in [1, 3, 5, 9, 20] {
        let mut session = shop.alice().connect();
        let whole = frame(b'Q', b"DELETE FROM app_settings\0");
        session.send(&whole[..cut]).expect("alive");
        session.shut_down_writes();
        while let Ok(Some(_)) = session.read() {}
    }
    let mut other = shop.direct().connect();
    assert_eq!(other.query("SELECT count(*) FROM app_settings").scalar(), "2");
}

#[test]
fn nonsense_before_login_is_closed() {
    let shop = Shop::open("bad_startup");
    let startup = |len: u32, code: u32, body: &[u8]| {
        [&len.to_be_bytes()[..], &code.to_be_bytes(), body].concat()
    };
    for (what, bytes) in [
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("zeros", vec![0; 64]),
        ("a huge length", startup(0x7fff_ffff, 196_608, b"")),
        ("protocol 1.0", startup(8, 65_536, b"")),
        ("no user", startup(9, 196_608, b"\0")),
        ("parameters without an end", startup(18, 196_608, b"user\0alice")),
        ("a query before login", frame(b'Q', b"SELECT ssn FROM customers\0")),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", shop.proxy.data_port())).expect("open");
        stream.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
        stream.write_all(&bytes).expect("a connection");
        stream.shutdown(std::net::Shutdown::Write).ok();
        let mut heard = Vec::new();
        match stream.read_to_end(&mut heard) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                panic!("{what}: {error}")
            }
            _ => {}
        }
        assert!(heard.first().is_none_or(|tag| *tag == b'E'), "{what}: {}", heard.escape_ascii());
    }
    assert_eq!(shop.alice().connect().query("SELECT 1").scalar(), "1");
}

#[test]
fn a_function_call_message_is_refused() {
    let shop = Shop::open("bad_function_call");
    let mut session = shop.alice().connect();
    // pg_backend_pid()
    session.send(&frame(b'F', &[0, 0, 0x07, 0xea, 0, 0, 0, 0, 0, 1])).expect("alive");
    let reply = session.until_ready();
    assert!(["42501", "0A000"].contains(&&*reply.code()), "{reply:?}");
    assert!(!reply.messages.iter().any(|message| message.tag == b'V'));
}

#[test]
fn text_that_is_no_sql_is_judged_by_what_it_mentions() {
    let shop = Shop::open("bad_sql");
    let mut session = shop.alice().connect();
    for sql in ["SELEC email FROM customers", "customers", "SELECT ssn FROM customers WHERE ("] {
        let reply = session.query(sql);
        assert!(["42501", "42601"].contains(&&*reply.code()), "{sql}: {reply:?}");
        assert_eq!(reply.status(), Some('I'), "{sql}");
    }
    let direct = shop.direct().connect().query("SELEC 1").error().expect("no such thing");
    assert_eq!(session.query("SELEC 1").error(), Some(direct), "PostgreSQL's own words");
    assert_eq!(session.query("SELECT 1").ok().scalar(), "1");
}

#[test]
fn sql_that_is_not_utf8_is_refused() {
    let shop = Shop::open("bad_utf8");
    let mut session = shop.alice().connect();
    session.send(&frame(b'Q', b"SELECT '\xff\xfe', email FROM customers\0")).expect("alive");
    let reply = session.until_ready();
    assert!(["22021", "08P01", "42501"].contains(&&*reply.code()), "{reply:?}");
    assert_eq!(traps::finder(traps::Variant::A).find(&session.heard, b""), []);
}

#[test]
fn a_database_that_is_down_is_said_and_comes_back() {
    let server = Postgres::start(Version::V15);
    traps::create(&server, "bad_down", traps::Variant::A);
    let proxy = Keyhole::serve(&server, "bad_down", traps::CATALOG);
    let mut session = proxy.data("alice", "shop").connect();
    session.query("SELECT 1").ok();
    server.stop();
    session.start("SELECT 1");
    let ended = session.until_ready();
    assert!(["57P01", "08006", "57P03"].contains(&&*ended.code()), "{ended:?}");
    assert_eq!(ended.status(), None, "the session ends with its server");
    let code = refusal(&proxy.data("alice", "shop"));
    assert!(["08006", "57P03", "08001"].contains(&&*code), "{code}");
    server.start_again();
    until("the proxy serves again", || Client::connect(&proxy.data("alice", "shop")).ok());
    let mut session = proxy.data("alice", "shop").connect();
    assert_eq!(session.query(EMAIL).ok().scalar(), masked(&email()));
}

#[test]
fn a_store_or_audit_log_that_cannot_be_written_stops_the_start() {
    let server = Postgres::shared();
    traps::create(server, "bad_places", traps::Variant::A);
    for (section, key, value) in
        [("store", "url", "sqlite:blocked/keyhole.db"), ("audit", "dir", "blocked/audit")]
    {
        let config = Config::new().database("shop", server, "bad_places", traps::CATALOG);
        let config = config.set(section, key, value);
        std::fs::write(config.path().join("blocked"), "a file, no directory").expect("writable");
        config.write();
        let ended = Keyhole::launch(config).err().expect("it may not start");
        assert!(matches!(ended.status.code(), Some(1 | 2)), "{section}: {ended:?}");
        assert!(ended.log.contains("blocked"), "{section}: the path is named: {ended:?}");
    }
}

#[test]
fn without_room_for_audit_records_nothing_raw_is_released_and_the_rest_goes_on() {
    let shop = Shop::open_with("bad_disk_full", |config| config.file_max_kib(512));
    let mut session = shop.alice().connect();
    shop.dba().grant("public.customers.email", "alice");
    assert_eq!(session.query(EMAIL).ok().scalar(), email());
    let mut statements = 0;
    let refused = loop {
        let reply = session.query(EMAIL);
        match reply.error() {
            None => assert_eq!(reply.scalar(), email()),
            Some(error) => break error,
        }
        statements += 1;
        assert!(statements < 20_000, "the audit log never filled up");
    };
    assert_eq!(refused.code(), "58030", "{refused}");
    let heard = session.heard.len();
    assert_eq!(session.query(EMAIL).code(), "58030");
    assert_eq!(traps::finder(traps::Variant::A).find(&session.heard[heard..], b""), []);
    assert_eq!(session.query("SELECT 1").ok().scalar(), "1");
    assert_eq!(session.query("SELECT name FROM products WHERE id = 1").ok().scalar(), "thing 1");
}
