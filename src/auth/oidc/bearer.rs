//! OAUTHBEARER (RFC 7628) as PostgreSQL 18 speaks it, without I/O.

use crate::config::OidcConfig;
use crate::model::SqlState;

/// The name of the mechanism.
pub const MECHANISM: &str = "OAUTHBEARER";

/// What a client says after it was told what is wrong.
pub const ACKNOWLEDGEMENT: &[u8] = &[SEPARATOR as u8];

const SEPARATOR: char = '\u{1}';

/// Why a client's message is none of this mechanism.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BearerError {
    #[error("malformed OAUTHBEARER message")]
    Malformed,
    #[error("client requires channel binding, which OAUTHBEARER has not")]
    ChannelBinding,
    #[error("client uses authorization identity, but it is not supported")]
    AuthorizationIdentity,
}

impl BearerError {
    pub fn state(self) -> SqlState {
        match self {
            Self::Malformed | Self::ChannelBinding => SqlState::PROTOCOL_VIOLATION,
            Self::AuthorizationIdentity => SqlState::FEATURE_NOT_SUPPORTED,
        }
    }
}

/// The token in a client's first message; None if the client only wants to know where to get one.
///
/// # Errors
/// [`BearerError`].
pub fn token(message: &[u8]) -> Result<Option<&str>, BearerError> {
    use BearerError::Malformed;
    let message = std::str::from_utf8(message).map_err(|_| Malformed)?;
    let (header, pairs) = message.split_once(SEPARATOR).ok_or(Malformed)?;
    match header.split(',').collect::<Vec<_>>()[..] {
        ["n" | "y", "", ""] => {}
        ["n" | "y", identity, ""] if identity.starts_with("a=") => {
            return Err(BearerError::AuthorizationIdentity);
        }
        [binding, _, _] if binding.starts_with("p=") => return Err(BearerError::ChannelBinding),
        _ => return Err(Malformed),
    }
    // Each pair ends with a separator, and so does the list.
    let pairs = pairs.strip_suffix(SEPARATOR).ok_or(Malformed)?;
    let mut auth = None;
    for pair in pairs.split_terminator(SEPARATOR) {
        let (key, value) = pair.split_once('=').ok_or(Malformed)?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(Malformed);
        }
        if key == "auth" && auth.replace(value).is_some() {
            return Err(Malformed);
        }
    }
    if !pairs.is_empty() && !pairs.ends_with(SEPARATOR) {
        return Err(Malformed);
    }
    match auth.ok_or(Malformed)? {
        "" => Ok(None),
        value => bearer(value).map(Some).ok_or(Malformed),
    }
}

/// `Bearer`, spaces, and a token of RFC 6750's alphabet.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    let token = rest.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    (scheme.eq_ignore_ascii_case("bearer") && !body.is_empty() && body.bytes().all(plain))
        .then_some(token)
}

/// What a client is told whose token does not count: where to get one that does.
pub fn status(config: &OidcConfig) -> String {
    let configuration = super::discovery_address(&config.issuer);
    serde_json::json!({
        "status": "invalid_token",
        "openid-configuration": configuration,
        "scope": config.scope,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_read_as_postgresql_reads_them() {
        use BearerError::{AuthorizationIdentity, ChannelBinding, Malformed};
        for (message, expected) in [
            ("n,,\u{1}auth=Bearer a.b-c_~+/==\u{1}\u{1}", Ok(Some("a.b-c_~+/=="))),
            ("y,,\u{1}auth=bearer  abc\u{1}\u{1}", Ok(Some("abc"))),
            ("n,,\u{1}host=x\u{1}port=1\u{1}auth=Bearer abc\u{1}\u{1}", Ok(Some("abc"))),
            ("n,,\u{1}auth=\u{1}\u{1}", Ok(None)),
            ("n,,\u{1}\u{1}", Err(Malformed)),
            ("n,,\u{1}auth=Bearer abc\u{1}", Err(Malformed)),
            ("n,,\u{1}auth=Bearer abc", Err(Malformed)),
            ("n,,auth=Bearer abc\u{1}\u{1}", Err(Malformed)),
            ("n,,\u{1}auth=Bearer abc\u{1}\u{1}x", Err(Malformed)),
            ("n,,\u{1}auth=Bearer abc\u{1}auth=Bearer d\u{1}\u{1}", Err(Malformed)),
            ("n,,\u{1}auth=Bearer \u{1}\u{1}", Err(Malformed)),
            ("n,,\u{1}auth=Bearer a b\u{1}\u{1}", Err(Malformed)),
            ("n,,\u{1}auth=Bearer a=b\u{1}\u{1}", Err(Malformed)),
            ("n,,\u{1}auth=Basic abc\u{1}\u{1}", Err(Malformed)),
            ("n,,\u{1}auth\u{1}\u{1}", Err(Malformed)),
            ("n,,\u{1}a1=x\u{1}auth=Bearer abc\u{1}\u{1}", Err(Malformed)),
            ("n,a=bob,\u{1}auth=Bearer abc\u{1}\u{1}", Err(AuthorizationIdentity)),
            ("p=tls-exporter,,\u{1}auth=Bearer abc\u{1}\u{1}", Err(ChannelBinding)),
            ("n,,n=,r=abc", Err(Malformed)),
            ("", Err(Malformed)),
        ] {
            assert_eq!(token(message.as_bytes()), expected, "{message:?}");
        }
        assert_eq!(token(b"n,,\x01auth=Bearer \xff\x01\x01"), Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = token(&bytes);
        }

        #[test]
        fn no_text_panics(text in "[np=y,a]{0,5}\u{1}?(auth=)?(Bearer )?[a-c =,\u{1}]{0,12}") {
            let _ = token(text.as_bytes());
        }
    }
}
