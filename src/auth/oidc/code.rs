//! Signing in on the issuer's pages: the authorization code flow with PKCE (RFC 6749 4.1, RFC 7636,
//! OpenID Connect Core 1.0 3.1). What ties the parts of it together is the caller's to keep, in the
//! browser that began it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Issuer, Named, OidcError, RefreshError, age, claims, discovery_address};
use crate::config::OidcClient;
use crate::model::{Report, Secret, SqlState};

/// Bytes of chance in each secret of a sign-in.
const RANDOM_LEN: usize = 32;

/// Where the issuer has people sign in.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pages {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
}

/// One sign-in: what only the browser that began it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    pub state: String,
    pub nonce: String,
    pub verifier: String,
}

/// Why nobody could sign in at the issuer.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    #[error("nobody signs in on the pages of the issuer: client_id in [oidc] is not set")]
    NoClient,
    #[error("the issuer cannot be asked: {0}")]
    Unavailable(String),
    #[error("the issuer takes the code for none of its own: {0}")]
    Refused(StatusCode),
    #[error("the issuer does not say who signed in")]
    NoToken,
    #[error("the token of whoever signed in does not count: {0}")]
    Token(#[from] OidcError),
}

impl CodeError {
    /// What whoever signs in is told; the log says more.
    pub fn report(&self) -> Report {
        match self {
            Self::NoClient => {
                Report::fatal(SqlState::FEATURE_NOT_SUPPORTED, "nobody signs in this way here")
            }
            Self::Unavailable(_) | Self::Token(OidcError::Unavailable) => {
                Report::fatal(SqlState::CONNECTION_FAILURE, "the identity provider cannot be asked")
                    .hint("Try again in a moment; the log of the proxy says why.")
            }
            Self::Refused(_) | Self::NoToken | Self::Token(_) => {
                let message = "the identity provider's answer does not count";
                Report::fatal(SqlState::INVALID_AUTHORIZATION, message).hint("Sign in once more.")
            }
        }
    }
}

impl Secrets {
    /// `random` has to come from a cryptographic generator.
    pub fn new(random: [[u8; RANDOM_LEN]; 3]) -> Self {
        let [state, nonce, verifier] = random.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        Self { state, nonce, verifier }
    }

    fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }
}

impl Issuer {
    /// Where somebody signs in, who comes back to `back`. Cancel safe.
    ///
    /// # Errors
    /// `NoClient`, `Unavailable`.
    pub async fn begin(&self, secrets: &Secrets, back: &str) -> Result<String, CodeError> {
        let client = self.client()?;
        let pages = self.pages().await?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", &*client.id),
            ("redirect_uri", back),
            ("scope", &*client.scope),
            ("state", &*secrets.state),
            ("nonce", &*secrets.nonce),
            ("code_challenge", &*secrets.challenge()),
            ("code_challenge_method", "S256"),
        ]);
        let page = &pages.authorization_endpoint;
        let more = if page.contains('?') { '&' } else { '?' };
        Ok(format!("{page}{more}{}", query.finish()))
    }

    /// Who has signed in, by the code with which they came back to `back`. Cancel safety: the code
    /// may be used up.
    ///
    /// # Errors
    /// [`CodeError`].
    pub(in crate::auth) async fn redeem(
        &self,
        code: &str,
        secrets: &Secrets,
        back: &str,
    ) -> Result<Named, CodeError> {
        let client = self.client()?;
        let pages = self.pages().await?;
        let (headers, body) = question(client, code, secrets, back)?;
        let address = &pages.token_endpoint;
        let uri: Uri = address.parse().map_err(|_| unavailable(&no_address(address)))?;
        let asked = self.fetcher.exchange(Method::POST, &uri, headers, body).await;
        let (status, said) = asked.map_err(|source| {
            unavailable(&RefreshError::Fetch { address: address.clone(), source })
        })?;
        if status != StatusCode::OK {
            return Err(CodeError::Refused(status));
        }
        let Answer { id_token } = serde_json::from_slice(&said).map_err(|_| CodeError::NoToken)?;
        self.identified(&id_token, Some(&secrets.nonce)).await
    }

    /// Whom a token names that says who signed in, with `nonce` or without any.
    ///
    /// # Errors
    /// `NoClient`, `Token`.
    pub(in crate::auth) async fn identified(
        &self,
        token: &str,
        nonce: Option<&str>,
    ) -> Result<Named, CodeError> {
        let client = self.client()?;
        let audience = [client.id.clone()];
        let (mut named, claims) = self.open(token, &audience, (self.clock)()).await?;
        if !claims::is_for(&claims, &client.id, nonce) {
            return Err(CodeError::Token(OidcError::Audience));
        }
        // It says until when the token may be shown, not for how long somebody is who they are.
        named.proven.until = None;
        Ok(named)
    }

    fn client(&self) -> Result<&OidcClient, CodeError> {
        self.config.client.as_ref().ok_or(CodeError::NoClient)
    }

    async fn pages(&self) -> Result<Pages, CodeError> {
        let now = (self.clock)();
        let known = self.pages.load_full();
        if let Some((pages, read_at)) = known.as_deref()
            && age(*read_at, now) < self.config.refresh
        {
            return Ok(pages.clone());
        }
        let read = self.read_pages().await.map_err(|error| unavailable(&error))?;
        self.pages.store(Some(Arc::new((read.clone(), now))));
        Ok(read)
    }

    async fn read_pages(&self) -> Result<Pages, RefreshError> {
        let document = self.fetch(&discovery_address(&self.config.issuer)).await?;
        let pages: Pages = serde_json::from_slice(&document).map_err(RefreshError::Discovery)?;
        if pages.issuer != self.config.issuer {
            return Err(RefreshError::OtherIssuer(pages.issuer));
        }
        let plain = self.config.issuer.starts_with("http://");
        for address in [&pages.authorization_endpoint, &pages.token_endpoint] {
            if !address.starts_with("https://") && !plain {
                return Err(RefreshError::PlainKeys(address.clone()));
            }
        }
        Ok(pages)
    }
}

/// What the issuer is asked for a token with.
fn question(
    client: &OidcClient,
    code: &str,
    secrets: &Secrets,
    back: &str,
) -> Result<(HeaderMap, Bytes), CodeError> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", back),
        ("code_verifier", &*secrets.verifier),
    ]);
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(CONTENT_TYPE, kind);
    match &client.secret {
        None => drop(form.append_pair("client_id", &client.id)),
        Some(secret) => drop(headers.insert(AUTHORIZATION, basic(&client.id, secret)?)),
    }
    Ok((headers, form.finish().into()))
}

#[derive(Deserialize)]
struct Answer {
    id_token: String,
}

/// As RFC 6749 (2.3.1) has it: both are encoded as in forms first.
fn basic(id: &str, secret: &Secret) -> Result<HeaderValue, CodeError> {
    let encode =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let pair = STANDARD.encode(format!("{}:{}", encode(id), encode(secret.expose())));
    let value = HeaderValue::try_from(format!("Basic {pair}"));
    let mut value = value.map_err(|_| CodeError::NoClient)?;
    value.set_sensitive(true);
    Ok(value)
}

fn no_address(address: &str) -> RefreshError {
    RefreshError::Address(address.to_owned())
}

fn unavailable(error: &RefreshError) -> CodeError {
    CodeError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        let secrets = Secrets {
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(),
            ..Secrets::new([[1; RANDOM_LEN]; 3])
        };
        assert_eq!(secrets.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_clients_name_and_secret_are_encoded_first() {
        let value = basic("my:client", &Secret::new("p%ss w")).unwrap();
        let pair = STANDARD.decode(value.to_str().unwrap().strip_prefix("Basic ").unwrap());
        assert_eq!(pair.unwrap(), b"my%3Aclient:p%25ss+w");
        assert!(value.is_sensitive());
    }
}
