//! Peers that fall silent, as a host without power does: no FIN, no RST, no acknowledgement.

use crate::desk::{EMAIL, Shop, email, masked};
use crate::support::client::query;
use crate::support::keyhole::{Config, Keyhole};
use crate::support::tap::lose_all;
use crate::support::traps::{self, Variant};
use crate::support::wait::until;
use crate::support::{Client, Postgres, Tap};

/// Backends of the database that run for an application called `silent`.
fn backends(server: &Postgres, database: &str) -> String {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = '{database}' AND application_name LIKE '%silent%'"
    );
    server.admin("postgres").query(&sql).ok().scalar()
}

fn on_record(proxy: &Keyhole, words: &str, times: usize) {
    until(&format!("{words} is on record, {times} times"), || {
        (proxy.audit_text().matches(words).count() == times).then_some(())
    });
}

fn ends(shop: &Shop, what: &str) {
    until(&format!("{what}: the session ends"), || {
        let rows = shop.dba().say("SHOW SESSIONS").rows();
        (!rows.iter().flatten().any(|cell| cell == "alice")).then_some(())
    });
    until(&format!("{what}: the database has its connection back"), || {
        (backends(shop.server, &shop.database) == "0").then_some(())
    });
}

#[test]
fn a_client_that_falls_silent_is_noticed_by_keepalive() {
    let shop = Shop::open_with("silence_client", |config| config.set("data", "keepalive", "1s"));
    let mut bob = shop.bob().connect();
    let alice = shop.alice().option("application_name", "silent");
    let session = alice.connect();
    assert_eq!(backends(shop.server, &shop.database), "1");
    lose_all(session.stream());
    ends(&shop, "idle");
    let mut session = alice.connect();
    session.query("BEGIN").ok();
    lose_all(session.stream());
    ends(&shop, "in a transaction");
    assert_eq!(bob.query(EMAIL).ok().scalar(), masked(&email()), "who is there, stays");
    on_record(&shop.proxy, r#""reason":"client_lost""#, 2);
}

#[test]
fn a_client_that_falls_silent_amid_a_result_is_given_up_when_it_may_be() {
    let shop = Shop::open_with("silence_result", |config| {
        config.set("data", "keepalive", "off").set("data", "tcp_user_timeout", "2s")
    });
    let alice = shop.alice().option("application_name", "silent");
    for sql in ["SELECT 1", "SELECT repeat('x', 1000) FROM generate_series(1, 100000)"] {
        let mut session = alice.connect();
        lose_all(session.stream());
        session.start(sql);
        ends(&shop, sql);
    }
}

/// A proxy that reaches its database through a tap.
fn tapped(name: &str) -> (Tap, Keyhole) {
    let server = Postgres::shared();
    traps::create(server, name, Variant::A);
    let tap = Tap::new(server.port());
    let mut config = Config::new();
    std::fs::write(config.path().join("shop.toml"), traps::CATALOG).expect("writable");
    let port = tap.port();
    config.push(
        "database",
        &format!(
            "name = 'shop'\npassword_env = 'KEYHOLE_UPSTREAM_PASSWORD'\ncatalog = ['shop.toml']\n\
             upstream = 'postgres://app@127.0.0.1:{port}/{name}?sslmode=disable&keepalives_idle=1\
             &tcp_user_timeout=3000'"
        ),
    );
    (tap, Keyhole::start(config))
}

/// The SQLSTATE with which a session ends.
fn last_words(session: &mut Client) -> String {
    let told = until("the client is told", || session.read().expect("in time"));
    told.error().code().to_owned()
}

#[test]
fn a_database_that_falls_silent_is_told_to_its_clients() {
    let (tap, proxy) = tapped("silence_database");
    let alice = proxy.data("alice", "shop");
    let (mut idle, mut asking) = (alice.connect(), alice.connect());
    let mut waiting = alice.connect();
    waiting.start("SELECT pg_sleep(600)");
    until("the query is with the database", || {
        let sent = tap.to_server();
        sent.windows(8).any(|window| window == b"pg_sleep").then_some(())
    });
    tap.lose_all();
    asking.send(&query("SELECT 1")).expect("the proxy is there");
    for (who, session) in [("asking", &mut asking), ("waiting", &mut waiting), ("idle", &mut idle)]
    {
        assert_eq!(last_words(session), "08006", "{who}");
    }
    // What comes in anew finds the database again.
    let mut session = until("a login succeeds", || Client::connect(&alice).ok());
    assert_eq!(session.query(EMAIL).ok().scalar(), masked(&email()));
    on_record(&proxy, r#""reason":"server_lost""#, 3);
}
