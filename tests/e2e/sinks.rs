//! The records of the audit log where else they are wanted, by a proxy as a process: each kind of
//! sink with a receiver of its own, whatever happens to receivers and to the proxy.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyhole::model::{Secret, Timestamp};
use keyhole::notify::sign;

use crate::desk::{EMAIL, Shop};
use crate::support::client::{Client, ConnectError, frame, query};
use crate::support::keyhole::Config;
use crate::support::receiver::Receiver;
use crate::support::syslog_receiver::SyslogReceiver;
use crate::support::wait::until;
use crate::support::{Format, Target, certificates};

const KILLS: u64 = 8;

fn sink(config: &mut Config, name: &str, kind: &str, more: &str) {
    let entry = format!("name = '{name}'\nkind = '{kind}'\nevery = '20ms'\n{more}\n");
    config.push("sink", &entry);
}

fn http(config: &mut Config, name: &str, port: u16) {
    let more = format!(
        "url = 'http://127.0.0.1:{port}/{name}'\nauthorization_env = 'KEYHOLE_BOB_PASSWORD'\n\
         secret_env = 'KEYHOLE_ALICE_PASSWORD'"
    );
    sink(config, name, "http", &more);
}

fn postgres(config: &mut Config, database: &str) {
    let server = crate::support::Postgres::shared();
    server.admin("postgres").query(&format!("CREATE DATABASE {database} OWNER app")).ok();
    let more = format!(
        "url = 'postgres://app@127.0.0.1:{}/{database}'\n\
         password_env = 'KEYHOLE_UPSTREAM_PASSWORD'",
        server.port()
    );
    sink(config, "table", "postgres", &more);
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// The lines of all that was posted.
fn posted(receiver: &Receiver) -> Vec<String> {
    receiver.heard().iter().flat_map(|heard| lines(&heard.body)).collect()
}

/// The bodies of all log records of OTLP.
fn logged(receiver: &Receiver) -> Vec<String> {
    let mut all = Vec::new();
    for heard in receiver.heard() {
        let document = heard.json();
        let logs = &document["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
        let bodies = logs.as_array().expect("a list").iter();
        all.extend(bodies.map(|log| log["body"]["stringValue"].as_str().expect("text").to_owned()));
    }
    all
}

/// What behind the structured data is a record.
fn told(receiver: &SyslogReceiver) -> Vec<String> {
    let record = |message: &String| message.split_once("] ").expect("structured data").1.to_owned();
    receiver.messages().iter().map(record).collect()
}

/// The rows of the table: number, kind, hash.
fn rows(shop: &Shop, database: &str) -> Vec<Vec<String>> {
    let sql = "SELECT seq, kind, record->>'hash', record::text FROM keyhole_audit ORDER BY seq";
    shop.server.direct(database).connect().query(sql).ok().rows()
}

/// What the rows should be, without the records themselves.
fn as_rows(lines: &[String]) -> Vec<Vec<String>> {
    let row = |line: &String| {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| record[key].as_str().expect("text").to_owned();
        vec![record["seq"].to_string(), text("kind"), text("hash")]
    };
    lines.iter().map(row).collect()
}

fn first_three(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row[..3].to_vec()).collect()
}

/// Values in every place that a client can put one.
fn plant(shop: &Shop) {
    let named = shop.alice().option("application_name", "canary.app@example.com");
    let mut session = named.connect();
    session.query("SELECT 'canary-literal', $$canary-dollar$$, E'canary\\x2descape'").ok();
    session.query("SELECT 777123456789 /* canary-comment */ -- canary-comment").ok();
    session.extended("SELECT $1::text", &[Some("canary-parameter")], Format::Text).ok();
    session.query("SELECT 'x' AS \"canary-alias@example.com\", 1 AS \"a plain name\"").ok();
    session.query("CREATE TEMP TABLE words (word text PRIMARY KEY)").ok();
    session.start("COPY words FROM STDIN");
    let copy = [frame(b'd', b"canary-copy\n"), frame(b'c', b"")].concat();
    session.send(&copy).expect("a live connection");
    session.until_ready().ok();
    for (sql, state) in [
        ("INSERT INTO words VALUES ('canary-copy')", "23505"),
        ("SELECT 'canary-cast'::int", "22P02"),
        ("SELECT canary_function('canary-argument')", "42883"),
        ("SET application_name = 'call canary@example.com at 12345678'", ""),
        ("SELECT email FROM customers WHERE email = 'canary-predicate'", ""),
        ("canary-nonsense '", "42601"),
    ] {
        let reply = session.query(sql);
        let code = reply.error().map(|error| error.code().to_owned()).unwrap_or_default();
        assert_eq!(code, state, "{sql}");
    }
    let strangers = [
        Target { user: "canary-stranger".to_owned(), ..shop.alice() },
        Target { database: "canary_database".to_owned(), ..shop.alice() },
        Target { user: "canary-operator".to_owned(), ..shop.proxy.control("dora") },
    ];
    for stranger in strangers {
        let refused = Client::connect(&stranger);
        assert!(matches!(refused, Err(ConnectError::Server(_))), "{}", stranger.user);
    }
}

#[test]
fn every_kind_of_sink_gets_every_record_and_no_value() {
    let (web, otlp) = (Receiver::start(), Receiver::start());
    let (udp, tcp) = (SyslogReceiver::udp(), SyslogReceiver::tcp());
    let mut tls = None;
    let database = "sinks_all_table";
    let mut shop = Shop::open_with("sinks_all", |mut config| {
        certificates::make(config.path());
        let encrypted = tls.insert(SyslogReceiver::tls(config.path()));
        http(&mut config, "web", web.port());
        let url = |scheme: &str, port: u16| format!("url = '{scheme}://127.0.0.1:{port}'");
        sink(&mut config, "collector", "otlp", &url("http", otlp.port()));
        sink(&mut config, "datagrams", "syslog", &url("udp", udp.port()));
        sink(&mut config, "stream", "syslog", &url("tcp", tcp.port()));
        let url = url("tls", encrypted.port());
        let more = format!("{url}\nca_file = 'ca.pem'\nfacility = 'audit'");
        sink(&mut config, "encrypted", "syslog", &more);
        sink(&mut config, "copy", "file", "path = 'copy.jsonl'");
        sink(&mut config, "failures", "file", "path = 'failures.jsonl'\nkinds = ['login_failed']");
        sink(&mut config, "anchors", "file", "path = 'anchors.jsonl'\nkinds = ['checkpoint']");
        sink(&mut config, "out", "stdout", "");
        postgres(&mut config, database);
        config
    });
    let tls = tls.expect("made");
    plant(&shop);
    assert_eq!(shop.proxy.signal_and_wait("TERM").code(), Some(0));
    let log = lines(&shop.proxy.audit_text());
    assert!(log.len() > 20 && log.iter().any(|line| line.contains("\"stopped\"")));
    let last: serde_json::Value = serde_json::from_str(&log[log.len() - 1]).expect("JSON");
    udp.wait_for(last["hash"].as_str().expect("text"));

    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).expect("it is there");
    let file = |name: &str| lines(&read(shop.proxy.config.path().join(name)));
    assert_eq!(posted(&web), log);
    assert_eq!(logged(&otlp), log);
    assert_eq!(told(&udp), log);
    assert_eq!(told(&tcp), log);
    assert_eq!(told(&tls), log);
    assert_eq!(file("copy.jsonl"), log);
    assert_eq!(lines(&read(shop.proxy.config.stdout())), log);
    let failures: Vec<_> = log.iter().filter(|line| line.contains("\"login_failed\"")).collect();
    assert_eq!(file("failures.jsonl").iter().collect::<Vec<_>>(), failures);
    assert_eq!(failures.len(), 3);
    let anchors: Vec<_> = log.iter().filter(|line| line.contains("\"checkpoint\"")).collect();
    assert_eq!(file("anchors.jsonl").iter().collect::<Vec<_>>(), anchors);
    assert!(!anchors.is_empty());
    let rows = rows(&shop, database);
    assert_eq!(first_three(&rows), as_rows(&log));

    assert_signed(&web);
    let refused = |message: &&String| message.contains(" login_failed [keyhole@32473 ");
    let warnings =
        tls.messages().iter().filter(refused).filter(|m| m.starts_with("<108>1 ")).count();
    assert_eq!(warnings, 3, "13 * 8 + 4");

    let heard: String = [
        log.concat(),
        rows.concat().concat(),
        web.heard().iter().map(|heard| format!("{heard:?}")).collect(),
        otlp.heard().iter().map(|heard| format!("{heard:?}")).collect(),
        [&udp, &tcp, &tls].map(|receiver| receiver.messages().concat()).concat(),
        shop.proxy.log(),
    ]
    .concat()
    .to_lowercase();
    assert_no_value(&heard);
    assert!(heard.contains("a plain name"), "names are told as they are");
}

#[track_caller]
fn assert_signed(web: &Receiver) {
    for heard in web.heard() {
        assert_eq!(heard.headers["authorization"], "bob-secret");
        assert!(heard.delivery().starts_with(&heard.headers["x-keyhole-log"]));
        let signature = &heard.headers["x-keyhole-signature"];
        let time = signature.trim_start_matches("t=").split(',').next().expect("a time");
        let time = Timestamp::from_second(time.parse().expect("seconds")).expect("in range");
        let secret = Secret::new("alice-secret");
        assert_eq!(*signature, sign(&secret, time, heard.body.as_bytes()));
    }
}

#[track_caller]
fn assert_no_value(heard: &str) {
    for planted in
        ["canary-", "canary.", "canary@", "canary_database", "canary\\", "7771234", "12345678"]
    {
        let at = heard.find(planted);
        let around = at.map(|at| &heard[at.saturating_sub(200)..(at + 60).min(heard.len())]);
        assert_eq!(around, None, "{planted}");
    }
}

#[test]
fn kill_9_loses_no_record_and_the_table_has_each_once() {
    let web = Receiver::start();
    let database = "sinks_kill_table";
    let mut shop = Shop::open_with("sinks_kill", |mut config| {
        http(&mut config, "web", web.port());
        sink(&mut config, "copy", "file", "path = 'copy.jsonl'");
        postgres(&mut config, database);
        config
    });
    for round in 0..KILLS {
        let stop = AtomicBool::new(false);
        let data = shop.alice();
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| read_until(&data, &stop));
            std::thread::sleep(Duration::from_millis(150 + 61 * round));
            shop.proxy.kill9();
            stop.store(true, Ordering::Relaxed);
            assert!(reading.join().expect("no panic") > 0, "nothing was read in round {round}");
        });
        shop.proxy.restart();
    }
    until("all is in the table", || {
        let stops = rows(&shop, database).iter().filter(|row| row[1] == "started").count();
        (stops as u64 == KILLS + 1).then_some(())
    });
    assert_eq!(shop.proxy.signal_and_wait("TERM").code(), Some(0));
    let (ok, said) = shop.proxy.audit_verify();
    assert!(ok, "{said}");
    let log = lines(&shop.proxy.audit_text());
    let once: BTreeSet<_> = log.iter().collect();
    let copy = std::fs::read_to_string(shop.proxy.config.path().join("copy.jsonl"));
    let copy = lines(&copy.expect("it is there"));
    let (web, rows) = (posted(&web), rows(&shop, database));
    eprintln!("log {}, http {}, file {}, table {}", log.len(), web.len(), copy.len(), rows.len());
    assert!(web.iter().collect::<BTreeSet<_>>() == once, "http");
    assert!(copy.iter().collect::<BTreeSet<_>>() == once, "file");
    assert_eq!(first_three(&rows), as_rows(&log));
}

/// Reads until the proxy is gone; tells how often it got an answer.
fn read_until(data: &Target, stop: &AtomicBool) -> usize {
    let mut answers = 0;
    let Ok(mut session) = Client::connect(data) else { return 0 };
    while !stop.load(Ordering::Relaxed) && session.send(&query(EMAIL)).is_ok() {
        let reply = session.until_ready();
        if reply.status().is_none() {
            break;
        }
        answers += 1;
    }
    answers
}

#[test]
fn a_receiver_that_is_down_is_behind_and_holds_up_nobody() {
    let port = Receiver::start().port();
    let mut shop = Shop::open_with("sinks_down", |mut config| {
        http(&mut config, "web", port);
        sink(&mut config, "copy", "file", "path = 'copy.jsonl'");
        config
    });
    let mut session = shop.alice().connect();
    for _ in 0..50 {
        session.query(EMAIL).ok();
    }
    let mut dba = shop.dba();
    let mut shown = |name: &str| {
        let reply = dba.say("SHOW SINKS");
        let columns: Vec<_> = reply.columns().iter().map(|column| column.name.clone()).collect();
        let row = reply.rows().into_iter().find(|row| row[0] == name).expect("it is shown");
        columns.into_iter().zip(row).collect::<std::collections::BTreeMap<_, _>>()
    };
    until("the one is failing, and the other is not behind", || {
        let (web, copy) = (shown("web"), shown("copy"));
        let behind = web["behind_records"].parse::<u64>().expect("a number");
        let failing = web["state"] == "failing" && behind > 40 && web["delivered"] == "0";
        (failing && copy["state"] == "working" && copy["behind_records"] == "0").then_some(())
    });
    assert!(shown("web")["failing"].contains("cannot connect"));
    let (status, ready) = shop.proxy.http("/readyz");
    assert!(status == 200 && ready.contains("\"failing\"") && ready.contains("web"), "{ready}");
    let receiver = Receiver::start_on(port);
    until("it has all", || (shown("web")["behind_records"] == "0").then_some(()));
    let web = shown("web");
    assert_eq!((&*web["state"], &*web["missed"], &*web["refused"]), ("working", "0", "0"));
    until("the numbers say so", || {
        let (_, metrics) = shop.proxy.http("/metrics");
        let says = |line: &str| metrics.lines().any(|one| one == line);
        (says("keyhole_sink_behind_records{sink=\"web\"} 0")
            && !says("keyhole_sink_failures_total{sink=\"web\"} 0")
            && !says("keyhole_sink_records_total{sink=\"web\"} 0"))
        .then_some(())
    });
    drop(session);
    assert_eq!(shop.proxy.signal_and_wait("TERM").code(), Some(0));
    let log = lines(&shop.proxy.audit_text());
    assert_eq!(posted(&receiver), log, "each once, in order");
}

#[test]
fn a_reload_begins_and_ends_sinks() {
    let mut shop = Shop::open("sinks_reload");
    let mut dba = shop.dba();
    assert!(dba.say("SHOW SINKS").rows().is_empty());
    let without = std::fs::read_to_string(shop.proxy.config.file()).expect("it is there");
    let entry = "\n[[sink]]\nname = 'copy'\nkind = 'file'\nevery = '20ms'\npath = 'copy.jsonl'\n";
    let with = format!("{without}{entry}");
    let path = shop.proxy.config.path().join("copy.jsonl");
    let copied = || lines(&std::fs::read_to_string(&path).unwrap_or_default());
    for _ in 0..2 {
        shop.proxy.config.write_text(&with);
        let said = dba.say("RELOAD");
        assert!(format!("{said:?}").contains("sink"), "{said:?}");
        assert_eq!(dba.say("SHOW SINKS").rows().len(), 1);
        let before = copied().len();
        until("it goes on", || (copied().len() > before).then_some(()));
        shop.proxy.config.write_text(&without);
        dba.say("RELOAD");
        assert!(dba.say("SHOW SINKS").rows().is_empty());
        shop.alice().connect().query(EMAIL).ok();
    }
    shop.proxy.config.write_text(&with);
    dba.say("RELOAD");
    assert_eq!(shop.proxy.signal_and_wait("TERM").code(), Some(0));
    assert_eq!(copied(), lines(&shop.proxy.audit_text()), "each once, in order");
}
