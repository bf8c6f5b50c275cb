//! Several proxies that share an approval store.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::desk::{Dba, EMAIL, REQUEST, email, masked};
use crate::support::keyhole::Config;
use crate::support::traps::{self, Variant};
use crate::support::wait::{now, until};
use crate::support::{Client, Keyhole, Postgres, Target};

/// How many changes reach three proxies in `make test`; see `make store-bench`.
const CHANGES: usize = 20;

const GRANT: &str =
    "GRANT READ ON shop.public.customers.email TO alice FOR '30 minutes' REASON 'INC-7: shared'";

/// The databases of a shop and of its store.
pub(crate) fn prepare(name: &str) -> &'static Postgres {
    let server = Postgres::shared();
    traps::create(server, name, Variant::A);
    store(server, &format!("{name}_store"));
    server
}

fn store(server: &Postgres, name: &str) {
    server.admin("postgres").query(&format!("CREATE DATABASE {name} OWNER app")).ok();
}

pub(crate) fn config(server: &Postgres, name: &str, store: &str) -> Config {
    let url = format!("postgres://app@127.0.0.1:{}/{store}", server.port());
    Config::new().database("shop", server, name, traps::CATALOG).set("store", "url", url).set(
        "store",
        "password_env",
        "KEYHOLE_UPSTREAM_PASSWORD",
    )
}

fn team(name: &str) -> Vec<Keyhole> {
    let server = prepare(name);
    let member = |_| Keyhole::start(config(server, name, &format!("{name}_store")));
    (0..3).map(member).collect()
}

fn dba(proxy: &Keyhole) -> Dba {
    Dba::at(&proxy.control("dora"))
}

fn alice(proxy: &Keyhole) -> Target {
    proxy.data("alice", "shop")
}

/// Until the open session shows `wanted`.
fn await_value(session: &mut Client, wanted: &str) {
    until(wanted, || {
        let reply = session.query(EMAIL);
        // A result that was on its way when its grant ended is cut.
        (reply.code() != "42501" && reply.ok().scalar() == wanted).then_some(())
    });
}

#[test]
fn a_request_here_an_approval_there_and_raw_data_everywhere() {
    let mut proxies = team("shared_loop");
    let mut sessions: Vec<Client> = proxies.iter().map(|proxy| alice(proxy).connect()).collect();
    let (raw, hidden) = (email(), masked(&email()));
    sessions[0].query(REQUEST).ok();
    let asked = until("the request is known", || {
        let rows = dba(&proxies[1]).say("SHOW REQUESTS").rows();
        (rows.len() == 1).then_some(rows)
    });
    dba(&proxies[1]).say(&format!("APPROVE {}", asked[0][0]));
    sessions.iter_mut().for_each(|session| await_value(session, &raw));
    dba(&proxies[2]).revoke("alice");
    sessions.iter_mut().for_each(|session| await_value(session, &hidden));
    // What was acknowledged holds, whatever becomes of who acknowledged it.
    dba(&proxies[0]).say(GRANT);
    proxies[0].kill9();
    sessions[1..].iter_mut().for_each(|session| await_value(session, &raw));
    dba(&proxies[1]).say("REVOKE ALL");
    proxies[1].kill9();
    await_value(&mut sessions[2], &hidden);
    for proxy in &mut proxies[..2] {
        proxy.restart();
        assert_eq!(alice(proxy).connect().query(EMAIL).ok().scalar(), hidden);
    }
    // Every proxy's own log tells the whole story.
    for proxy in &mut proxies {
        assert_eq!(proxy.signal_and_wait("TERM").code(), Some(0));
        let (ok, said) = proxy.audit_verify();
        assert!(ok, "{said}");
        let log = proxy.audit_text();
        for step in ["requested", "approved", "granted", "revoked"] {
            assert!(log.contains(&format!("\"{step}\"")), "{step}:\n{log}");
        }
    }
}

#[test]
fn check_and_explain_read_a_store_that_is_in_use() {
    let proxies = team("shared_explain");
    let proxy = &proxies[2];
    dba(&proxies[0]).say(GRANT);
    let file = proxy.config.file();
    let file = file.to_str().expect("UTF-8");
    let run = |args: &[&str]| {
        let output = proxy.config.command(args).output().expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let explain = |user: &str| {
        run(&["explain", "--config", file, "--database", "shop", "--as", user, "--json", EMAIL])
    };
    let ((_, covered), (_, bare)) = (explain("alice"), explain("bob"));
    assert!(covered.contains("\"grants\":\"store\"") && bare.contains("\"grants\":\"store\""));
    assert!(covered.contains("\"state\":\"raw\""), "{covered}");
    assert!(bare.contains("\"state\":\"hidden\""), "{bare}");
    // The catalog of the traps is not free of problems; none is of the store.
    let (_, said) = run(&["check", "--config", file]);
    assert!(!said.contains("[store]"), "{said}");
    let text = proxy.config.text().replace("shared_explain_store", "no_such_database");
    proxy.config.write_text(&text);
    let (code, said) = run(&["check", "--config", file]);
    assert_eq!(code, Some(1));
    assert!(said.contains("[store]") && said.contains("no_such_database"), "{said}");
}

#[test]
fn a_proxy_does_not_go_on_with_another_store_unless_it_is_told_to() {
    let server = prepare("shared_adopt");
    store(server, "shared_adopt_other");
    let mut other = Keyhole::start(config(server, "shared_adopt", "shared_adopt_other"));
    let mut proxy = Keyhole::start(config(server, "shared_adopt", "shared_adopt_store"));
    dba(&other).say(GRANT);
    for proxy in [&mut other, &mut proxy] {
        assert_eq!(proxy.signal_and_wait("TERM").code(), Some(0));
    }
    let text = proxy.config.text().replace("shared_adopt_store", "shared_adopt_other");
    proxy.config.write_text(&text);
    let file = proxy.config.file();
    let start = || {
        let args = ["serve", "--config", file.to_str().expect("UTF-8")];
        proxy.config.command(&args).output().expect("it runs")
    };
    let refused = start();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("keyhole store adopt"), "{said}");
    let adopt = ["store", "adopt", "--config", file.to_str().expect("UTF-8")];
    let adopted = proxy.config.command(&adopt).output().expect("it runs");
    assert!(adopted.status.success(), "{}", String::from_utf8_lossy(&adopted.stderr));
    proxy.restart();
    assert_eq!(alice(&proxy).connect().query(EMAIL).ok().scalar(), email());
    assert!(proxy.audit_text().contains("INC-7: shared"), "recorded here too");
}

/// When a session shows what it is asked to wait for.
fn watch(mut session: Client, wanted: &Receiver<String>, seen: &Sender<Instant>) {
    for value in wanted {
        while !shows(&mut session, &value) {}
        if seen.send(now()).is_err() {
            return;
        }
    }
}

fn shows(session: &mut Client, value: &str) -> bool {
    let reply = session.query(EMAIL);
    session.forget();
    reply.code() != "42501" && reply.ok().scalar() == value
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn changes_reach_three_proxies() {
    let changes = std::env::var("KEYHOLE_STORE_CHANGES").ok();
    let changes = changes.map_or(CHANGES, |number| number.parse().expect("a number"));
    let proxies = team("shared_changes");
    let mut console = dba(&proxies[0]);
    let (raw, hidden) = (email(), masked(&email()));
    let (mut from_order, mut from_answer) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let watchers: Vec<_> = proxies
            .iter()
            .map(|proxy| {
                let session = alice(proxy).connect();
                let ((tell, told), (see, seen)) = (channel(), channel());
                scope.spawn(move || watch(session, &told, &see));
                (tell, seen)
            })
            .collect();
        for number in 0..changes {
            let (order, wanted) =
                if number % 2 == 0 { (GRANT, &raw) } else { ("REVOKE ALL", &hidden) };
            for (tell, _) in &watchers {
                tell.send(wanted.clone()).expect("a live watcher");
            }
            let ordered = now();
            console.say(order);
            let answered = now();
            for (_, seen) in &watchers {
                let seen = seen.recv_timeout(crate::support::wait::PATIENCE);
                let seen = seen.unwrap_or_else(|_| panic!("change {number} is not enforced"));
                from_order.push(seen - ordered);
                from_answer.push(seen.saturating_duration_since(answered));
            }
        }
    });
    println!("{changes} changes, three proxies, one machine:");
    println!("  from the order to enforcement:  {}", distribution(&mut from_order));
    println!("  from the answer to enforcement: {}", distribution(&mut from_answer));
}

fn distribution(delays: &mut [Duration]) -> String {
    delays.sort_unstable();
    let at = |percent: usize| {
        let delay = delays[(delays.len() - 1) * percent / 100];
        format!("{:.1} ms", delay.as_secs_f64() * 1e3)
    };
    format!("p50 {}, p90 {}, p99 {}, max {}", at(50), at(90), at(99), at(100))
}
