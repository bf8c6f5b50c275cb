//! When the issuer is asked for its keys, and when not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex as Shared;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::net::trust::trusting;

/// An issuer's web server, which answers every question with the keys of the moment, or, without
/// any, not at all.
struct Publisher {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    keys: Arc<Shared<Vec<Value>>>,
}

impl Publisher {
    fn of(keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, keys) = (Arc::new(AtomicUsize::new(0)), Arc::new(Shared::new(keys)));
        let (count, published) = (Arc::clone(&asked), Arc::clone(&keys));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let keys = published.lock().unwrap().clone();
                let mut request = [0; 4096];
                if keys.is_empty() || stream.read(&mut request).is_err() {
                    continue;
                }
                let body = json!({ "keys": keys }).to_string();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).ok();
            }
        });
        Self { address, asked, keys }
    }

    fn publish(&self, keys: Vec<Value>) {
        *self.keys.lock().unwrap() = keys;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// The second that it is.
static NOW: AtomicI64 = AtomicI64::new(0);

#[tokio::test]
async fn the_issuer_is_asked_when_it_has_to_be_and_no_more() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let publisher = Publisher::of(vec![old.jwk("old")]);
    let jwks_url = Some(format!("http://{}/keys", publisher.address));
    let clock: Clock = Arc::new(|| Timestamp::from_second(NOW.load(Ordering::SeqCst)).unwrap());
    let issuer = Issuer::new(OidcConfig { jwks_url, ..config() }, trusting(None).unwrap(), clock);
    let claims = json!({ "iss": ISSUER, "aud": "keyhole", "sub": "alice", "exp": 1_000_000 });
    let token =
        |signer: &Signer, kid: &str| signer.sign(&json!({ "alg": "ES256", "kid": kid }), &claims);
    let check = async |at: i64, signer: &Signer, kid: &str| {
        NOW.store(at, Ordering::SeqCst);
        issuer.check(&token(signer, kid), "alice").await.map(|_| ())
    };
    assert_eq!(publisher.asked(), 0, "nobody has logged in");
    for _ in 0..3 {
        assert_eq!(check(1000, &old, "old").await, Ok(()));
    }
    assert_eq!(publisher.asked(), 1);
    // Names of keys that do not exist.
    for number in 0..20 {
        let unknown = check(1005, &new, &number.to_string()).await;
        assert_eq!(unknown, Err(OidcError::UnknownKey));
    }
    assert_eq!(publisher.asked(), 1, "asked less than refresh_min ago");
    publisher.publish(vec![new.jwk("new")]);
    assert_eq!(check(1006, &new, "new").await, Err(OidcError::UnknownKey));
    assert_eq!(check(1006, &old, "old").await, Ok(()), "nobody knows yet that it is withdrawn");
    assert_eq!(check(1010, &new, "new").await, Ok(()));
    assert_eq!(check(1010, &old, "old").await, Err(OidcError::UnknownKey));
    assert_eq!(publisher.asked(), 2);
    // Out of reach: known keys serve, and not for ever.
    publisher.publish(Vec::new());
    assert_eq!(check(1309, &new, "new").await, Ok(()));
    assert_eq!(publisher.asked(), 2, "younger than refresh");
    assert_eq!(check(1310, &new, "new").await, Ok(()));
    assert_eq!(check(1315, &new, "new").await, Ok(()));
    assert_eq!(publisher.asked(), 3, "asked less than refresh_min ago");
    assert_eq!(check(1010 + 3600, &new, "new").await, Err(OidcError::Unavailable));
    assert_eq!(check(1010 + 3601, &new, "new").await, Err(OidcError::Unavailable));
    assert_eq!(publisher.asked(), 4);
    publisher.publish(vec![old.jwk("old")]);
    assert_eq!(check(1010 + 3611, &new, "new").await, Err(OidcError::UnknownKey));
    assert_eq!(check(1010 + 3611, &old, "old").await, Ok(()));
}
