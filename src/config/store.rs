//! `[store]`: where requests and grants are kept.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::builder::Builder;
use super::raw;
use super::source::{Place, Problem};
use super::upstream::{SessionTarget, UpstreamDatabase, UpstreamUrl};
use crate::model::Secret;

const MAX_STALENESS: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_secs(1);
/// Shorter would be a burden to the database, longer no safety net.
const POLL_LEAST: Duration = Duration::from_millis(100);
const POLL_MOST: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    pub location: StoreLocation,
    /// Store out of reach for longer than this: no grant counts.
    pub max_staleness: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// A file of this proxy's own.
    Sqlite(PathBuf),
    /// A database that several proxies share.
    Postgres(Box<SharedStoreConfig>),
}

/// A store that several proxies share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedStoreConfig {
    /// Names its database.
    pub url: UpstreamUrl,
    pub password: Option<Secret>,
    /// How often it is read when nobody says that there is news.
    pub poll: Duration,
    /// What else this proxy keeps lies beside this path.
    pub beside: PathBuf,
    pub place: Place,
}

impl StoreConfig {
    /// What else this proxy keeps lies beside this path, which is that of the store if it is a
    /// file.
    pub fn beside(&self) -> &Path {
        match &self.location {
            StoreLocation::Sqlite(path) => path,
            StoreLocation::Postgres(shared) => &shared.beside,
        }
    }

    pub(super) fn warning(&self) -> Option<Problem> {
        match &self.location {
            StoreLocation::Sqlite(_) => None,
            StoreLocation::Postgres(shared) => {
                let said = shared.url.warning()?;
                Some(shared.place.problem(format!("url in [store]: {said}")))
            }
        }
    }
}

impl Builder<'_> {
    pub(super) fn store(&mut self, raw: raw::Store) -> StoreConfig {
        let max_staleness =
            self.duration("max_staleness in [store]", raw.max_staleness, MAX_STALENESS);
        let of = |key: &str| format!("{key} in [store]");
        let only_shared = [&raw.password_env, &raw.password_file, &raw.poll];
        let only_shared = only_shared.into_iter().flatten().map(Spanned::span).next();
        let password = self.password(&of, raw.password_env, raw.password_file);
        let poll_span = raw.poll.as_ref().map(Spanned::span).unwrap_or_default();
        let poll = self.duration("poll in [store]", raw.poll, POLL);
        let url = raw.url.as_ref().map_or("sqlite:keyhole.db", |url| url.get_ref().as_str());
        let span = raw.url.as_ref().map(Spanned::span).unwrap_or_default();
        let location = if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            if !(POLL_LEAST..=POLL_MOST).contains(&poll) || poll * 2 > max_staleness {
                let message = "poll in [store] lies between 100ms and 10s, and is half of \
                               max_staleness at most";
                self.wrong(poll_span, message);
            }
            self.shared(url, span, password, poll)
        } else {
            if let Some(span) = only_shared {
                self.wrong(span, "[store]: this key is for a store in PostgreSQL");
            }
            self.own(url, span)
        };
        let nowhere = || StoreLocation::Sqlite(PathBuf::new());
        StoreConfig { location: location.unwrap_or_else(nowhere), max_staleness }
    }

    fn own(&mut self, url: &str, span: Range<usize>) -> Option<StoreLocation> {
        match url.strip_prefix("sqlite:") {
            Some("") => {
                self.wrong(span, "url in [store]: sqlite: is followed by the path of a file");
                None
            }
            Some(path) => Some(StoreLocation::Sqlite(self.beside(Path::new(path)))),
            None => {
                let message = "url in [store]: a store is sqlite: and the path of a file, or \
                               postgres://user@host/database";
                self.wrong(span, message);
                None
            }
        }
    }

    fn shared(
        &mut self,
        url: &str,
        span: Range<usize>,
        password: Option<Secret>,
        poll: Duration,
    ) -> Option<StoreLocation> {
        let url = match UpstreamUrl::parse(url) {
            Ok(url) => self.beside_all(url, "url in [store]", span.clone()),
            Err(message) => {
                self.wrong(span, format!("url in [store]: {message}"));
                return None;
            }
        };
        if url.database == UpstreamDatabase::AsRequested {
            self.wrong(span.clone(), "url in [store]: a store is in one database");
        }
        match url.target {
            SessionTarget::Any | SessionTarget::ReadWrite | SessionTarget::Primary => {}
            SessionTarget::ReadOnly | SessionTarget::Standby | SessionTarget::PreferStandby => {
                let message = "url in [store]: a store is written, so target_session_attrs is \
                               read-write";
                self.wrong(span.clone(), message);
            }
        }
        let beside = self.beside(Path::new("keyhole"));
        let place = self.source.place(span);
        Some(StoreLocation::Postgres(Box::new(SharedStoreConfig {
            url,
            password,
            poll,
            beside,
            place,
        })))
    }
}
