//! Signed tokens (JWS compact serialization, RFC 7515): cut, and opened by the right key only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::OidcError;
use super::keys::Key;
use crate::config::Algorithm;

/// A token whose signature nobody has looked at: it says which key it claims, and nothing else.
#[derive(Debug)]
pub(super) struct Sealed<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    signed: &'a [u8],
    claims: &'a str,
    signature: Vec<u8>,
}

/// What a key of the issuer has signed.
#[derive(Debug)]
pub(super) struct Claims(pub(super) Map<String, Value>);

/// A header may name keys and certificates of its own (`jwk`, `jku`, `x5c` …): they are not looked
/// at, as whoever forges a token would name theirs.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// Extensions that have to be understood (RFC 7515, 4.1.11); none is.
    crit: Option<Value>,
}

/// What `typ` may say of an access token: RFC 9068 and the habit before it. Other kinds of tokens
/// that an issuer signs, such as those of logouts, are not for logging in (RFC 8725, 3.11).
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

impl<'a> Sealed<'a> {
    /// # Errors
    /// What is wrong with the token's form, or a signature of a kind that is not in `algorithms`.
    pub(super) fn cut(token: &'a str, algorithms: &[Algorithm]) -> Result<Self, OidcError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(OidcError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(OidcError::Malformed)?;
        if claims.contains('.') {
            return Err(OidcError::Malformed);
        }
        let Header { alg, kid, typ, crit } =
            serde_json::from_slice(&decode(header)?).map_err(|_| OidcError::Malformed)?;
        let algorithm = Algorithm::parse(&alg)
            .filter(|algorithm| algorithms.contains(algorithm))
            .ok_or(OidcError::Algorithm)?;
        let of_a_type = |typ: String| TYPES.contains(&typ.to_ascii_lowercase().as_str());
        if crit.is_some() || !typ.is_none_or(of_a_type) {
            return Err(OidcError::Kind);
        }
        let signature = decode(signature)?;
        Ok(Self { algorithm, key_id: kid, signed: signed.as_bytes(), claims, signature })
    }

    /// The claims, if one of the keys has signed them.
    ///
    /// # Errors
    /// `Signature`; `Malformed` for what a key has signed and is no set of claims.
    pub(super) fn open<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Key>,
    ) -> Result<Claims, OidcError> {
        let signs = |key: &Key| key.has_signed(self.algorithm, self.signed, &self.signature);
        if !keys.into_iter().any(signs) {
            return Err(OidcError::Signature);
        }
        let claims = decode(self.claims)?;
        serde_json::from_slice(&claims).map(Claims).map_err(|_| OidcError::Malformed)
    }
}

/// Strictly: one text for each sequence of bytes.
fn decode(text: &str) -> Result<Vec<u8>, OidcError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| OidcError::Malformed)
}
