//! Messages of hundreds of megabytes and pipelines without end pass through a proxy that stays
//! small.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use crate::desk::{Shop, email, masked};
use crate::support::client::{describe, execute, frame, parse, query, sync};
use crate::support::wait::now;
use crate::support::{Client, Keyhole};

/// One value.
const LEN: usize = 300_000_000;

/// What the proxy may take at most, all in all; the values are several times as long.
const PEAK_MIB: u64 = 128;

fn status_mib(pid: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with(key)).expect("Linux says so");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("kB");
    kib / 1024
}

fn peak_mib(proxy: &Keyhole) -> u64 {
    status_mib(proxy.pid(), "VmHWM:")
}

/// Kinds and lengths of the messages up to ReadyForQuery; a row's first hundred bytes.
fn outline(session: &mut Client) -> (Vec<(u8, usize)>, Vec<u8>) {
    let (mut outline, mut head) = (Vec::new(), Vec::new());
    loop {
        let message = session.read().expect("in time").expect("an open connection");
        session.forget();
        outline.push((message.tag, message.body.len()));
        if message.tag == b'D' {
            head = message.body[..message.body.len().min(100)].to_vec();
        }
        if message.tag == b'E' {
            panic!("{}", message.error());
        }
        if message.tag == b'Z' {
            return (outline, head);
        }
    }
}

#[test]
fn values_of_300_megabytes_pass_in_pieces() {
    let shop = Shop::open_with("big_values", |config| config.set("data", "frame_len_max", "16MiB"));
    let mut session = shop.alice().connect();
    // A parameter.
    let value = vec![b'p'; LEN];
    let mut bind = b"\0\0\0\0\0\x01".to_vec();
    bind.extend(i32::try_from(LEN).expect("less than 2 GiB").to_be_bytes());
    bind.extend(&value);
    bind.extend(b"\0\0");
    let batch = [parse("", "SELECT length($1::text)"), frame(b'B', &bind), execute("", 0), sync()];
    session.send(&batch.concat()).expect("alive");
    assert_eq!(session.until_ready().ok().scalar(), LEN.to_string());
    drop((bind, batch));
    // A field, in both protocols, and beside one that is masked.
    let field = format!("SELECT repeat('x', {LEN})");
    session.start(&field);
    assert_eq!(outline(&mut session).0[1], (b'D', LEN + 6));
    session.send(&[parse("", &field), BIND.to_vec(), execute("", 0), sync()].concat()).expect("on");
    assert_eq!(outline(&mut session).0[2], (b'D', LEN + 6));
    session.start(&format!("SELECT email, repeat('x', {LEN}) FROM customers WHERE id = 5"));
    let (messages, head) = outline(&mut session);
    let hidden = masked(&email());
    assert_eq!(messages[1], (b'D', LEN + 10 + hidden.len()));
    assert!(head.windows(hidden.len()).any(|window| window == hidden.as_bytes()));
    // COPY both ways.
    session.start(&format!("COPY (SELECT repeat('x', {LEN})) TO STDOUT"));
    assert_eq!(outline(&mut session).0[1], (b'd', LEN + 1));
    session.query("BEGIN").ok();
    let row = [&b"big\t"[..], &value, b"\n"].concat();
    let copy = [query("COPY app_settings FROM STDIN"), frame(b'd', &row), frame(b'c', b"")];
    session.send(&copy.concat()).expect("alive");
    assert_eq!(session.until_ready().ok().tags(), ["COPY 1"]);
    let stored = "SELECT length(value) FROM app_settings WHERE key = 'big'";
    assert_eq!(session.query(stored).ok().scalar(), LEN.to_string());
    session.query("ROLLBACK").ok();
    // What has to be read as a whole is limited.
    let text = format!("SELECT '{}'", "t".repeat(17 << 20));
    assert_eq!(session.query(&text).code(), "54000");
    assert_eq!(session.query("SELECT 1").ok().scalar(), "1");
    let peak = peak_mib(&shop.proxy);
    eprintln!("the proxy's peak with values of {LEN} bytes: {peak} MiB");
    assert!(peak < PEAK_MIB, "{peak} MiB");
}

/// The unnamed statement as the unnamed portal, everything as text.
const BIND: &[u8] = b"B\0\0\0\x0c\0\0\0\0\0\0\0\0";

#[test]
fn a_hundred_thousand_prepared_statements_are_the_servers_burden() {
    let shop = Shop::open("big_prepared");
    let mut session = shop.alice().connect();
    let pid: u32 = session.query("SELECT pg_backend_pid()").ok().scalar().parse().expect("a pid");
    let before = status_mib(pid, "VmRSS:");
    for thousand in 0..100 {
        let frames = (0..1000).map(|n| parse(&format!("s{thousand}_{n}"), "SELECT 1 + $1::int"));
        let frames: Vec<u8> = frames.chain([sync()]).flatten().collect();
        session.send(&frames).expect("alive");
        session.until_ready().ok();
    }
    let server = status_mib(pid, "VmRSS:") - before;
    let peak = peak_mib(&shop.proxy);
    eprintln!(
        "100,000 prepared statements: the proxy {peak} MiB in all, the server {server} MiB more"
    );
    assert!(peak < PEAK_MIB + 32, "{peak} MiB");
    assert_eq!(session.query("EXECUTE s99_999(41)").ok().scalar(), "42");
}

#[test]
fn a_million_messages_without_sync_do_not_pile_up() {
    const TIMES: usize = 500_000;
    let shop = Shop::open("big_pipeline");
    let mut session = shop.alice().connect();
    let ready = [parse("s", "SELECT 7"), describe(b'S', "s"), sync()].concat();
    session.send(&ready).expect("alive");
    session.until_ready().ok();
    let mut out: TcpStream = session.writer();
    let one = [&b"B\0\0\0\x0d\0s\0\0\0\0\0\0\0"[..], &execute("", 0)].concat();
    let writer = std::thread::spawn(move || {
        for _ in 0..TIMES / 1000 {
            out.write_all(&one.repeat(1000)).expect("the proxy takes it in the end");
        }
        out.write_all(&sync()).expect("alive");
    });
    // Nobody reads for a while: everything on the way fills up.
    std::thread::sleep(Duration::from_secs(3));
    let blocked = peak_mib(&shop.proxy);
    let began = now();
    let mut rows = 0;
    loop {
        let message = session.read().expect("in time").expect("an open connection");
        session.forget();
        match message.tag {
            b'D' => rows += 1,
            b'Z' => break,
            _ => {}
        }
    }
    writer.join().expect("all was written");
    assert_eq!(rows, TIMES);
    let peak = peak_mib(&shop.proxy);
    let took = began.elapsed();
    eprintln!("a million messages: {blocked} MiB while nobody read, {peak} MiB in all, {took:?}");
    assert!(peak < PEAK_MIB, "{peak} MiB");
}
