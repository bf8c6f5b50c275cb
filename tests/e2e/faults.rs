//! Peers that vanish, stall, crawl or hammer: the rest goes on, nothing leaks, nothing hangs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgres_protocol::message::frontend;
use toml::{Table, Value};

use crate::desk::{EMAIL, Shop, email, masked};
use crate::support::client::{frame, parse, query};
use crate::support::keyhole::signal;
use crate::support::traps;
use crate::support::wait::{PATIENCE, until};
use crate::support::{Client, Keyhole, Message, Postgres, Target, Version};

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A connection on which only bytes are sent.
fn raw(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the port is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
    stream.write_all(bytes).expect("open");
    stream
}

fn startup(target: &Target) -> Vec<u8> {
    let mut packet = bytes::BytesMut::new();
    let parameters = [("user", &*target.user), ("database", &*target.database)];
    frontend::startup_message(parameters, &mut packet).expect("short");
    packet.to_vec()
}

/// The client's first message of SCRAM.
fn scram_first() -> Vec<u8> {
    let first = b"n,,n=,r=abcdefghijklmnopqrstuvwx";
    let len = u32::try_from(first.len()).expect("short").to_be_bytes();
    frame(b'p', &[b"SCRAM-SHA-256\0", &len[..], first].concat())
}

/// A whole message.
fn message(stream: &mut TcpStream) -> std::io::Result<Message> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let mut body = vec![0; len as usize - 4];
    stream.read_exact(&mut body)?;
    Ok(Message { tag: head[0], body })
}

/// Every place at which a client can vanish before it has a session; what it holds is dropped.
fn leave_before_the_session(target: &Target) {
    let port = target.port;
    let packet = startup(target);
    drop(raw(port, b""));
    drop(raw(port, &[0, 0]));
    drop(raw(port, &SSL_REQUEST));
    let mut stream = raw(port, &SSL_REQUEST);
    let mut answer = [0];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(answer, *b"S");
    // The begin of a ClientHello.
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").expect("open");
    drop(stream);
    drop(raw(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"));
    drop(raw(port, &packet[..packet.len() / 2]));
    drop(raw(port, &packet));
    let mut stream = raw(port, &packet);
    assert_eq!(message(&mut stream).expect("a challenge").tag, b'R');
    stream.write_all(&scram_first()[..9]).expect("open");
    drop(stream);
    let mut stream = raw(port, &packet);
    message(&mut stream).expect("a challenge");
    stream.write_all(&scram_first()).expect("open");
    assert_eq!(message(&mut stream).expect("salt and nonce").tag, b'R');
    drop(stream);
}

type Step = fn(&mut Client);

/// Places within a session.
const PLACES: [(&str, Step); 9] = [
    ("after the login", |_| {}),
    ("within a Query", |client| client.send(&query("SELECT 1")[..7]).expect("open")),
    ("after a Parse", |client| client.send(&parse("", "SELECT 1")).expect("open")),
    ("in a transaction", |client| {
        client.query("BEGIN").ok();
        client.query("INSERT INTO app_settings SELECT * FROM app_settings WHERE false").ok();
    }),
    ("in a failed transaction", |client| {
        client.query("BEGIN").ok();
        client.query("SELECT 1/0");
    }),
    ("within COPY IN", |client| {
        client.query("CREATE TEMP TABLE mine (x text)").ok();
        client.start("COPY mine FROM STDIN");
        while client.read().expect("open").expect("open").tag != b'G' {}
        client.send(&frame(b'd', b"one\ntwo\n")).expect("open");
    }),
    ("while a result streams", |client| {
        client.start("SELECT g, repeat('x', 1000) FROM generate_series(1, 10000000) g");
        for _ in 0..10 {
            client.read().expect("open");
        }
    }),
    ("while masked rows stream", |client| {
        client.start("SELECT c.email, g FROM customers c, generate_series(1, 10000000) g");
        for _ in 0..10 {
            client.read().expect("open");
        }
    }),
    ("while a query works", |client| client.start("SELECT pg_sleep(3600)")),
];

/// Sessions of alice's that the console lists.
fn listed(shop: &Shop) -> usize {
    let rows = shop.dba().say("SHOW SESSIONS").rows();
    rows.iter().filter(|row| row.iter().any(|cell| cell == "alice")).count()
}

fn backends(server: &Postgres, database: &str) -> String {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = '{database}' AND application_name LIKE '%vanishing%'"
    );
    server.admin("postgres").query(&sql).ok().scalar()
}

fn encrypting(config: crate::support::keyhole::Config) -> crate::support::keyhole::Config {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/auth/login/tests");
    let file = |name: &str| Value::from(keys.join(name).to_str().expect("UTF-8"));
    let mut tls = Table::new();
    tls.insert("cert".to_owned(), file("localhost.crt"));
    tls.insert("key".to_owned(), file("localhost.key"));
    config.set("data", "tls", tls)
}

#[test]
fn a_client_may_vanish_anywhere() {
    let shop = Shop::open_with("faults_vanish", |config| {
        encrypting(config).set("data", "connections_max", 3)
    });
    let alice = shop.alice().option("application_name", "vanishing");
    let files = open_files(&shop.proxy);
    leave_before_the_session(&alice);
    for (place, go) in PLACES {
        let mut client = alice.connect();
        go(&mut client);
        assert_eq!((listed(&shop), &*backends(shop.server, &shop.database)), (1, "1"), "{place}");
        drop(client);
        until(&format!("{place}: no session is listed"), || (listed(&shop) == 0).then_some(()));
        until(&format!("{place}: the database has no backend of it"), || {
            (backends(shop.server, &shop.database) == "0").then_some(())
        });
    }
    let all: Vec<_> =
        (0..3).map(|_| until("a place is free", || Client::connect(&alice).ok())).collect();
    assert_eq!(Client::connect(&alice).err().expect("full").code(), "53300");
    drop(all);
    until("its files are closed", || (open_files(&shop.proxy) <= files + 2).then_some(()));
    assert!(!shop.proxy.log().contains("panicked"), "{}", shop.proxy.log());
}

/// Files and connections that the proxy has open.
fn open_files(proxy: &Keyhole) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", proxy.pid())).expect("it runs").count()
}

/// KiB of the proxy's memory, by its name in `/proc/PID/status`.
fn memory_kib(proxy: &Keyhole, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with(name)).expect("the kernel says so");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn a_client_that_never_reads_costs_no_memory_and_is_given_up() {
    let shop =
        Shop::open_with("faults_stall", |config| config.set("data", "client_stall_timeout", "3s"));
    let mut other = shop.bob().connect();
    let alice = shop.alice().option("application_name", "vanishing");
    // Raw rows, and rows that the proxy looks into.
    for (sql, rows) in [
        ("SELECT repeat('x', 10000) FROM generate_series(1, 20000)", 20_000),
        (
            "SELECT email, repeat('x', 10000) FROM customers, generate_series(1, 2000) g LIMIT 20000",
            20_000,
        ),
    ] {
        let mut reader = alice.connect();
        reader.start(sql);
        let before = memory_kib(&shop.proxy, "VmRSS");
        let mut silent = alice.connect();
        silent.start(sql);
        let mut count = 0;
        while let Ok(Some(message)) = reader.read() {
            count += usize::from(message.tag == b'D');
            reader.forget();
            if message.tag == b'Z' {
                break;
            }
        }
        assert_eq!(count, rows, "200 MB came through: {sql}");
        let grown = memory_kib(&shop.proxy, "VmHWM").saturating_sub(before);
        assert!(grown < 48 << 10, "{grown} KiB more for 200 MB that nobody takes: {sql}");
        drop(reader);
        until("the silent one is given up", || (listed(&shop) == 0).then_some(()));
        until("and its query is cancelled", || {
            (backends(shop.server, &shop.database) == "0").then_some(())
        });
        assert_eq!(other.query("SELECT 1").ok().scalar(), "1");
        drop(silent);
    }
}

/// A login with a proof that cannot be right. The SQLSTATE that it ends with.
fn guess(target: &Target) -> std::io::Result<String> {
    let mut stream = raw(target.port, &startup(target));
    message(&mut stream)?;
    stream.write_all(&scram_first())?;
    let challenge = message(&mut stream)?;
    let text = String::from_utf8_lossy(&challenge.body[4..]).into_owned();
    let nonce = text.split(',').next().unwrap_or_default();
    let proof = STANDARD.encode([7; 32]);
    stream.write_all(&frame(b'p', format!("c=biws,{nonce},p={proof}").as_bytes()))?;
    let answer = message(&mut stream)?;
    Ok(answer.error().code().to_owned())
}

#[test]
fn five_thousand_wrong_passwords_disturb_nobody() {
    const ATTEMPTS: usize = 5000;
    const AT_A_TIME: usize = 64;
    let shop = Shop::open("faults_guesses");
    let mut working = shop.bob().connect();
    working.query("SELECT 1").ok();
    let (files, alice) = (open_files(&shop.proxy), shop.alice());
    let memory = memory_kib(&shop.proxy, "VmRSS");
    let (begun, refused, stop) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let answered = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let mut answered = 0;
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(working.query(EMAIL).ok().scalar(), masked(&email()));
                answered += 1;
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            answered
        });
        let guessers: Vec<_> = (0..AT_A_TIME)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let number = begun.fetch_add(1, Ordering::Relaxed);
                        if number >= ATTEMPTS {
                            break;
                        }
                        // Two guesses for a name are answered at once, more are slowed down
                        // (`logins`): here it is the number that counts.
                        let user = format!("guess{}", number / 2);
                        match guess(&Target { user, ..alice.clone() }) {
                            Ok(code) => assert_eq!(code, "28P01"),
                            Err(error) => panic!("no answer: {error}"),
                        }
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let guessed: Vec<_> = guessers.into_iter().map(|guesser| guesser.join()).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(guessed.iter().all(Result::is_ok), "{} refused", refused.load(Ordering::Relaxed));
        worker.join().expect("the session works on")
    });
    assert_eq!(refused.load(Ordering::Relaxed), ATTEMPTS);
    assert!(answered > 2, "{answered} answers meanwhile");
    until("its files are closed", || (open_files(&shop.proxy) <= files + 2).then_some(()));
    let grown = memory_kib(&shop.proxy, "VmRSS").saturating_sub(memory);
    assert!(grown < 64 << 10, "{grown} KiB more");
    assert_eq!(alice.connect().query("SELECT 1").ok().scalar(), "1", "and the right one counts");
}

/// Tells workers to stop, be it because an assertion has failed.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks until told to stop; what went wrong, by SQLSTATE, and how often it went well.
fn work(target: &Target, stop: &AtomicBool, good: &AtomicUsize) -> Vec<String> {
    let mut codes = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let mut client = match Client::connect(target) {
            Ok(client) => client,
            Err(error) => {
                codes.push(error.code().to_owned());
                std::thread::sleep(std::time::Duration::from_millis(50));
                continue;
            }
        };
        while !stop.load(Ordering::Relaxed) {
            if client.send(&query("SELECT count(*) FROM products")).is_err() {
                codes.push("closed".to_owned());
                break;
            }
            let reply = client.until_ready();
            if let Some(error) = reply.error() {
                codes.push(error.code().to_owned());
            }
            if reply.status().is_none() {
                break;
            }
            good.fetch_add(1, Ordering::Relaxed);
        }
    }
    codes
}

#[test]
fn a_database_that_crashes_and_restarts_under_load_is_come_back_to() {
    let server = Postgres::start(Version::V15);
    traps::create(&server, "faults_crash", traps::Variant::A);
    let proxy = Keyhole::serve(&server, "faults_crash", traps::CATALOG);
    let target = proxy.data("alice", "shop");
    let files = open_files(&proxy);
    let (stop, good) = (AtomicBool::new(false), AtomicUsize::new(0));
    let more = |what: &str| {
        let before = good.load(Ordering::Relaxed);
        until(what, || (good.load(Ordering::Relaxed) > before + 50).then_some(()));
    };
    let codes = std::thread::scope(|scope| {
        let stops = Stops(&stop);
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(|| work(&target, &stop, &good))).collect();
        more("it works");
        // It stays until its backend is killed: one that had left could not be.
        let mut client = target.connect();
        let pid = client.query("SELECT pg_backend_pid()").ok().scalar();
        signal(pid.parse().expect("a number"), "KILL");
        drop(client);
        more("it works after a crash of the database");
        server.stop();
        until("it is noticed", || {
            (Client::connect(&target).err()?.code() == "08006").then_some(())
        });
        server.start_again();
        more("it works after a restart of the database");
        drop(stops);
        let codes: Vec<_> =
            workers.into_iter().map(|worker| worker.join().expect("no hang")).collect();
        codes.concat()
    });
    let known = ["57P01", "57P02", "57P03", "08006", "closed"];
    let other: Vec<_> = codes.iter().filter(|code| !known.contains(&&***code)).collect();
    assert!(other.is_empty(), "{other:?}");
    assert!(codes.len() >= 8, "everybody was hit: {codes:?}");
    assert_eq!(target.connect().query(EMAIL).ok().scalar(), masked(&email()));
    until("its files are closed", || (open_files(&proxy) <= files + 4).then_some(()));
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}
