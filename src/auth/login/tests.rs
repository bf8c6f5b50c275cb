use std::collections::HashMap;
use std::sync::Arc;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use rustls::ServerConfig;

use super::*;
use crate::auth::Credentials;
use crate::auth::rules::{Method, Tls};
use crate::auth::scram::{self, MockKey, Verifier};
use crate::model::{Secret, Severity};
use crate::net::listen::{Silence, connect};
use crate::net::{Frames, Listener, tls};
use crate::wire::backend::{self, Authentication, ErrorFields, authentication};
use crate::wire::startup::{self, cancel_request};
use crate::wire::write;

mod binding;
mod passthrough;

const NEAR: Origin = Origin::Address(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

fn rules() -> Rules {
    let verifier = Verifier::from_password(&Secret::new("secret"), b"0123456789abcdef", 8);
    let verifiers = HashMap::from([("alice".to_owned(), verifier)]);
    let credentials = Credentials::new(verifiers, MockKey::new([7; 32]));
    Rules::one(Tls::Off, Method::Scram(Arc::new(credentials)))
}

fn trust() -> Rules {
    Rules::one(Tls::Off, Method::Trust)
}

/// A server certificate for `localhost`, with its key and its authority.
struct Pem {
    certificate: &'static [u8],
    key: &'static [u8],
}

const PEM: Pem = Pem {
    certificate: include_bytes!("tests/localhost.crt"),
    key: include_bytes!("tests/localhost.key"),
};

fn server_tls() -> Arc<ServerConfig> {
    tls::server_config(PEM.certificate, PEM.key, tls::ClientCertificates::Ignored).unwrap()
}

/// A client of a test: sends bytes, reads messages.
struct Peer<S> {
    stream: S,
    frames: Frames,
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Peer<S> {
    async fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        self.stream.write_all(&out).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    async fn byte(&mut self) -> u8 {
        self.stream.read_u8().await.unwrap()
    }

    async fn receive(&mut self, tag: u8) -> Vec<u8> {
        let frame = self.frames.next(&mut self.stream, 100_000).await.unwrap();
        assert_eq!(char::from(frame.tag), char::from(tag), "{:?}", frame.payload.escape_ascii());
        frame.payload
    }

    async fn start(&mut self, parameters: &[(&str, &str)]) {
        self.send(|out| startup::startup(out, 0, parameters.iter().copied()).unwrap()).await;
    }

    /// The whole exchange up to the client's last message.
    async fn prove(&mut self, password: &str) {
        let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        self.receive(backend::tag::AUTHENTICATION).await;
        let first = client.message().to_vec();
        self.send(|out| {
            write::sasl_initial_response(out, scram::MECHANISM, Some(&first)).unwrap();
        })
        .await;
        let payload = self.receive(backend::tag::AUTHENTICATION).await;
        let Ok(Authentication::SaslContinue(data)) = authentication(&payload) else {
            panic!("no challenge: {payload:?}")
        };
        client.update(data).unwrap();
        self.send(|out| write::sasl_response(out, client.message()).unwrap()).await;
    }

    /// SQLSTATE and message of the FATAL that has to come, and the end of the connection.
    async fn refused(&mut self) -> (String, String) {
        let payload = self.receive(backend::tag::ERROR_RESPONSE).await;
        let fields = ErrorFields::read(&payload).unwrap();
        let text = |code| String::from_utf8(fields.get(code).unwrap().to_vec()).unwrap();
        assert_eq!(text(b'V'), "FATAL");
        let end = self.frames.next(&mut self.stream, 100_000).await;
        assert!(matches!(end, Err(FrameError::Closed)), "{end:?}");
        (text(b'C'), text(b'M'))
    }
}

async fn pair() -> (Peer<TcpStream>, TcpStream) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (client, (server, _)) = tokio::join!(
        connect(listener.local_addr().unwrap(), Silence::default()),
        listener.accept()
    );
    (Peer { stream: client.unwrap(), frames: Frames::default() }, server)
}

/// Lets a client talk while `accept` runs.
async fn with<T>(
    rules: &Rules,
    talk: impl AsyncFnOnce(&mut Peer<TcpStream>) -> T,
) -> (Result<Arrival, LoginError>, T) {
    let (mut peer, tcp) = pair().await;
    tokio::join!(accept(tcp, NEAR, rules), talk(&mut peer))
}

fn client_of(arrival: Result<Arrival, LoginError>) -> Accepted {
    match arrival {
        Ok(Arrival::Client(accepted)) => *accepted,
        other => panic!("no client: {other:?}"),
    }
}

fn state_of(arrival: &Result<Arrival, LoginError>) -> SqlState {
    match arrival {
        Err(LoginError::Refused { report, .. }) => {
            assert_eq!(report.severity, Severity::Fatal);
            report.state
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn the_right_password_lets_in_and_bytes_sent_ahead_are_handed_over() {
    let (arrival, ()) = with(&rules(), async |peer| {
        peer.start(&[
            ("user", "alice"),
            ("application_name", "a"),
            ("replication", "off"),
            ("database", "shop"),
            ("options", "-c x=y"),
        ])
        .await;
        peer.prove("secret").await;
        peer.send(|out| write::query(out, "select 1").unwrap()).await;
        peer.receive(backend::tag::AUTHENTICATION).await;
        let ok = peer.receive(backend::tag::AUTHENTICATION).await;
        assert_eq!(authentication(&ok), Ok(Authentication::Ok));
    })
    .await;
    let mut accepted = client_of(arrival);
    assert_eq!(&**accepted.authenticated.user(), "alice");
    let parameters = [("application_name", "a"), ("options", "-c x=y")];
    assert_eq!(
        accepted.request,
        Request {
            user: "alice".to_owned(),
            database: "shop".to_owned(),
            minor: 0,
            parameters: parameters.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(),
        }
    );
    let mut query = std::mem::take(&mut accepted.leftover);
    while query.len() < 14 {
        accepted.stream.read_buf(&mut query).await.unwrap();
    }
    assert_eq!(query, b"Q\0\0\0\x0dselect 1\0");
}

#[tokio::test]
async fn wrong_passwords_and_unknown_users_are_told_the_same() {
    for (user, password) in [("alice", "Secret"), ("bob", "secret"), ("ALICE", "secret")] {
        let (arrival, told) = with(&rules(), async |peer| {
            peer.start(&[("user", user)]).await;
            peer.prove(password).await;
            peer.refused().await
        })
        .await;
        let message = format!("password authentication failed for user \"{user}\"");
        assert_eq!(told, ("28P01".to_owned(), message));
        assert_eq!(state_of(&arrival), SqlState::INVALID_PASSWORD);
        let Err(LoginError::Refused { attempt, .. }) = arrival else { panic!("checked") };
        assert_eq!((attempt.user.as_str(), attempt.method), (user, "scram"));
    }
}

#[tokio::test]
async fn nobody_gets_in_without_an_exchange() {
    type Send = fn(&mut Vec<u8>);
    for (what, send, state) in [
        ("plain password", (|out| write::password(out, b"secret").unwrap()) as Send, "08P01"),
        ("query", |out| write::query(out, "select 1").unwrap(), "08P01"),
        ("other mechanism", |out| sasl(out, "PLAIN", Some(b"n,,n=,r=a")), "08P01"),
        ("plus", |out| sasl(out, "SCRAM-SHA-256-PLUS", Some(b"n,,n=,r=a")), "08P01"),
        ("binding", |out| sasl(out, scram::MECHANISM, Some(b"p=x,,n=,r=a")), "08P01"),
        ("no data", |out| sasl(out, scram::MECHANISM, None), "08P01"),
        ("identity", |out| sasl(out, scram::MECHANISM, Some(b"n,a=x,n=,r=a")), "0A000"),
        ("oversized", |out| out.extend(b"p\0\x01\0\0"), "08P01"),
    ] {
        let (arrival, told) = with(&rules(), async |peer| {
            peer.start(&[("user", "alice")]).await;
            peer.receive(backend::tag::AUTHENTICATION).await;
            peer.send(send).await;
            peer.refused().await
        })
        .await;
        assert_eq!(told.0, state, "{what}: {}", told.1);
        assert_eq!(state_of(&arrival).as_str(), state, "{what}");
    }
}

fn sasl(out: &mut Vec<u8>, mechanism: &str, data: Option<&[u8]>) {
    write::sasl_initial_response(out, mechanism, data).unwrap();
}

#[tokio::test]
async fn malformed_and_unsupported_startups_are_refused_with_a_reason() {
    let reject = Rules::one(Tls::Off, Method::Reject);
    for (rules, bytes, state) in [
        (trust(), &b"GET / HTTP/1.1\r\n\r\n"[..], "08P01"),
        (trust(), b"\0\0\0\x08\0\x02\0\0", "0A000"),
        (trust(), b"\0\0\0\x09\0\x03\0\0\0", "28000"),
        (trust(), b"\0\0\0\x0f\0\x03\0\0user\0\0\0", "28000"),
        (trust(), b"\0\0\0\x10\0\x03\0\0user\0\xff\0\0", "08P01"),
        (trust(), b"\0\0\0\x1e\0\x03\0\0user\0x\0replication\0t\0\0", "0A000"),
        (reject, b"\0\0\0\x10\0\x03\0\0user\0x\0\0", "28000"),
    ] {
        let (arrival, told) = with(&rules, async |peer| {
            peer.send(|out| out.extend(bytes)).await;
            peer.refused().await
        })
        .await;
        assert_eq!(told.0, state, "{}: {}", bytes.escape_ascii(), told.1);
        assert_eq!(state_of(&arrival).as_str(), state);
    }
}

#[tokio::test]
async fn a_trusted_client_is_who_it_says() {
    let (arrival, ()) = with(&trust(), async |peer| {
        peer.send(startup::gssenc_request).await;
        assert_eq!(peer.byte().await, b'N');
        peer.send(startup::ssl_request).await;
        assert_eq!(peer.byte().await, b'N');
        peer.start(&[("user", "alice")]).await;
        let ok = peer.receive(backend::tag::AUTHENTICATION).await;
        assert_eq!(authentication(&ok), Ok(Authentication::Ok));
    })
    .await;
    let accepted = client_of(arrival);
    assert_eq!(accepted.request.database, "alice");
    assert!(!accepted.stream.is_encrypted() && accepted.leftover.is_empty());
}

#[tokio::test]
async fn a_newer_client_is_told_what_is_spoken() {
    let (arrival, negotiated) = with(&trust(), async |peer| {
        let parameters = [("user", "alice"), ("_pq_.x", "y")];
        peer.send(|out| startup::startup(out, 9, parameters).unwrap()).await;
        let negotiated = peer.receive(backend::tag::NEGOTIATE_PROTOCOL_VERSION).await;
        peer.receive(backend::tag::AUTHENTICATION).await;
        negotiated
    })
    .await;
    assert_eq!(negotiated, b"\0\x03\0\x02\0\0\0\x01_pq_.x\0");
    let request = client_of(arrival).request;
    assert_eq!((request.minor, request.parameters), (2, Vec::new()));
}

#[tokio::test]
async fn a_cancel_request_is_no_client() {
    for rules in [rules(), Rules { tls: Tls::Require(server_tls()), ..rules() }] {
        let (arrival, ()) = with(&rules, async |peer| {
            peer.send(|out| cancel_request(out, 7, b"key!").unwrap()).await;
        })
        .await;
        let Ok(Arrival::Cancel { pid, secret, .. }) = arrival else { panic!("{arrival:?}") };
        assert_eq!((pid, &secret[..]), (7, &b"key!"[..]));
    }
}

#[tokio::test]
async fn required_tls_turns_plain_clients_away() {
    let rules = Rules { tls: Tls::Require(server_tls()), ..rules() };
    let (arrival, told) = with(&rules, async |peer| {
        peer.start(&[("user", "alice")]).await;
        peer.refused().await
    })
    .await;
    assert_eq!(told, ("28000".to_owned(), "connection requires TLS".to_owned()));
    assert_eq!(state_of(&arrival), SqlState::INVALID_AUTHORIZATION);
}

#[tokio::test]
async fn an_encrypted_client_logs_in_and_its_server_is_verified() {
    let rules = Rules { tls: Tls::Prefer(server_tls()), ..rules() };
    let (peer, tcp) = pair().await;
    let talk = async {
        let mut peer = peer;
        peer.send(startup::ssl_request).await;
        assert_eq!(peer.byte().await, b'S');
        let roots = tls::roots(PEM.certificate).unwrap();
        let config = tls::client_config(tls::ServerCertificate::Verified(roots), None).unwrap();
        let name = "localhost".try_into().unwrap();
        let stream = tokio_rustls::TlsConnector::from(config).connect(name, peer.stream).await;
        let mut peer = Peer { stream: stream.unwrap(), frames: Frames::default() };
        peer.start(&[("user", "alice")]).await;
        peer.prove("secret").await;
        peer.receive(backend::tag::AUTHENTICATION).await;
        peer.receive(backend::tag::AUTHENTICATION).await;
    };
    let (arrival, ()) = tokio::join!(accept(tcp, NEAR, &rules), talk);
    assert!(client_of(arrival).stream.is_encrypted());
}

#[tokio::test]
async fn plain_bytes_behind_an_encryption_request_are_refused() {
    for tls in [Tls::Off, Tls::Prefer(server_tls())] {
        let rules = Rules { tls, ..rules() };
        let (arrival, told) = with(&rules, async |peer| {
            peer.send(|out| {
                startup::ssl_request(out);
                startup::startup(out, 0, [("user", "mallory")]).unwrap();
            })
            .await;
            peer.refused().await
        })
        .await;
        assert_eq!(told.0, "08P01");
        assert_eq!(state_of(&arrival), SqlState::PROTOCOL_VIOLATION);
    }
}

#[tokio::test]
async fn encryption_is_asked_for_once() {
    let (arrival, told) = with(&rules(), async |peer| {
        peer.send(startup::ssl_request).await;
        assert_eq!(peer.byte().await, b'N');
        peer.send(startup::ssl_request).await;
        peer.refused().await
    })
    .await;
    assert_eq!(told.0, "08P01");
    assert_eq!(state_of(&arrival), SqlState::PROTOCOL_VIOLATION);
}

#[tokio::test]
async fn a_client_that_leaves_is_no_failed_login() {
    let (mut peer, tcp) = pair().await;
    peer.start(&[("user", "alice")]).await;
    let rules = rules();
    let talk = async {
        peer.receive(backend::tag::AUTHENTICATION).await;
        drop(peer);
    };
    let (arrival, ()) = tokio::join!(accept(tcp, NEAR, &rules), talk);
    assert!(matches!(arrival, Err(LoginError::Gone(FrameError::Closed))), "{arrival:?}");

    let (peer, tcp) = pair().await;
    drop(peer);
    let arrival = accept(tcp, NEAR, &rules).await;
    assert!(matches!(arrival, Err(LoginError::Gone(FrameError::Closed))), "{arrival:?}");
}

mod direct;
