//! TLS from the first byte on.

use rustls::ClientConfig;
use tokio_rustls::TlsConnector;

use super::*;

/// A client's settings that offer `protocols` by ALPN.
fn offering(protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let roots = tls::roots(PEM.certificate).unwrap();
    let config = tls::client_config(tls::ServerCertificate::Verified(roots), None).unwrap();
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

async fn encrypted(
    peer: Peer<TcpStream>,
    config: Arc<ClientConfig>,
) -> io::Result<Peer<tokio_rustls::client::TlsStream<TcpStream>>> {
    let name = "localhost".try_into().unwrap();
    let stream = TlsConnector::from(config).connect(name, peer.stream).await?;
    Ok(Peer { stream, frames: Frames::default() })
}

fn tls_rules() -> Rules {
    Rules { tls: Tls::Require(server_tls()), ..rules() }
}

#[tokio::test]
async fn a_client_may_begin_with_tls() {
    let (rules, (peer, tcp)) = (tls_rules(), pair().await);
    let talk = async {
        let mut peer = encrypted(peer, offering(&[b"h2", b"postgresql"])).await.unwrap();
        peer.start(&[("user", "alice")]).await;
        peer.prove("secret").await;
        peer.receive(backend::tag::AUTHENTICATION).await;
        peer.receive(backend::tag::AUTHENTICATION).await;
    };
    let (arrival, ()) = tokio::join!(accept(tcp, NEAR, &rules), talk);
    assert!(client_of(arrival).stream.is_encrypted());
}

#[tokio::test]
async fn a_cancel_request_may_be_encrypted_either_way() {
    for directly in [true, false] {
        let (rules, (mut peer, tcp)) = (tls_rules(), pair().await);
        let talk = async {
            if !directly {
                peer.send(startup::ssl_request).await;
                assert_eq!(peer.byte().await, b'S');
            }
            let mut peer = encrypted(peer, offering(&[b"postgresql"])).await.unwrap();
            peer.send(|out| cancel_request(out, 7, b"key!").unwrap()).await;
        };
        let (arrival, ()) = tokio::join!(accept(tcp, NEAR, &rules), talk);
        let Ok(Arrival::Cancel { pid, secret, stream }) = arrival else { panic!("{arrival:?}") };
        assert_eq!((pid, &secret[..]), (7, &b"key!"[..]));
        assert!(stream.is_encrypted());
    }
}

#[tokio::test]
async fn without_our_protocol_by_name_there_is_no_direct_tls() {
    let (rules, (peer, tcp)) = (tls_rules(), pair().await);
    let talk = async { encrypted(peer, offering(&[b"h2"])).await.err() };
    let (arrival, failed) = tokio::join!(accept(tcp, NEAR, &rules), talk);
    assert!(failed.is_some() && matches!(arrival, Err(LoginError::Tls(_))), "{arrival:?}");

    let (peer, tcp) = pair().await;
    let talk = async { encrypted(peer, offering(&[])).await.unwrap().refused().await };
    let (arrival, told) = tokio::join!(accept(tcp, NEAR, &rules), talk);
    assert_eq!(told.0, "08P01");
    assert_eq!(state_of(&arrival), SqlState::PROTOCOL_VIOLATION);
}

#[tokio::test]
async fn without_certificates_nobody_may_begin_with_tls() {
    let (arrival, told) = with(&rules(), async |peer| {
        peer.send(|out| out.extend(b"\x16\x03\x01")).await;
        peer.refused().await
    })
    .await;
    assert_eq!(told.0, "0A000");
    assert_eq!(state_of(&arrival), SqlState::FEATURE_NOT_SUPPORTED);
}

#[tokio::test]
async fn a_second_encryption_within_the_first_is_refused() {
    for request in [startup::ssl_request, startup::gssenc_request] {
        let (rules, (peer, tcp)) = (tls_rules(), pair().await);
        let talk = async {
            let mut peer = encrypted(peer, offering(&[b"postgresql"])).await.unwrap();
            peer.send(request).await;
            peer.refused().await
        };
        let (_, told) = tokio::join!(accept(tcp, NEAR, &rules), talk);
        assert_eq!(told.0, "08P01");
    }
}
