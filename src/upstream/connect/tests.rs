use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::*;
use crate::model::{Report, SqlState};
use crate::net::listen::Silence;
use crate::net::{Frames, Listener, tls};
use crate::wire::TxStatus;

mod passthrough;

const SOME: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn target(port: u16, tls: Tls) -> Target {
    Target {
        servers: Arc::new(Servers::new(vec![local(port)], Duration::from_secs(20))),
        tls,
        binding: Binding::Prefer,
        user: "app".to_owned(),
        database: "shop".to_owned(),
        password: Some(Secret::new("secret")),
    }
}

fn local(port: u16) -> Host {
    Host::Tcp { name: "127.0.0.1".to_owned(), port }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A database that is none: takes the startup packet and then does as it is told.
async fn against(serve: impl AsyncFnOnce(&mut Impostor)) -> Result<Connected, ConnectError> {
    against_bound(Binding::Prefer, serve).await
}

async fn against_bound(
    binding: Binding,
    serve: impl AsyncFnOnce(&mut Impostor),
) -> Result<Connected, ConnectError> {
    let listener = Listener::bind(SOME).unwrap();
    let target = target(listener.local_addr().unwrap().port(), Tls::Disable);
    let target = Target { binding, ..target };
    let parameters = startup_parameters(&target, &[], &[]);
    let server = async {
        let (tcp, _) = listener.accept().await;
        let mut impostor = Impostor { tcp, frames: Frames::default() };
        impostor.frames.next_startup(&mut impostor.tcp).await.unwrap();
        serve(&mut impostor).await;
        // What was sent has to be enough for the verdict.
        pending::<()>().await;
    };
    tokio::select! {
        result = connect(&target, &parameters) => result,
        () = server => unreachable!("waits for ever"),
    }
}

struct Impostor {
    tcp: TcpStream,
    frames: Frames,
}

impl Impostor {
    async fn say(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        self.tcp.write_all(&out).await.unwrap();
    }

    async fn hear(&mut self) -> Vec<u8> {
        self.frames.next(&mut self.tcp, 10_000).await.unwrap().payload
    }
}

#[tokio::test]
async fn a_login_collects_what_the_server_reports() {
    let connected = against(async |server| {
        server
            .say(|out| {
                write::authentication_ok(out);
                write::parameter_status(out, "TimeZone", "UTC").unwrap();
                write::notice(out, &Report::notice("collation"));
                write::parameter_status(out, "is_superuser", "off").unwrap();
                write::backend_key_data(out, 7, b"0123456789").unwrap();
                write::ready_for_query(out, TxStatus::Idle);
                write::parameter_status(out, "x", "y").unwrap();
            })
            .await;
    })
    .await
    .unwrap();
    assert_eq!(connected.parameters, owned(&[("TimeZone", "UTC"), ("is_superuser", "off")]));
    assert_eq!(connected.key, Some(BackendKey { pid: 7, secret: b"0123456789".to_vec() }));
    assert_eq!(connected.leftover, b"S\0\0\0\x08x\0y\0");
}

#[tokio::test]
async fn a_server_that_skips_its_own_proof_is_not_believed() {
    let result = against(async |server| {
        server.say(|out| write::authentication_sasl(out, ["SCRAM-SHA-256"]).unwrap()).await;
        server.hear().await;
        server.say(write::authentication_ok).await;
    })
    .await;
    assert!(matches!(result, Err(ConnectError::Unexpected(b'R'))), "{result:?}");

    let result = against(async |server| {
        server.say(|out| write::authentication_sasl(out, ["SCRAM-SHA-256"]).unwrap()).await;
        let first = server.hear().await;
        let first = String::from_utf8_lossy(&first).into_owned();
        let nonce = first.rsplit_once("r=").unwrap().1;
        let challenge = format!("r={nonce}more,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=8");
        server
            .say(|out| write::authentication_sasl_continue(out, challenge.as_bytes()).unwrap())
            .await;
        server.hear().await;
        server
            .say(|out| {
                let proof = b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
                write::authentication_sasl_final(out, proof).unwrap();
                write::authentication_ok(out);
            })
            .await;
    })
    .await;
    assert!(matches!(result, Err(ConnectError::Scram(_))), "{result:?}");
    assert_eq!(result.unwrap_err().report().state, SqlState::CONNECTION_FAILURE);
}

#[tokio::test]
async fn what_the_protocol_does_not_foresee_ends_the_login() {
    type Say = fn(&mut Vec<u8>);
    for (what, say, expected) in [
        ("ready at once", (|out| write::ready_for_query(out, TxStatus::Idle)) as Say, "0x5a"),
        ("key at once", |out| write::backend_key_data(out, 1, b"1234").unwrap(), "0x4b"),
        ("mechanism", |out| write::authentication_sasl(out, ["PLAIN"]).unwrap(), "mechanism"),
        ("kerberos", |out| out.extend(b"R\0\0\0\x08\0\0\0\x02"), "code 2"),
        ("challenge", |out| write::authentication_sasl_continue(out, b"r=").unwrap(), "0x52"),
        ("endless message", |out| out.extend(b"R\x7f\xff\xff\xff"), "message length"),
        ("left-over bytes", |out| out.extend(b"R\0\0\0\x09\0\0\0\0x"), "after its last field"),
        (
            "row",
            |out| {
                write::authentication_ok(out);
                write::data_row(out, [None]).unwrap();
            },
            "0x44",
        ),
        (
            "in a transaction",
            |out| {
                write::authentication_ok(out);
                write::ready_for_query(out, TxStatus::InTransaction);
            },
            "0x5a",
        ),
    ] {
        let error = against(async |server| server.say(say).await).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert_eq!(error.report().state, SqlState::CONNECTION_FAILURE, "{what}");
    }
}

#[tokio::test]
async fn the_servers_own_error_is_passed_on() {
    let error = against(async |server| {
        let report = Report::fatal(SqlState::INVALID_CATALOG_NAME, "no such").hint("try shop");
        server.say(|out| write::error(out, &report)).await;
    })
    .await
    .unwrap_err();
    let report = error.report();
    assert_eq!(
        (report.state, report.message.as_str()),
        (SqlState::INVALID_CATALOG_NAME, "no such")
    );
    assert_eq!((report.detail, report.hint.as_deref()), (None, Some("try shop")));
    let ConnectError::Server(error) = error else { panic!("checked") };
    assert_eq!(error.field(b'V'), Some(&b"FATAL"[..]));
}

/// What a server that answers an SSLRequest with `answer` is taken for.
async fn answered(answer: &'static [u8], tls: Tls) -> Result<Stream, ConnectError> {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let target = target(address.port(), tls);
    let server = async {
        let (mut tcp, _) = listener.accept().await;
        let mut request = [0; 8];
        tcp.read_exact(&mut request).await.unwrap();
        tcp.write_all(answer).await.unwrap();
        tcp
    };
    let way = Way { address: Address::Tcp(address), host: "127.0.0.1".to_owned() };
    let (stream, _tcp) = tokio::join!(open(&way, &target.tls, Silence::default()), server);
    stream
}

#[tokio::test]
async fn tls_is_given_up_only_where_that_is_allowed() {
    let config = || tls::client_config(tls::ServerCertificate::Unverified, None).unwrap();
    let stream = answered(b"N", Tls::Prefer(config())).await;
    assert!(matches!(stream, Ok(Stream::Plain(_))), "{stream:?}");
    let stream = answered(b"N", Tls::Require(config())).await;
    assert!(matches!(stream, Err(ConnectError::TlsRefused)), "{stream:?}");
    let stream = answered(b"E\0\0\0\x06x\0", Tls::Prefer(config())).await;
    assert!(matches!(stream, Err(ConnectError::Unexpected(b'E'))), "{stream:?}");
    // Plain bytes behind the answer are no TLS record.
    let stream = answered(b"SE\0\0\0\x06x\0......", Tls::Prefer(config())).await;
    assert!(matches!(stream, Err(ConnectError::Tls(_))), "{stream:?}");
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let target = target(listener.local_addr().unwrap().port(), Tls::Disable);
    drop(listener);
    let error = connect(&target, &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
    assert_eq!(error.report().state, SqlState::CONNECTION_FAILURE);
}

#[tokio::test]
async fn the_next_host_is_asked_where_one_does_not_answer() {
    let closed = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (down, up) = (closed.local_addr().unwrap().port(), Listener::bind(SOME).unwrap());
    drop(closed);
    let hosts = vec![local(down), local(up.local_addr().unwrap().port())];
    let servers = Arc::new(Servers::new(hosts, Duration::from_secs(20)));
    let target = Target { servers: Arc::clone(&servers), ..target(1, Tls::Disable) };
    let serve = async {
        let (tcp, _) = up.accept().await;
        let mut impostor = Impostor { tcp, frames: Frames::default() };
        impostor.frames.next_startup(&mut impostor.tcp).await.unwrap();
        impostor.say(|out| write::authentication_sasl(out, ["SCRAM-SHA-256"]).unwrap()).await;
        impostor
    };
    let target = Arc::new(target);
    let (offered, _impostor) =
        tokio::join!(super::passthrough::offer(&target, &target, &[]), serve);
    offered.unwrap();
    let order: Vec<usize> =
        servers.in_order(Instant::now()).into_iter().map(|(number, _)| number).collect();
    assert_eq!(order, [1, 0], "the next login does not wait for it");
}

#[tokio::test]
async fn a_host_that_says_nothing_is_left_in_time() {
    let silent = Listener::bind(SOME).unwrap();
    let hosts = vec![local(silent.local_addr().unwrap().port())];
    let servers = Arc::new(Servers::new(hosts, Duration::from_millis(50)));
    let target = Target { servers, ..target(1, Tls::Disable) };
    let error = connect(&target, &startup_parameters(&target, &[], &[])).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Unreachable(error) if error.kind() == io::ErrorKind::TimedOut),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_clear_password_stays_on_this_machine() {
    let ask = async |way: Way| {
        let listener = Listener::bind(SOME).unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let target = target(1, Tls::Disable);
        let server = async {
            let (mut tcp, _) = listener.accept().await;
            let mut frames = Frames::default();
            frames.next_startup(&mut tcp).await.unwrap();
            let mut out = Vec::new();
            write::authentication_cleartext_password(&mut out);
            tcp.write_all(&out).await.unwrap();
            frames.next(&mut tcp, 1000).await.map(|frame| frame.payload)
        };
        let login = login::log_in(Stream::Plain(tcp.into()), way, &target, &[]);
        let both = async { tokio::join!(async { drop(login.await) }, server).1 };
        both.await.ok()
    };
    let away =
        Way { address: Address::Tcp("192.0.2.1:5432".parse().unwrap()), host: String::new() };
    assert_eq!(ask(away).await, None);
    let here = Way { address: Address::Socket("/tmp/x".into()), host: String::new() };
    assert_eq!(ask(here).await, Some(b"secret\0".to_vec()));
}

#[tokio::test]
async fn a_binding_that_is_required_is_no_matter_of_the_servers_choice() {
    type Say = fn(&mut Vec<u8>);
    for say in [
        write::authentication_ok as Say,
        |out| write::authentication_sasl(out, ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]).unwrap(),
        |out| out.extend(b"R\0\0\0\x0c\0\0\0\x051234"),
        write::authentication_cleartext_password,
    ] {
        let result = against_bound(Binding::Require, async |server| server.say(say).await).await;
        assert!(matches!(result, Err(ConnectError::BindingMissing)), "{result:?}");
    }
}

#[tokio::test]
async fn direct_tls_wants_to_hear_postgresqls_name() {
    const CERTIFICATE: &[u8] = include_bytes!("../../auth/login/tests/localhost.crt");
    const KEY: &[u8] = include_bytes!("../../auth/login/tests/localhost.key");
    let settings = tls::server_config(CERTIFICATE, KEY, tls::ClientCertificates::Ignored).unwrap();
    let mut silent = (*settings).clone();
    silent.alpn_protocols.clear();
    for (settings, named) in [(settings, true), (Arc::new(silent), false)] {
        let listener = Listener::bind(SOME).unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let roots = tls::ServerCertificate::Verified(tls::roots(CERTIFICATE).unwrap());
        let direct = Tls::Direct(tls::client_config(roots, None).unwrap());
        let server = async {
            let (tcp, _) = listener.accept().await;
            tokio_rustls::TlsAcceptor::from(settings).accept(tcp).await
        };
        let way = Way { address, host: "127.0.0.1".to_owned() };
        let (stream, _server) = tokio::join!(open(&way, &direct, Silence::default()), server);
        match stream {
            Ok(stream) => assert!(named && stream.is_encrypted()),
            Err(error) => assert!(!named && matches!(error, ConnectError::TlsRefused), "{error:?}"),
        }
    }
}

#[test]
fn the_client_chooses_everything_but_user_and_database() {
    let client = owned(&[
        ("application_name", "psql"),
        ("User", "root"),
        ("replication", "true"),
        ("options", "-c search_path=x"),
        ("_pq_.x", "y"),
        ("Client_Encoding", "LATIN1"),
        ("DateStyle", "ISO"),
        ("DateStyle", "SQL"),
    ]);
    let defaults = [("client_encoding", "UTF8"), ("TimeZone", "UTC")];
    assert_eq!(
        startup_parameters(&target(1, Tls::Disable), &client, &defaults),
        owned(&[
            ("user", "app"),
            ("database", "shop"),
            ("application_name", "psql"),
            ("options", "-c search_path=x"),
            ("Client_Encoding", "LATIN1"),
            ("DateStyle", "ISO"),
            ("DateStyle", "SQL"),
            ("TimeZone", "UTC"),
        ])
    );
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", target(1, Tls::Disable));
    assert!(!shown.contains("secret"), "{shown}");
    let key = format!("{:?}", BackendKey { pid: 7, secret: vec![231; 4] });
    assert!(key.contains('7') && !key.contains("231"), "{key}");
}
