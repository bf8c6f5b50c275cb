use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use proptest::prelude::*;

use super::verifier::salted_password;
use super::*;
use crate::model::Secret;

const SALT: &[u8] = b"0123456789abcdef";

fn verifier(password: &str) -> Verifier {
    Verifier::from_password(&Secret::new(password), SALT, 8)
}

fn mock_key() -> MockKey {
    MockKey::new([7; 32])
}

fn new_client(password: &str) -> ScramSha256 {
    ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported())
}

/// Both sides up to the client's final message, which may then be tampered with.
fn until_final(verifier: Option<&Verifier>, password: &str) -> (ScramSha256, AwaitFinal) {
    let mut client = new_client(password);
    let server = ScramServer::new("alice", verifier, &mock_key(), [1; NONCE_LEN]);
    let (reply, server) = server.first(MECHANISM, client.message()).unwrap();
    client.update(&reply).unwrap();
    (client, server)
}

#[test]
fn the_right_password_convinces_both_sides() {
    for password in ["secret", "", "pass,word=", "I\u{ad}X", "\u{2168}", "a\u{a0}b", "\u{7}", "é"]
    {
        let (mut client, server) = until_final(Some(&verifier(password)), password);
        let (reply, authenticated) = server.finish(client.message()).unwrap();
        client.finish(&reply).unwrap();
        assert_eq!(&**authenticated.user(), "alice", "{password:?}");
    }
}

#[test]
fn passwords_are_compared_as_saslprep_prepares_them() {
    for (stored, given) in [("IX", "I\u{ad}X"), ("IX", "\u{2168}"), ("a b", "a\u{a0}b")] {
        let (client, server) = until_final(Some(&verifier(stored)), given);
        assert!(server.finish(client.message()).is_ok(), "{stored:?} {given:?}");
    }
}

#[test]
fn a_wrong_password_is_refused() {
    for (stored, given) in [("secret", "Secret"), ("secret", ""), ("secret", "secret ")] {
        let (client, server) = until_final(Some(&verifier(stored)), given);
        assert_eq!(server.finish(client.message()).unwrap_err(), ScramError::Proof);
    }
    assert_eq!(ScramError::Proof.state(), SqlState::INVALID_PASSWORD);
}

#[test]
fn a_user_without_a_verifier_fails_like_a_wrong_password() {
    let (client, server) = until_final(None, "secret");
    assert_eq!(server.finish(client.message()).unwrap_err(), ScramError::Proof);

    // Not even somebody who knows the mock's keys may pass.
    let mut mock = Verifier::mock(&mock_key(), "alice");
    let salted = salted_password("secret", &mock.salt, mock.iterations);
    mock.stored_key = Sha256::digest(hmac(&salted, &[b"Client Key"])).into();
    let mut client = new_client("secret");
    let server = ScramServer {
        end_point: None,
        user: "alice".into(),
        verifier: mock,
        standing: Standing::Mock,
        nonce: "n".to_owned(),
    };
    let (reply, server) = server.first(MECHANISM, client.message()).unwrap();
    client.update(&reply).unwrap();
    assert_eq!(server.finish(client.message()).unwrap_err(), ScramError::Proof);
}

#[test]
fn an_unknown_user_gets_the_same_salt_every_time() {
    let salt = |user: &str, key: &MockKey, nonce: u8| {
        let server = ScramServer::new(user, None, key, [nonce; NONCE_LEN]);
        let (reply, _) = server.first(MECHANISM, b"n,,n=,r=abc").unwrap();
        String::from_utf8(reply).unwrap().split_once(",s=").unwrap().1.to_owned()
    };
    let key = mock_key();
    assert_eq!(salt("bob", &key, 1), salt("bob", &key, 2));
    assert_ne!(salt("bob", &key, 1), salt("bill", &key, 1));
    assert_ne!(salt("bob", &key, 1), salt("bob", &MockKey::new([8; 32]), 1));
    // It looks like a real one: 16 bytes, the default iterations.
    assert_eq!(salt("bob", &key, 1).len(), 24 + ",i=4096".len());
    assert!(salt("bob", &key, 1).ends_with("==,i=4096"));
}

#[test]
fn a_tampered_final_message_is_refused() {
    type Tamper = fn(&str) -> String;
    let tampers: &[(&str, Tamper, ScramError)] = &[
        ("nonce", |m| m.replacen(",r=", ",r=x", 1), ScramError::NonceCheck),
        ("nonce", |m| m.replacen(",p=", "x,p=", 1), ScramError::NonceCheck),
        ("binding", |m| m.replacen("c=biws", "c=eSws", 1), ScramError::ChannelBindingCheck),
        ("extension", |m| m.replacen(",p=", ",x=y,p=", 1), ScramError::Proof),
        ("not an extension", |m| m.replacen(",p=", ",xy,p=", 1), ScramError::Malformed),
        ("proof", |m| [m.split_once(",p=").unwrap().0, ",p="].concat(), ScramError::Malformed),
        (
            "zeros for a proof",
            |m| [m.split_once(",p=").unwrap().0, ",p=", &STANDARD.encode([0; 32])].concat(),
            ScramError::Proof,
        ),
        ("no proof", |m| m.split_once(",p=").unwrap().0.to_owned(), ScramError::Malformed),
        ("garbage after the proof", |m| format!("{m},x=y"), ScramError::Malformed),
        ("order", |m| m.replacen("c=biws,", "", 1), ScramError::Malformed),
        ("nothing", |_| String::new(), ScramError::Malformed),
    ];
    let verifier = verifier("secret");
    for (what, tamper, expected) in tampers {
        let (client, server) = until_final(Some(&verifier), "secret");
        let message = tamper(std::str::from_utf8(client.message()).unwrap());
        assert_eq!(server.finish(message.as_bytes()).unwrap_err(), *expected, "{what}");
    }
}

#[test]
fn a_replayed_exchange_is_refused() {
    let verifier = verifier("secret");
    let mut client = new_client("secret");
    let first = client.message().to_vec();
    let server = ScramServer::new("alice", Some(&verifier), &mock_key(), [1; NONCE_LEN]);
    let (reply, server) = server.first(MECHANISM, &first).unwrap();
    client.update(&reply).unwrap();
    let last = client.message().to_vec();
    server.finish(&last).unwrap();

    let server = ScramServer::new("alice", Some(&verifier), &mock_key(), [2; NONCE_LEN]);
    let (_, server) = server.first(MECHANISM, &first).unwrap();
    assert_eq!(server.finish(&last).unwrap_err(), ScramError::NonceCheck);
}

#[test]
fn a_first_message_is_taken_or_refused_for_what_it_is() {
    for (message, expected) in [
        (&b"n,,n=,r=abc"[..], None),
        (b"y,,n=,r=abc", None),
        (b"n,,n=alice,r=abc,x=y", None),
        (b"p=tls-server-end-point,,n=,r=abc", Some(ScramError::ChannelBinding)),
        (b"n,a=root,n=,r=abc", Some(ScramError::AuthorizationIdentity)),
        (b"n,,m=x,n=,r=abc", Some(ScramError::Extension)),
        (b"n,,n=,r=", Some(ScramError::Nonce)),
        (b"n,,n=,r=a b", Some(ScramError::Nonce)),
        (b"n,,n=,r=\xc3\xa9", Some(ScramError::Nonce)),
        (b"n,,n=,r=\xff", Some(ScramError::Malformed)),
        (b"n,,r=abc", Some(ScramError::Malformed)),
        (b"n,,n=", Some(ScramError::Malformed)),
        (b"n,,n=,r=abc,", Some(ScramError::Malformed)),
        (b"n,x,n=,r=abc", Some(ScramError::Malformed)),
        (b"x,,n=,r=abc", Some(ScramError::Malformed)),
        (b"n", Some(ScramError::Malformed)),
        (b"", Some(ScramError::Malformed)),
    ] {
        let server = ScramServer::new("alice", None, &mock_key(), [1; NONCE_LEN]);
        assert_eq!(server.first(MECHANISM, message).err(), expected, "{message:?}");
    }
}

/// Both sides, the client bound to `seen`, the server to `own`.
fn bound(seen: &[u8], own: &[u8], tamper: fn(&[u8]) -> Vec<u8>) -> Result<(), ScramError> {
    let binding = ChannelBinding::tls_server_end_point(seen.to_vec());
    let mut client = ScramSha256::new(b"secret", binding);
    let verifier = verifier("secret");
    let server = ScramServer::new("alice", Some(&verifier), &mock_key(), [1; NONCE_LEN])
        .binding_to(Some(own.into()));
    assert_eq!(server.mechanisms().collect::<Vec<_>>(), [MECHANISM_PLUS, MECHANISM]);
    let (reply, server) = server.first(MECHANISM_PLUS, client.message())?;
    client.update(&reply).unwrap();
    let (reply, _) = server.finish(&tamper(client.message()))?;
    client.finish(&reply).unwrap();
    Ok(())
}

#[test]
fn a_proof_is_worth_nothing_with_another_certificate() {
    let honest = <[u8]>::to_vec;
    assert_eq!(bound(&[1; 32], &[1; 32], honest), Ok(()));
    assert_eq!(bound(&[2; 32], &[1; 32], honest), Err(ScramError::ChannelBindingCheck));
    assert_eq!(bound(&[1; 31], &[1; 32], honest), Err(ScramError::ChannelBindingCheck));
    // Putting the right hash in its place spoils the proof.
    let replaced = |message: &[u8]| {
        let message = std::str::from_utf8(message).unwrap();
        let (_, rest) = message.split_once(",r=").unwrap();
        let binding = [BOUND_HEADER.as_bytes(), &[1; 32]].concat();
        format!("c={},r={rest}", STANDARD.encode(binding)).into_bytes()
    };
    assert_eq!(bound(&[2; 32], &[1; 32], replaced), Err(ScramError::Proof));
    assert_eq!(ScramError::ChannelBindingCheck.state(), SqlState::INVALID_AUTHORIZATION);
}

#[test]
fn binding_is_neither_dropped_nor_pretended() {
    let end_point = || Some(Arc::from([1; 32]));
    for (end_point, mechanism, first, expected) in [
        (end_point(), MECHANISM, &b"n,,n=,r=abc"[..], None),
        (end_point(), MECHANISM, b"y,,n=,r=abc", Some(ScramError::Downgrade)),
        (
            end_point(),
            MECHANISM,
            b"p=tls-server-end-point,,n=,r=abc",
            Some(ScramError::ChannelBinding),
        ),
        (end_point(), MECHANISM_PLUS, b"p=tls-server-end-point,,n=,r=abc", None),
        (end_point(), MECHANISM_PLUS, b"n,,n=,r=abc", Some(ScramError::ChannelBinding)),
        (end_point(), MECHANISM_PLUS, b"y,,n=,r=abc", Some(ScramError::ChannelBinding)),
        (
            end_point(),
            MECHANISM_PLUS,
            b"p=tls-unique,,n=,r=abc",
            Some(ScramError::ChannelBindingType),
        ),
        (None, MECHANISM_PLUS, b"p=tls-server-end-point,,n=,r=abc", Some(ScramError::Mechanism)),
        (end_point(), "SCRAM-SHA-1", b"n,,n=,r=abc", Some(ScramError::Mechanism)),
    ] {
        let server = ScramServer::new("alice", None, &mock_key(), [1; NONCE_LEN]);
        let found = server.binding_to(end_point).first(mechanism, first).err();
        assert_eq!(found, expected, "{mechanism} {}", first.escape_ascii());
    }
}

#[test]
fn the_example_of_the_rfc_is_reproduced() {
    // RFC 7677, section 3; the server's nonce is given there, so the state is made by hand.
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let server = ScramServer {
        end_point: None,
        user: "user".into(),
        verifier: Verifier::from_password(&Secret::new("pencil"), &salt, 4096),
        standing: Standing::Known,
        nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned(),
    };
    let (reply, server) = server.first(MECHANISM, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
    assert_eq!(
        reply,
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let (reply, _) = server.finish(last).unwrap();
    assert_eq!(reply, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn a_verifier_is_read_as_it_is_shown() {
    let verifier = verifier("secret");
    let text = verifier.to_string();
    assert!(text.starts_with("SCRAM-SHA-256$8:MDEyMzQ1Njc4OWFiY2RlZg==$"), "{text}");
    assert_eq!(Verifier::parse(&text), Ok(verifier.clone()));
    assert_eq!(format!("{verifier:?}"), "Verifier(…)");
    let keys = text.rsplit('$').next().unwrap().to_owned();
    for text in [
        String::new(),
        "secret".to_owned(),
        "md5d6a9f0b8ea5fbbd1e4e4d4c0a0a5d6a9".to_owned(),
        format!("SCRAM-SHA-256$0:MDEy${keys}"),
        format!("SCRAM-SHA-256$-1:MDEy${keys}"),
        format!("SCRAM-SHA-256$8:${keys}"),
        format!("SCRAM-SHA-256$8:MD${keys}"),
        format!("SCRAM-SHA-256$8${keys}"),
        format!("SCRAM-SHA-1$8:MDEy${keys}"),
        format!("SCRAM-SHA-256$8:MDEy${keys}$"),
        format!("SCRAM-SHA-256$8:MDEy${}", keys.replace(':', "")),
        "SCRAM-SHA-256$8:MDEy$MDEy:MDEy".to_owned(),
    ] {
        assert_eq!(Verifier::parse(&text), Err(VerifierError), "{text}");
    }
}

proptest! {
    #[test]
    fn no_message_passes_without_the_password(
        first in "[ny],,n=,r=[!-~]{1,9}", last in "c=[biwseSy=]{4},r=[!-~]{0,40},p=[A-Za-z0-9+/]{43}=",
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let verifier = verifier("secret");
        for (first, last) in [
            (first.as_bytes(), last.as_bytes()), (first.as_bytes(), &noise), (&noise, last.as_bytes()),
        ] {
            let server = ScramServer::new("alice", Some(&verifier), &mock_key(), [1; NONCE_LEN]);
            if let Ok((_, server)) = server.first(MECHANISM, first) {
                prop_assert!(server.finish(last).is_err());
            }
        }
    }
}
