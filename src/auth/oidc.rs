//! Logins by access token: a JWT that an OpenID Connect issuer has signed for us.
//!
//! Nobody is asked about a token, its signature is checked with the issuer's public keys. These
//! are read when the first token comes and kept; a login that finds them older than `refresh`
//! reads them again before it goes on, so a key that the issuer withdrew stops counting. A key
//! that is not known makes a login ask, too, but no more often than `refresh_min` allows, however
//! many tokens name keys that do not exist. Without an answer, known keys serve until they are
//! `stale_max` old.

pub mod bearer;
mod claims;
pub mod code;
mod jwt;
mod keys;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use hyper::Uri;
use rustls::ClientConfig;
use serde::Deserialize;
use tokio::sync::Mutex;

use self::jwt::{Claims, Sealed};
use self::keys::{Key, KeySetError};
use crate::config::OidcConfig;
use crate::model::{Report, SqlState, Timestamp};
use crate::net::fetch::{FetchError, Fetcher};
use crate::store::approvals::Clock;

/// What the token of somebody who logs in says of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    pub groups: Vec<String>,
    /// When the session ends; None: not by the token.
    pub until: Option<Timestamp>,
}

/// A token that counts, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) user: String,
    pub(super) proven: Proven,
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum OidcError {
    #[error("not a signed token")]
    Malformed,
    #[error("a signature of a kind that is not taken")]
    Algorithm,
    #[error("a token of another kind, or with extensions that are not known")]
    Kind,
    #[error("signed with a key that the issuer does not have")]
    UnknownKey,
    #[error("the signature is wrong")]
    Signature,
    #[error("of another issuer")]
    Issuer,
    #[error("for another audience")]
    Audience,
    #[error("expired")]
    Expired,
    #[error("not valid yet")]
    NotYet,
    #[error("bound to a key, which cannot be checked")]
    Bound,
    #[error("without the claim that names the user")]
    NoUser,
    #[error("the address of its user is not verified")]
    Unverified,
    #[error("of another user")]
    OtherUser,
    /// Nobody can say whether it counts.
    #[error("the issuer's keys are not known")]
    Unavailable,
}

impl OidcError {
    /// What the client is told, with `state` if it is its token's fault.
    pub fn report(self, user: &str, state: SqlState) -> Report {
        let detail = match self {
            Self::Unavailable => {
                let message = "the issuer of access tokens is out of reach";
                return Report::fatal(SqlState::CONNECTION_FAILURE, message)
                    .hint("Try again in a moment; the log of the proxy says why.");
            }
            // Whoever holds a token with a good signature may know what is wrong with it.
            Self::Expired => Some("The token has expired."),
            Self::Audience => Some("The token is for another audience."),
            Self::Malformed
            | Self::Algorithm
            | Self::Kind
            | Self::UnknownKey
            | Self::Signature
            | Self::Issuer
            | Self::NotYet
            | Self::Bound
            | Self::NoUser
            | Self::Unverified
            | Self::OtherUser => None,
        };
        let message = format!("OAuth bearer authentication failed for user \"{user}\"");
        let report = Report::fatal(state, message);
        match detail {
            Some(detail) => report.detail(detail),
            None => report,
        }
    }
}

/// Why the issuer's keys could not be read. Goes to the log.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("\"{0}\" is no address")]
    Address(String),
    #[error("{address}: {source}")]
    Fetch { address: String, source: FetchError },
    #[error("the discovery document cannot be read: {0}")]
    Discovery(#[source] serde_json::Error),
    #[error("the discovery document is of another issuer, \"{0}\"")]
    OtherIssuer(String),
    #[error("the keys lie at {0}, which is no https address")]
    PlainKeys(String),
    #[error("{0}: {1}")]
    KeySet(String, KeySetError),
}

/// One issuer, and the keys of it that are known.
pub struct Issuer {
    config: OidcConfig,
    fetcher: Fetcher,
    clock: Clock,
    known: ArcSwap<KeySet>,
    /// Where people sign in, and when that was read.
    pages: ArcSwapOption<(code::Pages, Timestamp)>,
    /// When it was asked last, whatever came of it. Held by the login that asks.
    asked: Mutex<Option<Timestamp>>,
}

#[derive(Debug, Default)]
struct KeySet {
    keys: Vec<Key>,
    /// None: never.
    read_at: Option<Timestamp>,
}

/// What OpenID Connect Discovery 1.0 says of an issuer, as far as it matters.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    /// Asks nobody yet. `tls` says whose certificates are trusted.
    pub fn new(config: OidcConfig, tls: Arc<ClientConfig>, clock: Clock) -> Self {
        let fetcher = Fetcher::new(tls, config.timeout);
        let (known, pages) = (ArcSwap::default(), ArcSwapOption::empty());
        Self { config, fetcher, clock, known, pages, asked: Mutex::new(None) }
    }

    pub fn config(&self) -> &OidcConfig {
        &self.config
    }

    /// What `token` says of `user`. Cancel safe.
    ///
    /// # Errors
    /// [`OidcError`].
    pub(super) async fn check(&self, token: &str, user: &str) -> Result<Proven, OidcError> {
        let named = self.named(token).await?;
        if named.user == user { Ok(named.proven) } else { Err(self.refused(OidcError::OtherUser)) }
    }

    /// Whose `token` is, and what it says of them. Cancel safe.
    ///
    /// # Errors
    /// [`OidcError`].
    pub(super) async fn named(&self, token: &str) -> Result<Named, OidcError> {
        let named = self.open(token, &self.config.audience, (self.clock)()).await;
        named.map(|(named, _)| named).map_err(|error| self.refused(error))
    }

    fn refused(&self, error: OidcError) -> OidcError {
        tracing::info!(issuer = %self.config.issuer, %error, "a token does not count");
        error
    }

    async fn open(
        &self,
        token: &str,
        audiences: &[String],
        now: Timestamp,
    ) -> Result<(Named, Claims), OidcError> {
        let sealed = Sealed::cut(token, &self.config.algorithms)?;
        let known = self.keys_for(&sealed, now).await?;
        let claims = sealed.open(known.candidates(&sealed))?;
        Ok((claims::check(&claims, &self.config, audiences, now)?, claims))
    }

    /// Keys that are fresh enough, one of which the token may be signed with.
    async fn keys_for(
        &self,
        sealed: &Sealed<'_>,
        now: Timestamp,
    ) -> Result<Arc<KeySet>, OidcError> {
        let enough = |known: &KeySet| {
            known.is_younger(self.config.refresh, now) && known.has_candidates(sealed)
        };
        let known = self.known.load_full();
        if enough(&known) {
            return Ok(known);
        }
        let mut asked = self.asked.lock().await;
        let rested = asked.is_none_or(|last| age(last, now) >= self.config.refresh_min);
        // Somebody else may have asked while this login waited.
        if !enough(&self.known.load()) && rested {
            *asked = Some(now);
            match self.read_keys().await {
                Ok(keys) => self.known.store(Arc::new(KeySet { keys, read_at: Some(now) })),
                Err(error) => {
                    tracing::warn!(issuer = %self.config.issuer, %error, "its keys are not read");
                }
            }
        }
        drop(asked);
        let known = self.known.load_full();
        if !known.is_younger(self.config.stale_max, now) {
            Err(OidcError::Unavailable)
        } else if known.has_candidates(sealed) {
            Ok(known)
        } else {
            Err(OidcError::UnknownKey)
        }
    }

    async fn read_keys(&self) -> Result<Vec<Key>, RefreshError> {
        let address = match &self.config.jwks_url {
            Some(address) => address.clone(),
            None => self.discover().await?,
        };
        let document = self.fetch(&address).await?;
        keys::read_set(&document).map_err(|error| RefreshError::KeySet(address, error))
    }

    /// Where the issuer says that its keys are.
    async fn discover(&self) -> Result<String, RefreshError> {
        let document = self.fetch(&discovery_address(&self.config.issuer)).await?;
        let Discovery { issuer, jwks_uri } =
            serde_json::from_slice(&document).map_err(RefreshError::Discovery)?;
        if issuer != self.config.issuer {
            return Err(RefreshError::OtherIssuer(issuer));
        }
        // An issuer that is asked in clear is one on this machine.
        let plain = self.config.issuer.starts_with("http://");
        if !jwks_uri.starts_with("https://") && !plain {
            return Err(RefreshError::PlainKeys(jwks_uri));
        }
        Ok(jwks_uri)
    }

    async fn fetch(&self, address: &str) -> Result<bytes::Bytes, RefreshError> {
        let uri: Uri = address.parse().map_err(|_| RefreshError::Address(address.to_owned()))?;
        let fetched = self.fetcher.get(&uri).await;
        fetched.map_err(|source| RefreshError::Fetch { address: address.to_owned(), source })
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, fetcher: _, clock: _, known, pages: _, asked: _ } = self;
        f.debug_struct("Issuer").field("config", config).field("known", known).finish()
    }
}

impl KeySet {
    fn is_younger(&self, limit: Duration, now: Timestamp) -> bool {
        self.read_at.is_some_and(|read_at| age(read_at, now) < limit)
    }

    /// The keys that the token may be signed with: those of the name that it gives, or, without
    /// one, the only key that fits.
    fn candidates<'k>(&'k self, sealed: &Sealed<'_>) -> impl Iterator<Item = &'k Key> {
        let algorithm = sealed.algorithm;
        let wanted = sealed.key_id.clone();
        let fitting = self.keys.iter().filter(move |key| key.fits(algorithm));
        let unambiguous = wanted.is_some() || fitting.clone().count() == 1;
        fitting.filter(move |key| unambiguous && (wanted.is_none() || key.id == wanted))
    }

    fn has_candidates(&self, sealed: &Sealed<'_>) -> bool {
        self.candidates(sealed).next().is_some()
    }
}

/// A moment that lies ahead, as of a login that began later, has no age.
fn age(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or_default()
}

/// Where an issuer describes itself, as OpenID Connect Discovery 1.0 (4.1) puts it.
fn discovery_address(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

#[cfg(test)]
mod tests;
