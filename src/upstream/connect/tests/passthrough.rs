//! Servers that do not keep to the exchange in which a client proves who it is.

use super::super::passthrough::{Challenged, Channel, Offered, Proven, offer};
use super::*;

type Say = fn(&mut Vec<u8>);

const CHALLENGE: &[u8] = b"r=abcdef,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096";

/// A connection on which the impostor has heard the startup packet and answered by `asked`.
async fn asked(asked: impl FnOnce(&mut Vec<u8>)) -> (Result<Offered, ConnectError>, Impostor) {
    asked_of("app", asked).await
}

async fn asked_of(
    user: &str,
    asked: impl FnOnce(&mut Vec<u8>),
) -> (Result<Offered, ConnectError>, Impostor) {
    let listener = Listener::bind(SOME).unwrap();
    let target = target(listener.local_addr().unwrap().port(), Tls::Disable);
    let target = Arc::new(Target { user: user.to_owned(), password: None, ..target });
    let parameters = startup_parameters(&target, &[], &[]);
    let server = async {
        let (tcp, _) = listener.accept().await;
        let mut impostor = Impostor { tcp, frames: Frames::default() };
        impostor.frames.next_startup(&mut impostor.tcp).await.unwrap();
        impostor.say(asked).await;
        impostor
    };
    tokio::join!(offer(&target, &target, &parameters), server)
}

fn scram(out: &mut Vec<u8>) {
    write::authentication_sasl(out, ["SCRAM-SHA-256"]).unwrap();
}

async fn challenged() -> (Challenged, Impostor) {
    let (offered, mut impostor) = asked(scram).await;
    let server = async {
        assert_eq!(impostor.hear().await, b"SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abc");
        impostor.say(|out| write::authentication_sasl_continue(out, CHALLENGE).unwrap()).await;
    };
    let (challenged, ()) = tokio::join!(offered.unwrap().first(b"n,,n=,r=abc"), server);
    let (challenge, challenged) = challenged.unwrap();
    assert_eq!(challenge, CHALLENGE);
    (challenged, impostor)
}

/// What is made of `say` where the server's signature is due.
async fn proven(say: impl FnOnce(&mut Vec<u8>)) -> (Result<Proven, ConnectError>, Impostor) {
    let (challenged, mut impostor) = challenged().await;
    let server = async {
        assert_eq!(impostor.hear().await, b"c=biws,r=abcdef,p=x");
        impostor.say(say).await;
    };
    let (proven, ()) = tokio::join!(challenged.proof(b"c=biws,r=abcdef,p=x"), server);
    let proven = proven.map(|(signature, proven)| {
        assert_eq!(signature, b"v=signature");
        proven
    });
    (proven, impostor)
}

fn convinced(out: &mut Vec<u8>) {
    write::authentication_sasl_final(out, b"v=signature").unwrap();
    write::authentication_ok(out);
}

#[tokio::test]
async fn an_exchange_is_carried_and_its_connection_is_the_sessions() {
    let (proven, mut impostor) = proven(convinced).await;
    impostor
        .say(|out| {
            write::parameter_status(out, "session_authorization", "app").unwrap();
            write::backend_key_data(out, 7, b"0123").unwrap();
            write::ready_for_query(out, TxStatus::Idle);
            write::parameter_status(out, "x", "y").unwrap();
        })
        .await;
    let connected = proven.unwrap().ready().await.unwrap();
    assert_eq!(connected.parameters, owned(&[("session_authorization", "app")]));
    assert_eq!(connected.key, Some(BackendKey { pid: 7, secret: b"0123".to_vec() }));
    assert_eq!(connected.leftover, b"S\0\0\0\x08x\0y\0");
}

#[tokio::test]
async fn a_server_says_whether_it_would_bind_the_channel() {
    let plus = |out: &mut Vec<u8>| {
        write::authentication_sasl(out, ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]).unwrap();
    };
    let (offered, _impostor) = asked(plus).await;
    assert_eq!(offered.unwrap().channel(), Channel::Bindable);
    let (offered, _impostor) = asked(scram).await;
    assert_eq!(offered.unwrap().channel(), Channel::Unbound);
}

#[tokio::test]
async fn nothing_but_scram_is_begun() {
    let other = |code: u8| move |out: &mut Vec<u8>| out.extend([b'R', 0, 0, 0, 8, 0, 0, 0, code]);
    for (what, error, state) in [
        ("trust", asked(write::authentication_ok).await.0, "28000"),
        ("clear text", asked(write::authentication_cleartext_password).await.0, "0A000"),
        ("md5", asked(|out| out.extend(b"R\0\0\0\x0c\0\0\0\x051234")).await.0, "0A000"),
        ("Kerberos", asked(other(2)).await.0, "0A000"),
        ("GSSAPI", asked(other(7)).await.0, "0A000"),
        ("SSPI", asked(other(9)).await.0, "0A000"),
        ("what may come", asked(other(99)).await.0, "0A000"),
        ("OAUTHBEARER", sasl_of(&["OAUTHBEARER"]).await, "0A000"),
        ("PLUS alone", sasl_of(&["SCRAM-SHA-256-PLUS"]).await, "0A000"),
        ("no mechanism", sasl_of(&[]).await, "0A000"),
        ("a challenge", asked(|out| final_or_continue(out, 11)).await.0, "08006"),
        ("a signature", asked(|out| final_or_continue(out, 12)).await.0, "08006"),
        ("ready", asked(|out| write::ready_for_query(out, TxStatus::Idle)).await.0, "08006"),
        ("a long message", asked(|out| out.extend(b"R\x7f\xff\xff\xff")).await.0, "08006"),
        ("left-over bytes", asked(|out| out.extend(b"R\0\0\0\x09\0\0\0\0x")).await.0, "08006"),
    ] {
        let report = error.expect_err(what).report();
        assert_eq!(report.state.as_str(), state, "{what}: {}", report.message);
        assert_eq!(report.hint.is_some(), state != "08006", "{what}");
    }
}

async fn sasl_of(mechanisms: &[&str]) -> Result<Offered, ConnectError> {
    asked(|out| write::authentication_sasl(out, mechanisms.iter().copied()).unwrap()).await.0
}

fn final_or_continue(out: &mut Vec<u8>, code: u8) {
    out.extend([b'R', 0, 0, 0, 9, 0, 0, 0, code, b'x']);
}

#[tokio::test]
async fn a_challenge_is_waited_for_and_nothing_else() {
    for say in [
        write::authentication_ok as Say,
        scram,
        write::authentication_cleartext_password,
        |out| final_or_continue(out, 12),
        |out| out.extend(b"R\0\0\0\x0c\0\0\0\x051234"),
        |out| write::ready_for_query(out, TxStatus::Idle),
    ] {
        let (offered, mut impostor) = asked(scram).await;
        let server = async {
            impostor.hear().await;
            impostor.say(say).await;
        };
        let (challenged, ()) = tokio::join!(offered.unwrap().first(b"n,,n=,r=abc"), server);
        let error = challenged.unwrap_err();
        assert!(matches!(error, ConnectError::Unexpected(_)), "{error:?}");
    }
}

#[tokio::test]
async fn ok_without_the_servers_proof_is_worth_nothing() {
    for say in [
        write::authentication_ok as Say,
        scram,
        |out| write::authentication_sasl_continue(out, CHALLENGE).unwrap(),
        |out| {
            write::authentication_sasl_final(out, b"v=signature").unwrap();
            write::ready_for_query(out, TxStatus::Idle);
        },
        |out| {
            write::authentication_sasl_final(out, b"v=signature").unwrap();
            write::authentication_sasl_final(out, b"v=signature").unwrap();
        },
    ] {
        let (proven, _impostor) = proven(say).await;
        let error = proven.unwrap_err();
        assert!(matches!(error, ConnectError::Unexpected(_)), "{error:?}");
    }
    let wrong = Report::fatal(SqlState::INVALID_PASSWORD, "password authentication failed");
    let (proven, _impostor) = proven(|out| write::error(out, &wrong)).await;
    assert_eq!(proven.unwrap_err().report(), wrong);
}

#[tokio::test]
async fn the_session_has_to_be_the_users() {
    let ready = |out: &mut Vec<u8>| write::ready_for_query(out, TxStatus::Idle);
    let user = |out: &mut Vec<u8>, name: &str| {
        write::parameter_status(out, "session_authorization", name).unwrap();
    };
    for said in [&[][..], &["other"], &["APP"], &["app", "other"]] {
        let (proven, mut impostor) = proven(convinced).await;
        impostor
            .say(|out| {
                said.iter().for_each(|name| user(out, name));
                ready(out);
            })
            .await;
        let error = proven.unwrap().ready().await.unwrap_err();
        assert!(matches!(error, ConnectError::OtherUser), "{said:?}: {error:?}");
        assert_eq!(error.report().state, SqlState::INVALID_AUTHORIZATION);
    }
    // A second Ok is no part of what follows the first.
    let (proven, mut impostor) = proven(convinced).await;
    impostor.say(write::authentication_ok).await;
    let error = proven.unwrap().ready().await.unwrap_err();
    assert!(matches!(error, ConnectError::Unexpected(b'R')), "{error:?}");
}

#[tokio::test]
async fn a_binding_that_is_required_cannot_be_passed_on() {
    let target = Arc::new(Target { binding: Binding::Require, ..target(1, Tls::Disable) });
    let error = offer(&target, &target, &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::BindingMissing), "{error:?}");
}
