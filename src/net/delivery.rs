//! Handing documents to receivers over HTTP, at least once: what an answer means for them, how long
//! to wait before the next attempt, and signatures.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use jiff::fmt::rfc2822;
use sha2::Sha256;

use super::fetch::{Answer, FetchError};
use crate::model::{Secret, Timestamp};

/// `t=UNIX,v1=HEX`: see [`sign`].
pub const SIGNATURE: HeaderName = HeaderName::from_static("x-keyhole-signature");
/// Whoever sees it twice has seen the same thing twice.
pub const DELIVERY: HeaderName = HeaderName::from_static("x-keyhole-delivery");

/// Why something was not delivered, and what that means for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may go better later; no sooner than this, if the receiver said so.
    ForNow { why: String, wait: Option<Duration> },
    /// It would be refused again.
    ForGood { why: String },
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

/// When the receiver wants to be asked again: seconds, or a date (RFC 9110, 10.2.3).
pub fn wait_of(retry_after: Option<&HeaderValue>, now: Timestamp) -> Option<Duration> {
    let text = retry_after?.to_str().ok()?.trim();
    if let Ok(secs) = text.parse() {
        return Some(Duration::from_secs(secs));
    }
    let at = rfc2822::parse(text).ok()?.timestamp();
    Duration::try_from(at.duration_since(now)).ok()
}

/// What an answer means for what was sent.
///
/// # Errors
/// Everything but an answer of the class 2xx. Redirects are refusals.
pub fn judge(answer: Result<Answer, FetchError>, now: Timestamp) -> Result<(), Failure> {
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
    Err(Failure::ForNow { why, wait: wait_of(retry_after.as_ref(), now) })
}

/// For the log: addresses may be secrets.
pub fn in_words(error: &FetchError) -> String {
    match error {
        FetchError::Address(_) => "its address cannot be asked".to_owned(),
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
            let value = HeaderValue::from_static(text);
            assert_eq!(wait_of(Some(&value), now), secs.map(Duration::from_secs), "{text}");
        }
    }
}
