//! How many connections there may be, and for how long they may be silent.

use std::net::TcpStream;
use std::time::Duration;

use crate::desk::Shop;
use crate::support::wait::until;
use crate::support::{Client, Target};

/// SQLSTATE and HINT of a refused login.
fn refused(target: &Target) -> (String, String) {
    match Client::connect(target) {
        Ok(_) => panic!("{}: let in", target.user),
        Err(crate::support::client::ConnectError::Server(error)) => {
            (error.code().to_owned(), error.field('H').unwrap_or_default().to_owned())
        }
        Err(error) => panic!("{}: {error}", target.user),
    }
}

#[test]
fn a_user_has_so_many_sessions_and_no_more() {
    let shop =
        Shop::open_with("limits_user", |config| config.set("data", "connections_per_user", 2));
    let (first, _second) = (shop.alice().connect(), shop.alice().connect());
    let (code, hint) = refused(&shop.alice());
    assert_eq!(code, "53300");
    assert!(hint.contains("connections_per_user"), "{hint}");
    assert_eq!(shop.bob().connect().query("SELECT 1").scalar(), "1", "others have their own");
    drop(first);
    until("the place is free", || Client::connect(&shop.alice()).ok());
}

#[test]
fn an_address_has_so_many_connections_and_no_more() {
    let shop = Shop::open_with("limits_address", |config| {
        config.set("data", "connections_per_address", 2)
    });
    let first = shop.alice().connect();
    let idle = TcpStream::connect(("127.0.0.1", shop.proxy.data_port())).expect("open");
    let full = until("the silent one counts", || Client::connect(&shop.bob()).err());
    assert_eq!(full.code(), "53300");
    let (_, hint) = refused(&shop.bob());
    assert!(hint.contains("connections_per_address"), "{hint}");
    drop(idle);
    let second = until("the place is free", || Client::connect(&shop.bob()).ok());
    assert_eq!(refused(&shop.bob()).0, "53300");
    drop((first, second));
    until("both places are free", || Client::connect(&shop.bob()).ok());
}

#[test]
fn a_session_that_rests_for_too_long_ends_and_a_reload_changes_what_is_too_long() {
    let shop = Shop::open_with("limits_idle", |config| {
        config.set("data", "idle_in_transaction_timeout", "300ms")
    });
    let mut session = shop.alice().connect();
    session.query("BEGIN; LOCK TABLE app_settings").ok();
    let ended = session.until_ready();
    assert_eq!((&*ended.code(), ended.status()), ("25P03", None));
    let mut other = shop.direct().connect();
    other.query("SET lock_timeout = '20s'").ok();
    other.query("LOCK TABLE app_settings; SELECT 1").ok();

    let mut old = shop.alice().connect();
    let text = std::fs::read_to_string(shop.proxy.config.file()).expect("readable");
    let text = text.replacen("[data]", "[data]\nidle_timeout = \"300ms\"", 1);
    shop.proxy.config.write_text(&text);
    let said = shop.dba().say("RELOAD");
    assert!(!said.messages.is_empty());
    let mut new = shop.alice().connect();
    let ended = new.until_ready();
    assert_eq!((&*ended.code(), ended.status()), ("57P05", None));
    assert_eq!(old.query("SELECT 1").ok().scalar(), "1", "it began under the old limits");
}

#[test]
fn a_login_byte_by_byte_ends_in_time_and_a_session_may_take_its_time() {
    let shop = Shop::open_with("limits_slow", |config| config.set("data", "login_timeout", "2s"));
    let mut session = shop.alice().connect();
    let mut startup = vec![0, 0, 0, 40, 0, 3, 0, 0];
    startup.extend(b"user\0alice\0database\0shop\0\0");
    let mut slow = Client::open(shop.proxy.data_port()).expect("open");
    let ended = startup.iter().cycle().take(300).find_map(|byte| {
        std::thread::sleep(Duration::from_millis(100));
        let sent = slow.send(&[*byte]);
        let heard = slow.drain(Duration::from_millis(1));
        (sent.is_err() || !heard.messages.is_empty()).then_some(())
    });
    assert_eq!(ended, Some(()));
    for byte in crate::support::client::query("SELECT 1") {
        session.send(&[byte]).expect("alive");
        std::thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(session.until_ready().ok().scalar(), "1");
}

#[test]
fn too_many_open_files_are_survived() {
    let shop = Shop::open_with("limits_files", |config| config.files_max(80));
    let mut session = shop.alice().connect();
    let port = shop.proxy.data_port();
    let idle: Vec<_> =
        (0..120).filter_map(|_| TcpStream::connect(("127.0.0.1", port)).ok()).collect();
    assert!(idle.len() > 80, "{}", idle.len());
    until("it is noticed", || shop.proxy.log().contains("cannot accept").then_some(()));
    assert_eq!(session.query("SELECT 1").ok().scalar(), "1", "who is in goes on");
    drop(idle);
    let mut late = until("it accepts again", || Client::connect(&shop.bob()).ok());
    assert_eq!(late.query("SELECT 1").ok().scalar(), "1");
    assert_eq!(session.query("SELECT 2").ok().scalar(), "2");
}

#[test]
fn a_drain_ends_who_rests_lets_who_works_finish_and_takes_nobody_in() {
    let mut shop = Shop::open("limits_drain");
    let (mut idle, mut busy) = (shop.alice().connect(), shop.bob().connect());
    let silent = TcpStream::connect(("127.0.0.1", shop.proxy.data_port())).expect("open");
    busy.start("SELECT pg_sleep(2), 7");
    let mut direct = shop.direct().connect();
    let works = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(2)%' \
                 AND state = 'active' AND datname = current_database()";
    until("it works", || (direct.query(works).scalar() == "1").then_some(()));
    shop.proxy.signal("TERM");
    assert_eq!(idle.until_ready().code(), "57P01");
    let refused = until("the port is closed", || Client::connect(&shop.alice()).err());
    assert_eq!(refused.code(), "");
    let mut rows = Vec::new();
    while let Ok(Some(message)) = busy.read() {
        match message.tag {
            b'D' => rows.push(message.row()),
            b'E' => assert_eq!(message.error().code(), "57P01"),
            _ => {}
        }
    }
    assert_eq!(rows.len(), 1, "the result came whole");
    assert_eq!(shop.proxy.wait().code(), Some(0), "nobody who said nothing keeps it");
    drop(silent);
}
