//! Clients that prove themselves to the database, or try to get at it without that.

use tokio::time::Instant;

use super::*;
use crate::model::Report;
use crate::upstream::connect::passthrough::{Offered, offer};
use crate::upstream::connect::{self, Binding, Target};
use crate::upstream::servers::{Host, Servers};
use crate::wire::startup::PACKET_LEN_MAX;

const CHALLENGE: &[u8] = b"r=abcdef,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096";
const FIRST: &[u8] = b"n,,n=,r=abc";
const LAST: &[u8] = b"c=biws,r=abcdef,p=x";

fn passthrough() -> Rules {
    Rules::one(Tls::Off, Method::Passthrough)
}

/// A connection that the database has offered SCRAM on, and the database.
async fn upstream(mechanisms: &[&str]) -> (Offered, Peer<TcpStream>) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = Host::Tcp { name: "127.0.0.1".to_owned(), port };
    let target = Arc::new(Target {
        servers: Arc::new(Servers::new(vec![host], Duration::from_secs(20))),
        tls: connect::Tls::Disable,
        binding: Binding::Prefer,
        user: "alice".to_owned(),
        database: "shop".to_owned(),
        password: None,
    });
    let parameters = connect::startup_parameters(&target, &[], &[]);
    let server = async {
        let (tcp, _) = listener.accept().await;
        let mut peer = Peer { stream: tcp, frames: Frames::default() };
        peer.frames.next_startup(&mut peer.stream).await.unwrap();
        peer.send(|out| write::authentication_sasl(out, mechanisms.iter().copied()).unwrap()).await;
        peer
    };
    let (offered, peer) = tokio::join!(offer(&target, &target, &parameters), server);
    (offered.unwrap(), peer)
}

async fn upstream_scram() -> (Offered, Peer<TcpStream>) {
    upstream(&["SCRAM-SHA-256"]).await
}

/// A client that has sent its startup packet, and what it waits for.
async fn waiting() -> (Peer<TcpStream>, Pending) {
    let (mut peer, tcp) = pair().await;
    peer.start(&[("user", "alice"), ("database", "shop")]).await;
    match accept(tcp, NEAR, &passthrough()).await {
        Ok(Arrival::Pending(pending)) => (peer, *pending),
        other => panic!("{other:?}"),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

async fn prove(pending: Pending, offered: Offered) -> Result<Accepted, LoginError> {
    let throttle = passthrough().throttle;
    match pending.prove(offered, soon(), &throttle).await {
        Ok(accepted) => Ok(accepted),
        Err(failed) => Err(failed.tell(&throttle).await),
    }
}

/// The database's part, as PostgreSQL plays it.
async fn convinced(server: &mut Peer<TcpStream>) {
    let first = server.receive(b'p').await;
    assert_eq!(first, [b"SCRAM-SHA-256\0\0\0\0\x0b", FIRST].concat());
    server.send(|out| write::authentication_sasl_continue(out, CHALLENGE).unwrap()).await;
    assert_eq!(server.receive(b'p').await, LAST);
    server
        .send(|out| {
            write::authentication_sasl_final(out, b"v=signature").unwrap();
            write::authentication_ok(out);
        })
        .await;
}

#[tokio::test]
async fn the_databases_exchange_lets_in_and_bytes_sent_ahead_are_the_sessions() {
    let ((mut client, pending), (offered, mut server)) = (waiting().await, upstream_scram().await);
    let talk = async {
        let offer = client.receive(b'R').await;
        assert_eq!(offer, b"\0\0\0\x0aSCRAM-SHA-256\0\0");
        client.send(|out| sasl(out, scram::MECHANISM, Some(FIRST))).await;
        let challenge = client.receive(b'R').await;
        assert_eq!(authentication(&challenge), Ok(Authentication::SaslContinue(CHALLENGE)));
        client
            .send(|out| {
                write::sasl_response(out, LAST).unwrap();
                write::query(out, "select 1").unwrap();
            })
            .await;
        let signature = client.receive(b'R').await;
        assert_eq!(authentication(&signature), Ok(Authentication::SaslFinal(b"v=signature")));
        assert_eq!(authentication(&client.receive(b'R').await), Ok(Authentication::Ok));
    };
    let (accepted, (), ()) = tokio::join!(prove(pending, offered), talk, convinced(&mut server));
    let accepted = accepted.unwrap();
    assert_eq!(
        (&**accepted.authenticated.user(), accepted.authenticated.method()),
        ("alice", "passthrough")
    );
    assert!(accepted.authenticated.proves_person() && accepted.upstream.is_some());
    assert_eq!(accepted.leftover, b"Q\0\0\0\x0dselect 1\0");
    drop(accepted);
    assert!(server.ended().await, "the database has heard of nothing else");
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Peer<S> {
    /// Whether the other side closes the connection, and says nothing before.
    async fn ended(&mut self) -> bool {
        matches!(self.frames.next(&mut self.stream, 100_000).await, Err(FrameError::Closed))
    }
}

#[tokio::test]
async fn nothing_is_passed_on_that_is_no_first_message() {
    type Send = fn(&mut Vec<u8>);
    for (what, send, state) in [
        ("plain password", (|out| write::password(out, b"secret").unwrap()) as Send, "08P01"),
        ("query", |out| write::query(out, "select 1").unwrap(), "08P01"),
        ("terminate", write::terminate, "08P01"),
        ("startup", |out| startup::startup(out, 0, [("user", "x")]).unwrap(), "08P01"),
        ("other mechanism", |out| sasl(out, "PLAIN", Some(FIRST)), "08P01"),
        ("plus", |out| sasl(out, scram::MECHANISM_PLUS, Some(FIRST)), "08P01"),
        (
            "bound",
            |out| sasl(out, scram::MECHANISM, Some(b"p=tls-server-end-point,,n=,r=a")),
            "08P01",
        ),
        ("no data", |out| sasl(out, scram::MECHANISM, None), "08P01"),
        ("another identity", |out| sasl(out, scram::MECHANISM, Some(b"n,a=bob,n=,r=a")), "0A000"),
        ("no nonce", |out| sasl(out, scram::MECHANISM, Some(b"n,,n=,r=")), "08P01"),
        ("no text", |out| sasl(out, scram::MECHANISM, Some(b"n,,n=\xff,r=a")), "08P01"),
        ("left-over bytes", |out| out.extend(b"p\0\0\0\x14SCRAM-SHA-256\0\0\0\0\0xx"), "08P01"),
        ("oversized", |out| out.extend(b"p\0\0\x10\0"), "08P01"),
        ("endless", |out| out.extend(b"p\x7f\xff\xff\xff"), "08P01"),
    ] {
        let ((mut client, pending), (offered, mut server)) =
            (waiting().await, upstream_scram().await);
        let talk = async {
            client.receive(b'R').await;
            client.send(send).await;
            client.refused().await
        };
        let (proof, told, silent) = tokio::join!(prove(pending, offered), talk, server.ended());
        assert_eq!(told.0, state, "{what}: {}", told.1);
        assert!(silent, "{what}: the database has heard of it");
        let Err(LoginError::Refused { attempt, .. }) = proof else { panic!("{what}: {proof:?}") };
        assert_eq!((&*attempt.user, attempt.method), ("alice", "passthrough"));
    }
}

#[tokio::test]
async fn after_the_challenge_only_a_response_is_passed_on() {
    type Send = fn(&mut Vec<u8>);
    for send in [(|out| write::query(out, "select 1").unwrap()) as Send, write::sync, |out| {
        out.extend(b"p\0\0\x10\0")
    }] {
        let ((mut client, pending), (offered, mut server)) =
            (waiting().await, upstream_scram().await);
        let talk = async {
            client.receive(b'R').await;
            client.send(|out| sasl(out, scram::MECHANISM, Some(FIRST))).await;
            client.receive(b'R').await;
            client.send(send).await;
            client.refused().await
        };
        let serve = async {
            server.receive(b'p').await;
            server.send(|out| write::authentication_sasl_continue(out, CHALLENGE).unwrap()).await;
            server.ended().await
        };
        let (proof, told, silent) = tokio::join!(prove(pending, offered), talk, serve);
        assert_eq!(told.0, "08P01", "{}", told.1);
        assert!(silent && proof.is_err());
    }
}

#[tokio::test]
async fn what_the_database_says_against_it_is_told_with_its_code() {
    let ((mut client, pending), (offered, mut server)) = (waiting().await, upstream_scram().await);
    let talk = async {
        client.receive(b'R').await;
        client.send(|out| sasl(out, scram::MECHANISM, Some(FIRST))).await;
        client.receive(b'R').await;
        client.send(|out| write::sasl_response(out, LAST).unwrap()).await;
        client.refused().await
    };
    let serve = async {
        server.receive(b'p').await;
        server.send(|out| write::authentication_sasl_continue(out, CHALLENGE).unwrap()).await;
        server.receive(b'p').await;
        let wrong = Report::fatal(SqlState::INVALID_PASSWORD, "no");
        server.send(|out| write::error(out, &wrong)).await;
    };
    let (proof, told, ()) = tokio::join!(prove(pending, offered), talk, serve);
    assert_eq!(told, ("28P01".to_owned(), "no".to_owned()));
    assert_eq!(
        state_of(&proof.map(|accepted| Arrival::Client(Box::new(accepted)))),
        SqlState::INVALID_PASSWORD
    );
}

#[tokio::test]
async fn a_client_that_would_bind_is_warned_before_the_database_takes_it_for_deceived() {
    let both = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];
    for (flag, mechanisms, refused) in
        [("y", &both[..], true), ("y", &both[1..], false), ("n", &both[..], false)]
    {
        let ((mut client, pending), (offered, mut server)) =
            (waiting().await, upstream(mechanisms).await);
        let first = format!("{flag},,n=,r=abc");
        let talk = async {
            assert_eq!(client.receive(b'R').await, b"\0\0\0\x0aSCRAM-SHA-256\0\0");
            client.send(|out| sasl(out, scram::MECHANISM, Some(first.as_bytes()))).await;
            if refused {
                Some(client.refused().await)
            } else {
                drop(client);
                None
            }
        };
        let serve = async {
            let heard = server.frames.next(&mut server.stream, 1000).await;
            assert_eq!(heard.is_err(), refused, "{heard:?}");
        };
        let (proof, told, ()) = tokio::join!(prove(pending, offered), talk, serve);
        let Some((state, _)) = told else { continue };
        assert_eq!(state, "0A000");
        let Err(LoginError::Refused { report, .. }) = proof else { panic!("{proof:?}") };
        assert!(report.hint.unwrap().contains("channel_binding=disable"));
    }
}

#[tokio::test]
async fn when_the_client_leaves_the_connection_to_the_database_is_closed() {
    // While it is opened.
    let (client, mut pending) = waiting().await;
    drop(client);
    let left = pending.attend(soon(), std::future::pending::<()>()).await;
    assert!(matches!(left, Err(LoginError::Gone(_))), "{left:?}");

    // While the database thinks.
    let ((mut client, pending), (offered, mut server)) = (waiting().await, upstream_scram().await);
    let talk = async {
        client.receive(b'R').await;
        client.send(|out| sasl(out, scram::MECHANISM, Some(FIRST))).await;
        server.receive(b'p').await;
        drop(client);
        server.ended().await
    };
    let (proof, ended) = tokio::join!(prove(pending, offered), talk);
    assert!(ended && matches!(proof, Err(LoginError::Gone(_))), "{proof:?}");
}

#[tokio::test]
async fn the_deadline_covers_the_whole() {
    let ((mut client, pending), (offered, mut server)) = (waiting().await, upstream_scram().await);
    let deadline = Instant::now() + Duration::from_millis(100);
    let throttle = passthrough().throttle;
    let proving = pending.prove(offered, deadline, &throttle);
    let (proof, ended) = tokio::join!(proving, server.ended());
    assert!(matches!(proof, Err(Failed::Error(LoginError::Timeout))) && ended);
    client.receive(b'R').await;
    assert!(client.ended().await);
    let (_client, mut pending) = waiting().await;
    let late = pending.attend(deadline, std::future::pending::<()>()).await;
    assert!(matches!(late, Err(LoginError::Timeout)), "{late:?}");
}

#[tokio::test]
async fn a_flood_ahead_of_the_login_is_not_kept() {
    let (mut client, mut pending) = waiting().await;
    let flood = vec![b'x'; 100 * PACKET_LEN_MAX];
    let flooding = async {
        // It is not taken in whole, so this waits.
        let _ = client.stream.write_all(&flood).await;
    };
    let deadline = Instant::now() + Duration::from_millis(200);
    tokio::select! {
        late = pending.attend(deadline, std::future::pending::<()>()) => {
            assert!(matches!(late, Err(LoginError::Timeout)), "{late:?}");
        }
        () = async { flooding.await; std::future::pending().await } => unreachable!("never ends"),
    }
    assert!(pending.newcomer.frames.into_leftover().len() < 300_000);
}
