//! Behind a load balancer that speaks the PROXY protocol, the client's own address counts.

use std::net::Ipv4Addr;

use toml::Value;

use crate::desk::{EMAIL, Shop, email, masked};
use crate::support::Client;

/// A header of version 2 that says so.
fn from(client: &str) -> Vec<u8> {
    let ip: Ipv4Addr = client.parse().expect("an address");
    let addresses = [&ip.octets()[..], &[10, 0, 0, 1, 0x30, 0x39, 0x19, 0x20]].concat();
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", &addresses[..]].concat()
}

/// "It is only me": a health check.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// Alice may read addresses, from one network.
fn shop(name: &str, balancers: &str) -> Shop {
    Shop::open_with(name, |mut config| {
        config.push(
            "standing",
            "subject = 'alice'\nresources = ['public.customers.email']\nactions = ['read']\n\
             networks = ['192.0.2.0/24']\nreason = 'the office'\n",
        );
        config.set("data", "proxy_protocol", vec![Value::from(balancers)])
    })
}

#[test]
fn the_address_in_the_header_is_the_clients() {
    let mut shop = shop("proxied_address", "127.0.0.0/8");
    let office = shop.alice().preamble(from("192.0.2.7"));
    let elsewhere = shop.alice().preamble(from("198.51.100.1"));
    let mut session = office.connect();
    assert_eq!(session.query(EMAIL).ok().scalar(), email(), "the grant is for its network");
    let listed = shop.dba().say("SHOW SESSIONS").rows();
    assert!(listed.iter().flatten().any(|cell| cell.contains("192.0.2.7")), "{listed:?}");
    assert_eq!(elsewhere.connect().query(EMAIL).ok().scalar(), masked(&email()));
    let health = shop.alice().preamble(LOCAL.to_vec());
    assert_eq!(health.connect().query(EMAIL).ok().scalar(), masked(&email()));
    drop(session);
    assert_eq!(shop.proxy.signal_and_wait("TERM").code(), Some(0));
    let log = shop.proxy.audit_text();
    let logins = log.lines().filter(|line| line.contains(r#""kind":"login""#));
    let logins: Vec<_> = logins.filter(|line| line.contains("alice")).collect();
    assert_eq!(logins.len(), 3, "{logins:?}");
    for (login, address) in logins.iter().zip(["192.0.2.7", "198.51.100.1", "127.0.0.1"]) {
        assert!(login.contains(address), "{address}: {login}");
    }
}

#[test]
fn a_trusted_balancer_has_to_send_a_header() {
    let shop = shop("proxied_trusted", "127.0.0.0/8");
    let version_1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n".to_vec();
    for preamble in [Vec::new(), version_1] {
        let refused = Client::connect(&shop.alice().preamble(preamble)).err();
        assert_eq!(refused.expect("no session").code(), "", "closed without a word");
    }
    let mut session = shop.alice().preamble(from("192.0.2.7")).connect();
    assert_eq!(session.query(EMAIL).ok().scalar(), email());
    assert!(shop.proxy.log().contains("version 1"), "{}", shop.proxy.log());
}

#[test]
fn nobody_else_is_believed_a_header() {
    let shop = shop("proxied_others", "10.0.0.0/8");
    let refused = Client::connect(&shop.alice().preamble(from("192.0.2.7"))).err();
    assert_eq!(refused.expect("no session").code(), "08P01", "a broken startup packet");
    assert_eq!(shop.alice().connect().query(EMAIL).ok().scalar(), masked(&email()));
}
