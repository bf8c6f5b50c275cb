//! Tokens that a real provider issues, as passwords.

use ring::hmac;
use serde_json::{Value, json};

use super::{config, console, data, last_login, refused};
use crate::support::issuer::{Issuer, changed};
use crate::support::keyhole::Config;
use crate::support::wait::until;
use crate::support::{Client, Keyhole};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(super) fn trusting(issuer: &Issuer) -> Config {
    config()
        .set("data", "auth", "oidc")
        .set("oidc", "issuer", issuer.url())
        .set("oidc", "audience", vec!["keyhole"])
        .set("oidc", "ca_file", issuer.authority())
        .set("oidc", "groups_claim", "groups")
        .set("oidc", "leeway", "1s")
        .set("oidc", "refresh_min", "100ms")
}

#[test]
fn a_token_is_as_good_as_a_password() {
    let issuer = Issuer::start(&["a", "ec"]);
    let proxy = Keyhole::start(trusting(&issuer));
    let ada = issuer.token("ada");
    assert_eq!(data(&proxy, "ada", &ada).connect().query("SELECT 1").scalar(), "1");
    let record = last_login(&proxy, "ada");
    assert_eq!(record["method"], "oidc");
    assert!(record.to_string().contains("[\"dba\",\"staff\"]"), "{record}");
    assert_eq!(refused(&data(&proxy, "ada", &issuer.token_of("ada", "keyhole", 60, "ES256"))), "");
    assert_eq!(refused(&data(&proxy, "ada", &issuer.token_of("ada", "keyhole", 60, "PS512"))), "");
    // Groups are those of the token.
    assert_eq!(refused(&console(&proxy, "ada", &ada)), "");
    issuer.people(&json!({ "ada": { "groups": [] }, "ben": {} }));
    assert_eq!(refused(&console(&proxy, "ada", &issuer.token("ada"))), "28000");
    // Somebody else's, for somebody else, from somewhere else.
    assert_eq!(refused(&data(&proxy, "ada", &issuer.token("ben"))), "28P01");
    assert_eq!(refused(&data(&proxy, "ADA", &ada)), "28P01");
    assert_eq!(refused(&data(&proxy, "alice", "alice-secret")), "28P01");
    let other = issuer.token_of("ada", "other", 60, "RS256");
    assert_eq!(refused(&data(&proxy, "ada", &other)), "28P01");
    let stranger = Issuer::start(&["a"]);
    assert_eq!(refused(&data(&proxy, "ada", &stranger.token("ada"))), "28P01");
    for password in ["", ".", "..", "a.b.c", &ada[..ada.len() - 1], &format!("{ada}A")] {
        assert_eq!(refused(&data(&proxy, "ada", password)), "28P01", "{password}");
    }
    assert!(!proxy.log().contains(&ada) && !proxy.audit_text().contains(&ada));
}

#[test]
fn forged_tokens_open_nothing() {
    let issuer = Issuer::start(&["a"]);
    let proxy = Keyhole::start(trusting(&issuer));
    let ben = issuer.token("ben");
    let is_ada = |claims: &mut Value| claims["sub"] = json!("ada");
    let unsigned = |header: Value| {
        let forged = changed(&ben, Some(header), is_ada);
        forged.rsplit_once('.').expect("three parts").0.to_owned()
    };
    let header = json!({ "alg": "HS256", "kid": "a", "typ": "at+jwt" });
    let mut forged = vec![
        changed(&ben, None, is_ada),
        changed(&ben, None, |claims| claims["exp"] = json!(4_000_000_000_u64)),
        format!("{}.", unsigned(json!({ "alg": "none", "kid": "a" }))),
        format!("{}.", unsigned(json!({ "alg": "RS256", "kid": "a" }))),
    ];
    // The public key, in whatever form, as the secret that everybody knows.
    let modulus = issuer.modulus("a");
    for secret in [modulus.clone(), URL_SAFE_NO_PAD.encode(&modulus).into_bytes()] {
        let signed = unsigned(header.clone());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
        forged.push(format!("{signed}.{signature}"));
    }
    for token in &forged {
        for user in ["ada", "ben"] {
            assert_eq!(refused(&data(&proxy, user, token)), "28P01", "{user} {token}");
        }
    }
    assert_eq!(refused(&data(&proxy, "ben", &ben)), "");
}

#[test]
fn a_token_ends_and_its_session_with_it() {
    let issuer = Issuer::start(&["a"]);
    let proxy = Keyhole::start(trusting(&issuer));
    let token = issuer.token_of("ada", "keyhole", 4, "RS256");
    let mut client = data(&proxy, "ada", &token).connect();
    assert_eq!(client.query("SELECT 1").scalar(), "1");
    let end = until("the session ends", || client.read().expect("a reply in time"));
    let said = end.error();
    assert_eq!((end.tag, said.code()), (b'E', "57P01"));
    assert!(said.to_string().contains("its login has expired"), "{said}");
    until("its end is on record", || {
        proxy.audit_text().contains(r#""reason":"login_expired""#).then_some(())
    });
    let error = Client::connect(&data(&proxy, "ada", &token)).err().expect("it has expired");
    assert_eq!(error.code(), "28P01");
    assert!(error.to_string().contains("ada"), "{error}");

    let open = trusting(&issuer).set("oidc", "session_ends_with_token", false);
    let proxy = Keyhole::start(open);
    let token = issuer.token_of("ada", "keyhole", 2, "RS256");
    let mut client = data(&proxy, "ada", &token).connect();
    until("the token expires", || {
        (!refused(&data(&proxy, "ada", &token)).is_empty()).then_some(())
    });
    assert_eq!(client.query("SELECT 1").scalar(), "1");
}

#[test]
fn keys_come_and_go_as_the_issuer_says() {
    let mut issuer = Issuer::start(&["a"]);
    let proxy = Keyhole::start(trusting(&issuer).set("oidc", "refresh", "1s"));
    let old = data(&proxy, "ada", &issuer.token("ada"));
    assert_eq!(refused(&old), "");
    issuer.serve(&["b", "a"]);
    let new = data(&proxy, "ada", &issuer.token("ada"));
    until("the new key counts", || refused(&new).is_empty().then_some(()));
    assert_eq!(refused(&old), "", "a key that is still published");
    issuer.serve(&["b"]);
    until("a withdrawn key does not count", || (refused(&old) == "28P01").then_some(()));
    assert_eq!(refused(&new), "");
    // Without the issuer, known keys serve for a while.
    issuer.stop();
    assert_eq!(refused(&new), "");
    assert_eq!(refused(&old), "28P01");
}

#[test]
fn an_issuer_that_is_not_there_lets_nobody_in_and_nothing_stop() {
    let mut issuer = Issuer::prepared();
    let mut other = Issuer::start(&["a"]);
    let proxy = Keyhole::start(trusting(&issuer).set("oidc", "stale_max", "5min"));
    let token = other.token("ada");
    other.stop();
    assert_eq!(refused(&data(&proxy, "ada", &token)), "08006");
    issuer.serve(&["a"]);
    let ada = data(&proxy, "ada", &issuer.token("ada"));
    until("it is asked again", || refused(&ada).is_empty().then_some(()));
    // A reload that leaves the issuer alone leaves its keys, too.
    issuer.stop();
    proxy.config.write();
    proxy.signal("HUP");
    until("the reload", || proxy.log().contains("was read again").then_some(()));
    assert_eq!(refused(&ada), "");
}

#[test]
fn an_issuer_whose_certificate_is_not_trusted_is_not_asked() {
    let (issuer, other) = (Issuer::start(&["a"]), Issuer::prepared());
    let proxy = Keyhole::start(trusting(&issuer).set("oidc", "ca_file", other.authority()));
    assert_eq!(refused(&data(&proxy, "ada", &issuer.token("ada"))), "08006");
}
