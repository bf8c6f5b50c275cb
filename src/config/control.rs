//! `[control]`: the ports of the console and of HTTP, and how people sign in there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::builder::Builder;
use super::raw::{self, Text};
use super::values;

const SESSION: Duration = Duration::from_hours(12);
/// Longer than anybody's week.
pub const SESSION_MOST: Duration = Duration::from_hours(24 * 30);
const SESSION_IDLE: Duration = Duration::from_mins(30);
/// Sessions note twice a minute that they are used.
const SESSION_IDLE_LEAST: Duration = Duration::from_mins(2);
const REQUESTS_PER_MINUTE: u32 = 1_200;
const REQUESTS_PER_MINUTE_UNSIGNED: u32 = 600;

/// `[control]`: ports that do not exist when they are not named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlConfig {
    /// The console, spoken to with psql.
    pub listen: Option<SocketAddr>,
    /// API, web console, metrics, health.
    pub http: Option<SocketAddr>,
    /// How long somebody stays signed in.
    pub session: Duration,
    /// How long without doing anything, in a browser.
    pub session_idle: Option<Duration>,
    /// The key that signs sessions; None: beside the store.
    pub session_key_file: Option<PathBuf>,
    pub requests: RequestLimits,
}

/// Requests in a minute over HTTP; so many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Of one user.
    pub per_user: u32,
    /// Of everybody at one address who is not signed in.
    pub per_address: u32,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { per_user: REQUESTS_PER_MINUTE, per_address: REQUESTS_PER_MINUTE_UNSIGNED }
    }
}

impl Builder<'_> {
    pub(super) fn control(&mut self, raw: raw::Control) -> ControlConfig {
        let mut address = |key: &str, text: Option<Text>| {
            let any: SocketAddr = ([127, 0, 0, 1], 0).into();
            text.map(|text| self.parsed(key, Some(text), any, values::address))
        };
        let listen = address("listen in [control]", raw.listen);
        let http = address("http in [control]", raw.http);
        let span = raw.session.as_ref().map(Spanned::span).unwrap_or_default();
        let session = self.duration("session in [control]", raw.session, SESSION);
        if session > SESSION_MOST {
            self.wrong(span, "session in [control] is at most 30d");
        }
        let span = raw.session_idle.as_ref().map(Spanned::span).unwrap_or_default();
        let idle = |text: &str| match text {
            "off" => Ok(None),
            text => values::duration(text).map(Some),
        };
        let key = "session_idle in [control]";
        let session_idle = self.parsed(key, raw.session_idle, Some(SESSION_IDLE), idle);
        if session_idle.is_some_and(|idle| idle < SESSION_IDLE_LEAST) {
            self.wrong(span, "session_idle in [control] is at least 2min, or off");
        }
        let session_key_file =
            raw.session_key_file.map(|file| self.beside(Path::new(file.get_ref())));
        let mut limit = |key: &str, number: Option<Spanned<u32>>, default: u32| {
            let Some(number) = number else { return default };
            if *number.get_ref() == 0 {
                self.wrong(number.span(), format!("{key} in [control] is at least 1"));
            }
            number.into_inner()
        };
        let default = RequestLimits::default();
        let requests = RequestLimits {
            per_user: limit("requests_per_minute", raw.requests_per_minute, default.per_user),
            per_address: limit(
                "requests_per_minute_unsigned",
                raw.requests_per_minute_unsigned,
                default.per_address,
            ),
        };
        ControlConfig { listen, http, session, session_idle, session_key_file, requests }
    }
}
