//! `[oidc]`: whose tokens are taken, and what they say.

use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;
use toml::Spanned;

use super::builder::Builder;
use super::raw::{self, Text};
use super::source::unknown_word;
use super::values;
use crate::model::Secret;

const LEEWAY: Duration = Duration::from_secs(30);
/// A longer one would make expiry a matter of taste.
const LEEWAY_MAX: Duration = Duration::from_secs(300);
const REFRESH: Duration = Duration::from_secs(300);
const REFRESH_MIN: Duration = Duration::from_secs(10);
const STALE_MAX: Duration = Duration::from_secs(3600);
const TIMEOUT: Duration = Duration::from_secs(5);

/// An issuer of access tokens.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// Letter by letter as the tokens' `iss`.
    pub issuer: String,
    /// One of them is in every token's `aud`. Never empty.
    pub audience: Vec<String>,
    /// Where the keys are; None: where the issuer's discovery document says.
    pub jwks_url: Option<String>,
    /// None: the system's authorities are trusted.
    pub ca_file: Option<PathBuf>,
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the user, with dots for what lies deeper.
    pub user_claim: String,
    /// What of the claim is the name: its one group, if it matches as a whole.
    pub user_map: Option<Regex>,
    pub groups_claim: Option<String>,
    /// What OAUTHBEARER clients are told to ask the issuer for.
    pub scope: String,
    /// As whom people sign in over HTTP on the issuer's pages; None: they do not.
    pub client: Option<OidcClient>,
    /// By how much clocks may differ.
    pub leeway: Duration,
    /// Keys that are older are read again.
    pub refresh: Duration,
    /// An unknown key's name asks the issuer no sooner than this after the last time.
    pub refresh_min: Duration,
    /// Keys that are older count no more, however unreachable the issuer is.
    pub stale_max: Duration,
    /// For each question to the issuer.
    pub timeout: Duration,
    pub session_end: SessionEnd,
}

/// What the issuer knows the console as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcClient {
    pub id: String,
    /// None: it has none, as programs on people's machines.
    pub secret: Option<Secret>,
    /// What the issuer is asked for.
    pub scope: String,
}

/// Whether a session may outlive the token that began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    WithToken,
    Open,
}

/// Signatures that are taken. Those with a shared secret and `none` do not exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The name in RFC 7518 and RFC 8037.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// A pattern has no equality but its text's.
impl PartialEq for OidcConfig {
    fn eq(&self, other: &Self) -> bool {
        // Every field is in it, and the text of no secret.
        format!("{self:?}") == format!("{other:?}") && self.client == other.client
    }
}

pub(super) fn build(
    builder: &mut Builder<'_>,
    raw: Option<Spanned<raw::Oidc>>,
) -> Option<OidcConfig> {
    let mut raw = raw?.into_inner();
    let client = client(builder, &mut raw);
    for (key, url) in [("issuer", Some(&raw.issuer)), ("jwks_url", raw.jwks_url.as_ref())] {
        if let Some(url) = url
            && let Err(message) = check_url(url.get_ref())
        {
            builder.wrong(url.span(), format!("{key} in [oidc]: {message}"));
        }
    }
    let audience: Vec<String> =
        raw.audience.get_ref().iter().map(|text| text.get_ref().clone()).collect();
    if audience.is_empty() || audience.iter().any(String::is_empty) {
        let message = "audience in [oidc] names none: a token for anything else would count";
        builder.wrong(raw.audience.span(), message);
    }
    let [leeway, refresh, refresh_min, stale_max, timeout] = [
        ("leeway", &raw.leeway, LEEWAY),
        ("refresh", &raw.refresh, REFRESH),
        ("refresh_min", &raw.refresh_min, REFRESH_MIN),
        ("stale_max", &raw.stale_max, STALE_MAX),
        ("timeout", &raw.timeout, TIMEOUT),
    ]
    .map(|(key, text, default)| {
        builder.duration(&format!("{key} in [oidc]"), text.clone(), default)
    });
    if let Some(text) = raw.leeway.filter(|_| leeway > LEEWAY_MAX) {
        builder.wrong(text.span(), "leeway in [oidc] is at most 5min");
    }
    if let Some(text) = raw.stale_max.filter(|_| stale_max < refresh) {
        builder.wrong(text.span(), "stale_max in [oidc] is at least refresh");
    }
    let or = |text: Option<Text>, default: &str| {
        text.map_or_else(|| default.to_owned(), Spanned::into_inner)
    };
    let session_end = match raw.session_ends_with_token {
        None | Some(true) => SessionEnd::WithToken,
        Some(false) => SessionEnd::Open,
    };
    Some(OidcConfig {
        issuer: raw.issuer.into_inner(),
        audience,
        jwks_url: raw.jwks_url.map(Spanned::into_inner),
        ca_file: raw.ca_file.map(|file| builder.file("ca_file in [oidc]", &file)),
        algorithms: algorithms(builder, raw.algorithms),
        user_claim: or(raw.user_claim, "sub"),
        user_map: raw.user_map.and_then(|text| pattern(builder, &text)),
        groups_claim: raw.groups_claim.map(Spanned::into_inner),
        scope: or(raw.scope, "openid"),
        client,
        leeway,
        refresh,
        refresh_min,
        stale_max,
        timeout,
        session_end,
    })
}

fn client(builder: &mut Builder<'_>, raw: &mut raw::Oidc) -> Option<OidcClient> {
    let (variable, file) = (raw.client_secret_env.take(), raw.client_secret_file.take());
    let scope = raw.sign_in_scope.take();
    let more = [&variable, &file, &scope].into_iter().flatten().map(Spanned::span).next();
    let Some(id) = raw.client_id.take() else {
        if let Some(span) = more {
            builder.wrong(span, "[oidc]: this key goes with client_id");
        }
        return None;
    };
    if id.get_ref().is_empty() {
        builder.wrong(id.span(), "client_id in [oidc] is empty");
    }
    let secret = match (variable, file) {
        (None, None) => None,
        (Some(variable), None) => builder.secret_from_env("client_secret_env in [oidc]", &variable),
        (None, Some(file)) => builder.secret_from_file("client_secret_file in [oidc]", &file),
        (Some(_), Some(file)) => {
            let message = "client_secret_file in [oidc] excludes client_secret_env";
            builder.wrong(file.span(), message);
            None
        }
    };
    let scope = match scope {
        Some(text) => {
            if !text.get_ref().split(' ').any(|word| word == "openid") {
                builder
                    .wrong(text.span(), "sign_in_scope in [oidc] has \"openid\" among its words");
            }
            text.into_inner()
        }
        None => "openid".to_owned(),
    };
    Some(OidcClient { id: id.into_inner(), secret, scope })
}

/// Whoever can change what comes from there can log in as anybody.
fn check_url(url: &str) -> Result<(), String> {
    const SHAPE: &str = "an address is https://host/path";
    let (rest, plain) = match url.strip_prefix("https://") {
        Some(rest) => (rest, false),
        None => (url.strip_prefix("http://").ok_or(SHAPE)?, true),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = values::host_of(authority).ok_or(SHAPE)?;
    let visible = url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    if url.contains(['?', '#']) || !visible {
        return Err(SHAPE.to_owned());
    }
    if plain && !values::is_loopback(host) {
        return Err("anybody in between could hand out keys: use https://".to_owned());
    }
    Ok(())
}

fn algorithms(builder: &mut Builder<'_>, raw: Option<Spanned<Vec<Text>>>) -> Vec<Algorithm> {
    let Some(list) = raw else { return Algorithm::ALL.to_vec() };
    if list.get_ref().is_empty() {
        builder.wrong(list.span(), "algorithms in [oidc] names none");
    }
    let mut algorithms = Vec::new();
    for text in list.into_inner() {
        match Algorithm::parse(text.get_ref()) {
            Some(algorithm) => algorithms.push(algorithm),
            None => {
                let known = Algorithm::ALL.map(Algorithm::as_str);
                let message = unknown_word("algorithms in [oidc]", text.get_ref(), &known);
                builder.wrong(text.span(), message);
            }
        }
    }
    algorithms
}

/// Matches all of a claim or nothing of it.
fn pattern(builder: &mut Builder<'_>, text: &Text) -> Option<Regex> {
    // Alone first: no parenthesis of its own may end ours.
    let alone = Regex::new(text.get_ref());
    let message = match alone.and_then(|alone| Regex::new(&format!("^(?:{alone})$"))) {
        Ok(pattern) if pattern.captures_len() == 2 => return Some(pattern),
        Ok(_) => "user_map in [oidc] has one group, which is the user's name".to_owned(),
        Err(_) => "user_map in [oidc] is no regular expression".to_owned(),
    };
    builder.wrong(text.span(), message);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls() {
        for (url, fits) in [
            ("https://login.example.com/realms/staff", true),
            ("https://login.example.com", true),
            ("http://127.0.0.1:8080/x", true),
            ("http://[::1]:8080", true),
            ("http://login.example.com", false),
            ("http://localhost.example.com", false),
            ("https://user@login.example.com", false),
            ("https://", false),
            ("login.example.com", false),
            ("https://login.example.com/?x=y", false),
            ("https://login.example.com/a b", false),
        ] {
            assert_eq!(check_url(url).is_ok(), fits, "{url}");
        }
    }
}
