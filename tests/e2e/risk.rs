//! Signals of a proxy as a process: what the rules see is acted upon while it matters, and what was
//! taken from somebody stays taken.

use crate::desk::{EMAIL, REQUEST, Shop, email, masked};
use crate::support::client::query;
use crate::support::keyhole::Config;
use crate::support::receiver::Receiver;
use crate::support::wait::until;
use crate::support::{Client, Keyhole};

/// Big enough that no buffer on the way holds all of it: 200 MB.
const STREAM: &str = "SELECT email, repeat('x', 1000) FROM customers, generate_series(1, 200000) \
                      WHERE id = 5";
const STREAM_ROWS: usize = 200_000;

/// The configuration with these rules.
fn with(config: Config, rules: &str) -> Config {
    let table: toml::Table = rules.parse().expect("TOML");
    config.set("risk", "rule", table["rule"].clone())
}

/// Refusals are what a client can make at will, without a grant.
fn refusals(count: u32, actions: &str) -> String {
    format!(
        "[[rule]]\nname = 'refused_burst'\ncount = {count}\nfactor = 1\nwithin = '10min'\n\
         actions = {actions}\n"
    )
}

/// Says what is refused.
fn provoke(session: &mut Client, times: u32) {
    for _ in 0..times {
        let reply = session.query("SELECT pg_read_file('/etc/passwd'), email FROM customers");
        assert_eq!(reply.code(), "42501");
    }
}

/// The signals on record, oldest first.
fn signals(proxy: &Keyhole) -> Vec<serde_json::Value> {
    let text = proxy.audit_text();
    let lines = text.lines().filter(|line| line.contains("\"kind\":\"signal\""));
    lines.map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn wait_for_signals(proxy: &Keyhole, count: usize) -> Vec<serde_json::Value> {
    until("there are as many signals", || {
        let signals = signals(proxy);
        (signals.len() >= count).then_some(signals)
    })
}

fn restrictions(shop: &Shop) -> Vec<String> {
    let rows = shop.dba().say("SHOW RESTRICTIONS").rows();
    rows.iter().map(|row| format!("{} {} {}", row[0], row[1], row[4])).collect()
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
        session.forget();
    }
    (rows, code)
}

fn first_rows(session: &mut Client, sql: &str) {
    session.send(&query(sql)).expect("alive");
    let mut rows = 0;
    while rows < 100 {
        let message = session.read().expect("in time").expect("an open connection");
        assert_ne!(message.tag, b'E', "{}", message.error());
        rows += usize::from(message.tag == b'D');
    }
}

#[test]
fn a_masked_burst_is_on_record_and_counted() {
    let rule = "[[rule]]\nname = 'masked_burst'\ncount = 10\nfactor = 1\nwithin = '10min'\n";
    let shop = Shop::open_with("risk_masked", |config| with(config, rule));
    let mut session = shop.alice().connect();
    for _ in 0..12 {
        assert_eq!(session.query(EMAIL).ok().scalar(), masked(&email()));
    }
    let signals = wait_for_signals(&shop.proxy, 1);
    let signal = &signals[0];
    assert_eq!(signal["rule"], "masked_burst");
    assert_eq!((&signal["user"], &signal["severity"]), (&"alice".into(), &"medium".into()));
    assert_eq!(signal["figures"]["statements"], 10);
    assert_eq!(signal["records"].as_array().map(Vec::len), Some(10));
    assert_eq!(signal["actions"], serde_json::json!(["metric"]));
    let (_, metrics) = shop.proxy.http("/metrics");
    assert!(metrics.contains("keyhole_signals_total{rule=\"masked_burst\"} 1"), "{metrics}");
    assert!(metrics.contains("keyhole_signals_total{rule=\"honey\"} 0"), "{metrics}");
    assert_eq!(restrictions(&shop), [""; 0]);
    assert!(shop.proxy.audit_verify().0);
    // The same rules over the same log tell the same, by default they tell nothing.
    let config = &shop.proxy.config;
    let (dir, file) = (config.path().join("audit"), config.file());
    let (dir, file) = (dir.to_str().expect("UTF-8"), file.to_str().expect("UTF-8"));
    for (more, told) in [(&["--config", file][..], 1), (&[], 0)] {
        let args = [&["risk", "replay", "--dir", dir, "--json"], more].concat();
        let output = config.command(&args).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), told + 1, "{text}");
        if let [again, _] = &lines[..] {
            assert_eq!(again["trigger"], signal["trigger"]);
            assert_eq!(again["records"], signal["records"]);
        }
    }
}

#[test]
fn a_suspension_cuts_what_runs_and_a_dba_lifts_it() {
    let rules = refusals(3, "['suspend', 'kill', 'webhook']");
    let receiver = Receiver::start();
    let url = format!("http://127.0.0.1:{}/", receiver.port());
    let hook = format!(
        "webhook = [{{ name = 'siem', url = '{url}', secret_env = 'KEYHOLE_ALICE_PASSWORD', \
         events = ['signal'] }}]"
    );
    let hook: toml::Table = hook.parse().expect("TOML");
    let shop = Shop::open_with("risk_suspend", |config| {
        with(config, &rules).set("notify", "webhook", hook["webhook"].clone())
    });
    shop.dba().grant("public.customers.email", "alice");
    shop.dba().say(
        "GRANT READ ON shop.public.customers.phone TO GROUP support FOR '30 minutes' REASON 'x'",
    );
    let (mut reader, mut other, mut attacker) =
        (shop.alice().connect(), shop.alice().connect(), shop.alice().connect());
    assert_eq!(other.query(EMAIL).ok().scalar(), email());
    first_rows(&mut reader, STREAM);
    provoke(&mut attacker, 3);
    // The client reads nothing meanwhile, so its result cannot have come to its end.
    until("alice is suspended", || (!restrictions(&shop).is_empty()).then_some(()));
    // The session that did it ends, the result of another is cut, the next statement is masked.
    let (rows, code) = rest(&mut reader);
    assert_eq!(code, "42501", "after {rows} more rows");
    assert!(rows < STREAM_ROWS / 2, "{rows} more rows");
    let (_, code) = rest(&mut attacker);
    assert_eq!(code, "57P01");
    assert_eq!(other.query(EMAIL).ok().scalar(), masked(&email()));
    let phone = "SELECT phone FROM customers WHERE id = 5";
    let stored = shop.direct().connect().query(phone).ok().scalar();
    assert_ne!(other.query(phone).ok().scalar(), stored);
    assert_eq!(restrictions(&shop), ["alice suspended risk"]);
    let signal = &wait_for_signals(&shop.proxy, 1)[0];
    assert_eq!(signal["actions"], serde_json::json!(["kill", "suspend", "webhook"]));
    let told = receiver.wait_for(1)[0].json();
    assert_eq!((&told["event"], &told["signal"]["user"]), (&"signal".into(), &"alice".into()));
    // Nobody lifts their own; a DBA gives her back what she had.
    let mut dba = shop.dba();
    dba.say("SUSPEND dora FOR '1 hour' REASON 'a test'");
    assert_eq!(dba.try_say("LIFT dora").code(), "42501");
    dba.say("LIFT alice");
    assert_eq!(other.query(EMAIL).ok().scalar(), email());
    assert_eq!(other.query(phone).ok().scalar(), stored);
    assert_eq!(dba.try_say("LIFT alice").code(), "42704");
    let steps = ["restricted", "lifted"].map(|step| format!("\"step\":\"{step}\""));
    let text = shop.proxy.audit_text();
    assert!(steps.iter().all(|step| text.contains(step)), "{text}");
    assert!(shop.proxy.audit_verify().0);
}

#[test]
fn a_suspension_outlives_a_crash_and_is_told_once() {
    let rules = refusals(3, "['suspend']");
    let mut shop = Shop::open_with("risk_crash", |config| with(config, &rules));
    shop.dba().grant("public.customers.email", "alice");
    let mut session = shop.alice().connect();
    assert_eq!(session.query(EMAIL).ok().scalar(), email());
    provoke(&mut session, 3);
    let before = wait_for_signals(&shop.proxy, 1);
    for _ in 0..3 {
        shop.proxy.kill9();
        shop.proxy.restart();
        assert_eq!(shop.alice().connect().query(EMAIL).ok().scalar(), masked(&email()));
        assert_eq!(restrictions(&shop), ["alice suspended risk"]);
    }
    // The log was read again from its beginning: a further signal is the second.
    let mut bob = shop.bob().connect();
    provoke(&mut bob, 3);
    let after = wait_for_signals(&shop.proxy, 2);
    assert_eq!((after.len(), &after[0], &after[1]["user"]), (2, &before[0], &"bob".into()));
    shop.dba().say("LIFT alice");
    shop.proxy.kill9();
    shop.proxy.restart();
    assert_eq!(shop.alice().connect().query(EMAIL).ok().scalar(), email());
    assert_eq!(restrictions(&shop), ["bob suspended risk"]);
    assert!(shop.proxy.audit_verify().0);
}

#[test]
fn what_was_granted_at_once_waits_for_somebody() {
    let rules = refusals(3, "['second_approval']");
    let shop = Shop::open_with("risk_second", |mut config| {
        let policy = "name = 'at once'\nsubjects = ['*']\nresources = ['*']\nactions = ['read']\n\
                      max_duration = '30m'\napprovals = 0\n";
        let dba = "name = 'dba'\nsubjects = ['*']\nresources = ['*']\nactions = ['write']\n\
                   max_duration = '30m'\napprovals = 1\napprovers = ['group:dba']\n";
        config.remove("policy");
        config.push("policy", policy);
        config.push("policy", dba);
        with(config, &rules)
    });
    let (mut alice, mut bob) = (shop.alice().connect(), shop.bob().connect());
    provoke(&mut alice, 3);
    wait_for_signals(&shop.proxy, 1);
    assert_eq!(restrictions(&shop), ["alice second_approval risk"]);
    for session in [&mut alice, &mut bob] {
        session.query(REQUEST).ok();
    }
    assert_eq!(bob.query(EMAIL).ok().scalar(), email());
    assert_eq!(alice.query(EMAIL).ok().scalar(), masked(&email()));
    shop.dba().approve("alice");
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
}
