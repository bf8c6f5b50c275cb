//! OAUTHBEARER: by the bytes, and by libpq 18.

use postgres_protocol::message::frontend;

use super::tokens::trusting;
use super::{data, last_login};
use crate::support::client::frame;
use crate::support::issuer::Issuer;
use crate::support::{Client, Keyhole, Message, programs};

/// A client that has sent its startup packet and read what the server offers.
fn offered(proxy: &Keyhole, user: &str) -> Client {
    let mut client = Client::open(proxy.data_port()).expect("the port is open");
    let mut startup = bytes::BytesMut::new();
    let parameters = [("user", user), ("database", "shop")];
    frontend::startup_message(parameters, &mut startup).expect("a short packet");
    client.send(&startup).expect("it listens");
    let offer = answer(&mut client);
    assert_eq!(offer.body, b"\0\0\0\x0aOAUTHBEARER\0\0");
    client
}

fn answer(client: &mut Client) -> Message {
    client.read().expect("an answer in time").expect("an answer")
}

fn first(client: &mut Client, mechanism: &str, data: &[u8]) {
    let len = u32::try_from(data.len()).expect("short").to_be_bytes();
    let body = [mechanism.as_bytes(), b"\0", &len, data].concat();
    client.send(&frame(b'p', &body)).expect("it listens");
}

fn bearer(token: &str) -> Vec<u8> {
    format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes()
}

#[test]
fn a_bearer_is_let_in_or_told_where_to_go() {
    let issuer = Issuer::start(&["a"]);
    let config =
        trusting(&issuer).set("data", "auth", "oauthbearer").set("oidc", "scope", "openid keyhole");
    let proxy = Keyhole::start(config);
    let mut client = offered(&proxy, "ada");
    first(&mut client, "OAUTHBEARER", &bearer(&issuer.token("ada")));
    assert_eq!(answer(&mut client).body, b"\0\0\0\0");
    client.until_ready();
    assert_eq!(client.query("SELECT 1").scalar(), "1");
    assert_eq!(last_login(&proxy, "ada")["method"], "oauthbearer");

    for wrong in [b"n,,\x01auth=\x01\x01".to_vec(), bearer("abc"), bearer(&issuer.token("ben"))] {
        let mut client = offered(&proxy, "ada");
        first(&mut client, "OAUTHBEARER", &wrong);
        let told = answer(&mut client);
        assert_eq!(told.body[..4], [0, 0, 0, 11]);
        let status: serde_json::Value = serde_json::from_slice(&told.body[4..]).expect("JSON");
        assert_eq!(status["status"], "invalid_token");
        assert_eq!(status["scope"], "openid keyhole");
        let configuration = format!("{}/.well-known/openid-configuration", issuer.url());
        assert_eq!(status["openid-configuration"], configuration);
        client.send(&frame(b'p', b"\x01")).expect("it listens");
        assert_eq!(answer(&mut client).error().code(), "28000");
        assert!(client.read().expect("an end in time").is_none());
    }
    for (mechanism, data, code) in [
        ("SCRAM-SHA-256", &b"n,,n=,r=abc"[..], "08P01"),
        ("OAUTHBEARER", b"n,,n=,r=abc", "08P01"),
        ("OAUTHBEARER", b"", "08P01"),
        ("OAUTHBEARER", b"p=tls-exporter,,\x01auth=Bearer abc\x01\x01", "08P01"),
        ("OAUTHBEARER", b"n,a=ben,\x01auth=Bearer abc\x01\x01", "0A000"),
    ] {
        let mut client = offered(&proxy, "ada");
        first(&mut client, mechanism, data);
        assert_eq!(answer(&mut client).error().code(), code, "{mechanism} {data:?}");
    }
    // Not what comes after a refusal.
    let mut client = offered(&proxy, "ada");
    first(&mut client, "OAUTHBEARER", &bearer("abc"));
    answer(&mut client);
    client.send(&frame(b'p', b"again")).expect("it listens");
    assert_eq!(answer(&mut client).error().code(), "08P01");
}

#[test]
fn libpq_brings_a_token() {
    let issuer = Issuer::start(&["a"]);
    let proxy = Keyhole::start(trusting(&issuer).set("data", "auth", "oauthbearer"));
    let run = |user: &str, token: &str| {
        let mut program = programs::python("oauth_libpq.py", &data(&proxy, user, ""));
        program.arg(issuer.url()).arg(token);
        programs::run(program, "").ok().out
    };
    let out = run("ada", &issuer.token("ada"));
    assert!(out.contains("asked openid") && out.contains("user ada 1"), "{out}");
    let out = run("ada", &issuer.token("ben"));
    assert!(out.contains("error") && out.contains("authentication failed"), "{out}");
}
