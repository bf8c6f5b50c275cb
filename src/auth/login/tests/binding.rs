//! Somebody in between who has a certificate that the client takes.

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::auth::throttle::Throttle;
use crate::model::Timestamp;

/// A certificate for `localhost`, made for this test.
fn made() -> (Vec<u8>, Arc<ServerConfig>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let (pem, key_pem) = (certificate.pem(), key.serialize_pem());
    let config =
        tls::server_config(pem.as_bytes(), key_pem.as_bytes(), tls::ClientCertificates::Ignored);
    (certificate.der().to_vec(), config.unwrap())
}

async fn connect_tls<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
) -> tokio_rustls::client::TlsStream<S> {
    let config = tls::client_config(tls::ServerCertificate::Unverified, None).unwrap();
    TlsConnector::from(config).connect("localhost".try_into().unwrap(), stream).await.unwrap()
}

/// Speaks TLS with the client, and with the proxy in the client's place.
async fn listen_in(client: DuplexStream, config: Arc<ServerConfig>, proxy: TcpStream) {
    let mut proxy = Peer { stream: proxy, frames: Frames::default() };
    let mut client = Peer { stream: client, frames: Frames::default() };
    client.frames.next_startup(&mut client.stream).await.unwrap();
    proxy.send(startup::ssl_request).await;
    assert_eq!(proxy.byte().await, b'S');
    client.send(|out| out.push(b'S')).await;
    let mut near = TlsAcceptor::from(config).accept(client.stream).await.unwrap();
    let mut far = connect_tls(proxy.stream).await;
    // Ends with an error when one side just goes.
    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
}

/// The login of a client that binds the channel, directly or with somebody in between.
async fn bound_login(in_between: Option<Arc<ServerConfig>>) -> (Result<Arrival, LoginError>, u8) {
    let (der, config) = made();
    let end_point = tls::end_point(&der).map(Arc::from);
    let rules = Rules { tls: Tls::Require(config), end_point, ..rules() };
    let (proxy_end, tcp) = pair().await;
    let (near, far) = tokio::io::duplex(4096);
    let middle = async {
        match in_between {
            Some(config) => listen_in(far, config, proxy_end.stream).await,
            None => {
                let (mut far, mut proxy) = (far, proxy_end.stream);
                let _ = tokio::io::copy_bidirectional(&mut far, &mut proxy).await;
            }
        }
    };
    let client = async {
        let mut peer = Peer { stream: near, frames: Frames::default() };
        peer.send(startup::ssl_request).await;
        assert_eq!(peer.byte().await, b'S');
        let stream = connect_tls(peer.stream).await;
        let seen = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        let mut peer = Peer { stream, frames: Frames::default() };
        peer.start(&[("user", "alice")]).await;
        let offered = peer.receive(backend::tag::AUTHENTICATION).await;
        let plus = scram::MECHANISM_PLUS.as_bytes();
        assert!(offered.windows(plus.len()).any(|window| window == plus));
        let binding = ChannelBinding::tls_server_end_point(tls::end_point(&seen).unwrap());
        let mut client = ScramSha256::new(b"secret", binding);
        peer.send(|out| sasl(out, scram::MECHANISM_PLUS, Some(client.message()))).await;
        let payload = peer.receive(backend::tag::AUTHENTICATION).await;
        let Ok(Authentication::SaslContinue(data)) = authentication(&payload) else {
            panic!("no challenge: {payload:?}")
        };
        client.update(data).unwrap();
        peer.send(|out| write::sasl_response(out, client.message()).unwrap()).await;
        peer.frames.next(&mut peer.stream, 100_000).await.unwrap().tag
    };
    let talk = async { tokio::join!(accept(tcp, NEAR, &rules), client) };
    tokio::pin!(talk);
    // Whoever is in between stays as long as there is something to hear.
    tokio::select! {
        ended = &mut talk => ended,
        () = middle => talk.await,
    }
}

#[tokio::test]
async fn a_login_that_is_bound_to_the_certificate_passes() {
    let (arrival, tag) = bound_login(None).await;
    assert_eq!(tag, backend::tag::AUTHENTICATION);
    assert!(client_of(arrival).stream.is_encrypted());
}

#[tokio::test]
async fn somebody_in_between_gains_nothing_from_a_login_that_is_bound() {
    let (arrival, tag) = bound_login(Some(made().1)).await;
    assert_eq!(tag, backend::tag::ERROR_RESPONSE);
    assert_eq!(state_of(&arrival), SqlState::INVALID_AUTHORIZATION);
}

#[tokio::test]
async fn who_guesses_waits_and_who_knows_does_not() {
    let throttle = Arc::new(Throttle::new(Arc::new(|| Timestamp::UNIX_EPOCH)));
    let rules = Rules { throttle, ..rules() };
    let attempt = async |password: &str| {
        let begun = tokio::time::Instant::now();
        let (arrival, ()) = with(&rules, async |peer| {
            peer.start(&[("user", "alice")]).await;
            peer.prove(password).await;
            peer.frames.next(&mut peer.stream, 100_000).await.unwrap();
        })
        .await;
        (arrival, begun.elapsed())
    };
    let mut waited = Duration::ZERO;
    for _ in 0..5 {
        let (arrival, took) = attempt("guess").await;
        assert_eq!(state_of(&arrival), SqlState::INVALID_PASSWORD);
        waited += took;
    }
    assert!(waited.as_millis() >= 200 + 400 + 800, "{waited:?}");
    let (arrival, took) = attempt("secret").await;
    client_of(arrival);
    assert!(took.as_secs() < 1, "{took:?}");
}
