//! A channel over HTTP: one signed POST for each notice.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{StatusCode, Uri};
use jiff::fmt::rfc2822;
use rustls::ClientConfig;
use sha2::Sha256;

use super::notice::Notice;
use super::{Failure, json, slack};
use crate::config::{WebhookConfig, WebhookFormat};
use crate::model::{Secret, Timestamp};
use crate::net::fetch::{Answer, FetchError, Fetcher};

/// `t=UNIX,v1=HEX`: see [`sign`].
pub const SIGNATURE: HeaderName = HeaderName::from_static("x-keyhole-signature");
/// [`Notice::delivery`]: whoever sees it twice has seen the same event twice.
const DELIVERY: HeaderName = HeaderName::from_static("x-keyhole-delivery");

/// A webhook that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Without the address, which may be a secret.
    #[error("its address cannot be asked")]
    Address,
}

/// One receiver.
#[derive(Clone, Debug)]
pub struct Webhook {
    uri: Uri,
    secret: Option<Secret>,
    format: WebhookFormat,
    fetcher: Fetcher,
}

impl Webhook {
    /// # Errors
    /// [`WebhookError::Address`].
    pub fn new(config: &WebhookConfig, tls: Arc<ClientConfig>) -> Result<Self, WebhookError> {
        Ok(Self {
            uri: config.url.expose().parse().map_err(|_| WebhookError::Address)?,
            secret: config.secret.clone(),
            format: config.format,
            fetcher: Fetcher::new(tls, config.timeout),
        })
    }

    /// Makes one attempt. Cancel safety: the receiver may or may not have heard of it.
    ///
    /// # Errors
    /// [`Failure`]: everything but an answer of the class 2xx. Redirects are refusals.
    pub async fn deliver(&self, notice: &Notice, now: Timestamp) -> Result<(), Failure> {
        let body = match self.format {
            WebhookFormat::Json => json::payload(notice),
            WebhookFormat::Slack => slack::payload(notice),
        };
        let headers = self.headers(notice, &body, now);
        let answer = self.fetcher.post(&self.uri, headers, Bytes::from(body)).await;
        judge(answer, now)
    }

    fn headers(&self, notice: &Notice, body: &str, now: Timestamp) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let signature = self.secret.as_ref().map(|secret| sign(secret, now, body.as_bytes()));
        let values = [(DELIVERY, Some(notice.delivery.clone())), (SIGNATURE, signature)];
        for (name, value) in values {
            // Digits and letters of our own.
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        headers
    }
}

/// `t=UNIX,v1=HEX`: the time of the attempt in seconds, and HMAC-SHA-256 under the secret of that
/// time, a full stop and the body, so that old deliveries cannot be played again.
pub fn sign(secret: &Secret, now: Timestamp, body: &[u8]) -> String {
    use std::fmt::Write as _;
    let time = now.as_second();
    let mut signature = format!("t={time},v1=");
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        // HMAC takes keys of every length.
        return signature;
    };
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    for byte in mac.finalize().into_bytes() {
        // Writing to a String cannot fail.
        let _ = write!(signature, "{byte:02x}");
    }
    signature
}

fn judge(answer: Result<Answer, FetchError>, now: Timestamp) -> Result<(), Failure> {
    let Answer { status, retry_after } = match answer {
        Ok(answer) => answer,
        Err(error) => return Err(Failure::ForNow { why: in_words(&error), wait: None }),
    };
    if status.is_success() {
        return Ok(());
    }
    let why = format!("the answer is {}", status.as_u16());
    let again = status.is_server_error()
        || status == StatusCode::REQUEST_TIMEOUT
        || status == StatusCode::TOO_MANY_REQUESTS;
    if !again {
        return Err(Failure::ForGood { why });
    }
    let wait = retry_after.as_ref().and_then(|value| wait_of(value.to_str().ok()?, now));
    Err(Failure::ForNow { why, wait })
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn wait_of(retry_after: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(secs) = retry_after.trim().parse() {
        return Some(Duration::from_secs(secs));
    }
    let at = rfc2822::parse(retry_after.trim()).ok()?.timestamp();
    Duration::try_from(at.duration_since(now)).ok()
}

/// For the log: addresses of webhooks are secrets.
fn in_words(error: &FetchError) -> String {
    match error {
        FetchError::Address(_) => WebhookError::Address.to_string(),
        FetchError::Connect(_)
        | FetchError::Tls(_)
        | FetchError::Http(_)
        | FetchError::Status(_)
        | FetchError::Body(_)
        | FetchError::Timeout(_) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_signature_covers_time_and_body() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        let expected = "t=1700000000,v1=\
                        49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686";
        assert_eq!(sign(&Secret::new("secret"), now, b"{\"a\":1}"), expected);
    }

    #[test]
    fn refusals_are_final_and_trouble_is_not() {
        let now = at("2026-01-01T00:00:00Z");
        let judged = |code: u16| {
            let status = StatusCode::from_u16(code).unwrap();
            match judge(Ok(Answer { status, retry_after: None }), now) {
                Ok(()) => "delivered",
                Err(Failure::ForNow { .. }) => "again",
                Err(Failure::ForGood { .. }) => "refused",
            }
        };
        for (codes, expected) in [
            (&[200, 201, 202, 204, 299][..], "delivered"),
            (&[408, 429, 500, 502, 503, 504], "again"),
            (&[301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422], "refused"),
        ] {
            for code in codes {
                assert_eq!(judged(*code), expected, "{code}");
            }
        }
    }

    #[test]
    fn receivers_say_how_long_to_wait_in_seconds_or_as_a_date() {
        let now = at("2015-10-21T07:28:00Z");
        for (text, secs) in [
            ("120", Some(120)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", None),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(wait_of(text, now), secs.map(Duration::from_secs), "{text}");
        }
    }
}
