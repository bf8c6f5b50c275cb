//! Masked, requested, approved, clear in the same open session, revoked or expired, masked again.

use std::time::Duration;

use crate::desk::{EMAIL, REQUEST, Shop, email, masked};
use crate::support::canary::without_digests;
use crate::support::message::Format;
use crate::support::wait::{now, until};
use crate::support::{Postgres, client};

#[test]
fn a_session_is_cleared_and_masked_again_without_reconnecting() {
    loop_on(Shop::open("loop_raw"));
}

#[test]
fn the_loop_turns_on_postgresql_18_too() {
    loop_on(Shop::on(Postgres::shared_18(), "loop_raw_18", |config| config));
}

fn loop_on(shop: Shop) {
    let mut session = shop.alice().connect();
    session.send(&[client::parse("kept", EMAIL), client::sync()].concat()).expect("alive");
    session.until_ready().ok();
    let mut values = || {
        let mut values = vec![session.query(EMAIL).ok().scalar()];
        for format in [Format::Text, Format::Binary] {
            values.push(session.extended(EMAIL, &[], format).ok().scalar());
            let kept = [client::bind("", "kept", &[], format), client::execute("", 0)];
            session.send(&[&kept.concat()[..], &client::sync()].concat()).expect("alive");
            values.push(session.until_ready().ok().scalar());
        }
        let with = "SELECT max(email) FROM customers WHERE id = $1";
        values.push(session.extended(with, &[Some("5")], Format::Text).ok().scalar());
        (values, session.query(REQUEST).ok())
    };
    let (raw, hidden) = (email(), masked(&email()));
    let mut dba = shop.dba();
    assert_eq!(values().0, vec![&*hidden; 6], "before any grant");
    dba.approve("alice");
    assert_eq!(values().0, vec![&*raw; 6], "after approval");
    dba.revoke("alice");
    assert_eq!(values().0, vec![&*hidden; 6], "after revocation");
    let (ok, said) = shop.proxy.audit_verify();
    assert!(ok && said.contains("audit verify: ok"), "{said}");
}

#[test]
fn a_request_alone_shows_nothing() {
    let shop = Shop::open("loop_request_only");
    let mut session = shop.alice().connect();
    let reply = session.query(REQUEST).ok();
    assert_eq!(reply.rows().len(), 1);
    assert_eq!(session.query(EMAIL).ok().scalar(), masked(&email()));
    let requests = session.query("SELECT * FROM keyhole.my_requests").ok();
    assert_eq!(requests.rows().len(), 1);
    assert_eq!(session.query("SELECT * FROM keyhole.my_grants").ok().rows().len(), 0);
}

#[test]
fn a_grant_to_one_shows_nothing_to_another() {
    let shop = Shop::open("loop_other_user");
    let (mut alice, mut bob) = (shop.alice().connect(), shop.bob().connect());
    shop.dba().grant("public.customers.email", "alice");
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    assert_eq!(bob.query(EMAIL).ok().scalar(), masked(&email()));
}

#[test]
fn a_grant_on_one_column_leaves_the_others_masked() {
    let shop = Shop::open("loop_other_column");
    let mut alice = shop.alice().connect();
    shop.dba().grant("public.customers.email", "alice");
    let reply = alice.query("SELECT email, ssn, full_name FROM customers WHERE id = 5").ok();
    assert_eq!(reply.rows(), [[email(), "*******1205".to_owned(), "***".to_owned()]]);
}

#[test]
fn a_grant_to_a_group_counts_for_its_members() {
    let shop = Shop::open("loop_group");
    let (mut alice, mut bob) = (shop.alice().connect(), shop.bob().connect());
    shop.dba().say(
        "GRANT READ ON shop.public.customers.email TO GROUP support FOR '5 min' REASON 'INC-7: x'",
    );
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    assert_eq!(bob.query(EMAIL).ok().scalar(), masked(&email()));
}

#[test]
fn a_row_scoped_grant_clears_its_rows_only() {
    let shop = Shop::open("loop_row_scope");
    let mut alice = shop.alice().connect();
    shop.dba().say(
        "GRANT READ ON shop.public.customers.email WHERE id = 5 TO alice FOR '5 min' \
         REASON 'INC-7: one customer'",
    );
    let other =
        crate::support::traps::stored(crate::support::traps::Variant::A, "customers.email", 6);
    let sql = "SELECT email FROM customers WHERE id IN (5, 6) ORDER BY id";
    for format in [Format::Text, Format::Binary] {
        let reply = alice.extended(sql, &[], format).ok();
        assert_eq!(reply.rows(), [[email()], [masked(&other)]], "{format:?}");
    }
    assert_eq!(alice.query(sql).ok().rows(), [[email()], [masked(&other)]]);
}

#[test]
fn a_short_grant_ends_by_itself() {
    let shop = Shop::open("loop_expiry");
    let mut alice = shop.alice().connect();
    alice.query("SELECT * FROM keyhole.request('customers.email', '3 seconds', 'INC-1: x')").ok();
    let began = now();
    shop.dba().approve("alice");
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    until("the grant expires", || {
        let reply = alice.query(EMAIL);
        match &*reply.code() {
            // It was running when the grant ended.
            "42501" => None,
            _ => (reply.ok().scalar() == masked(&email())).then_some(()),
        }
    });
    let lived = now() - began;
    assert!(lived > Duration::from_millis(2500), "it ended after {lived:?}");
    assert!(lived < Duration::from_secs(10), "it ended after {lived:?}");
}

#[test]
fn nobody_approves_their_own_request() {
    let shop = Shop::open("loop_own_request");
    let mut dora = shop.proxy.data("dora", "shop").connect();
    dora.query(REQUEST).ok();
    let reply = shop.dba().try_say("APPROVE 1");
    assert_eq!(reply.code(), "42501", "{reply:?}");
    assert_eq!(dora.query(EMAIL).ok().scalar(), masked(&email()));
}

#[test]
fn the_console_asks_for_oneself_too() {
    let shop = Shop::open("loop_console_request");
    let mut dora = shop.dba();
    let asked = "REQUEST READ ON customers.email WHERE id = 5 FOR '20 minutes' REASON 'INC-1: own'";
    let reply = dora.say(asked);
    assert!(format!("{reply:?}").contains("0 of 1 approvals by group:dba"), "{reply:?}");
    assert_eq!(dora.try_say("APPROVE 1").code(), "42501", "nobody approves their own");
    assert_eq!(dora.try_say("EXTEND 1 FOR '5 minutes' REASON 'INC-1: more'").code(), "42704");
    dora.say("CANCEL 1");
    assert_eq!(dora.try_say("CANCEL 1").code(), "22023");
    assert_eq!(dora.try_say(&asked.replace("20 minutes", "9 hours")).code(), "42501");
    shop.dba().grant("public.customers.email", "alice");
    let others = dora.try_say("EXTEND 1 FOR '5 minutes' REASON 'INC-1: hers'");
    assert_eq!(others.code(), "42501", "{others:?}");
}

#[test]
fn the_control_port_is_for_those_with_its_role() {
    let shop = Shop::open("loop_control_role");
    let refused = client::Client::connect(&shop.proxy.control("alice")).err();
    let code = refused.expect("alice has no role").code().to_owned();
    assert!(["28000", "42501"].contains(&&*code), "{code}");
}

#[test]
fn a_denied_request_shows_nothing() {
    let shop = Shop::open("loop_denied");
    let mut alice = shop.alice().connect();
    alice.query(REQUEST).ok();
    let mut dba = shop.dba();
    dba.say("DENY 1 REASON 'no ticket'");
    assert_ne!(dba.try_say("APPROVE 1").code(), "");
    assert_eq!(alice.query(EMAIL).ok().scalar(), masked(&email()));
}

#[test]
fn the_audit_log_tells_the_loop_and_no_value() {
    let shop = Shop::open("loop_audit");
    let mut alice = shop.alice().connect();
    alice.query(EMAIL).ok();
    alice.query(REQUEST).ok();
    let mut dba = shop.dba();
    dba.approve("alice");
    alice.query("SELECT email, 'a literal of hers' FROM customers WHERE id = 5").ok();
    dba.revoke("alice");
    alice.query(EMAIL).ok();
    let text = shop.proxy.audit_text();
    assert!(text.contains("customers.email"), "the column is named: {text}");
    assert!(text.contains("alice") && text.contains("dora"));
    assert!(!text.contains(&email()) && !text.contains("a literal of hers"), "{text}");
    let finder = crate::support::traps::finder(crate::support::traps::Variant::A);
    for log in [text, shop.proxy.log()] {
        assert_eq!(finder.find(without_digests(&log).as_bytes(), b""), []);
    }
}
