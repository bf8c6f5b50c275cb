//! What the claims of a token have to say, and whom they name.

use regex::Regex;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::jwt::Claims;
use super::{Named, OidcError, Proven};
use crate::config::{OidcConfig, SessionEnd};
use crate::model::Timestamp;

/// Groups beyond these are more than anybody is in: such a token is not taken.
const GROUPS_MAX: usize = 1000;

/// Whom the claims name, their groups and the end of the session, if the claims are for one of
/// `audiences`, and now.
pub(super) fn check(
    claims: &Claims,
    config: &OidcConfig,
    audiences: &[String],
    now: Timestamp,
) -> Result<Named, OidcError> {
    let Claims(claims) = claims;
    if text(claims, "iss") != Some(&config.issuer) {
        return Err(OidcError::Issuer);
    }
    if !audience(claims).any(|audience| audiences.iter().any(|own| own == audience)) {
        return Err(OidcError::Audience);
    }
    let expires = seconds(claims, "exp")?.ok_or(OidcError::Expired)?;
    let (leeway, now) = (config.leeway.as_secs_f64(), now.as_duration().as_secs_f64());
    if now >= expires + leeway {
        return Err(OidcError::Expired);
    }
    for claim in ["nbf", "iat"] {
        if seconds(claims, claim)?.is_some_and(|from| from - leeway > now) {
            return Err(OidcError::NotYet);
        }
    }
    // It counts with a key that only its holder has, who would have to prove that (RFC 7800).
    if claims.contains_key("cnf") {
        return Err(OidcError::Bound);
    }
    let claim = find(claims, &config.user_claim).and_then(Value::as_str);
    // Where people give their addresses themselves, anybody has anybody's (OpenID Connect Core 5.7).
    if config.user_claim == "email" && claims.get("email_verified").is_some_and(is_untrue) {
        return Err(OidcError::Unverified);
    }
    let user = name(claim.ok_or(OidcError::NoUser)?, config.user_map.as_ref());
    let user = user.filter(|user| !user.is_empty()).ok_or(OidcError::OtherUser)?.to_owned();
    let until = match config.session_end {
        SessionEnd::WithToken => Some(moment(expires + leeway)),
        SessionEnd::Open => None,
    };
    let groups = groups(claims, config.groups_claim.as_deref())?;
    Ok(Named { user, proven: Proven { groups, until } })
}

/// Whether a token that says who somebody is was made for `client`, and for the sign-in with this
/// `nonce`; None: for none with one (OpenID Connect Core 1.0, 3.1.3.7).
pub(super) fn is_for(claims: &Claims, client: &str, nonce: Option<&str>) -> bool {
    let Claims(claims) = claims;
    let one = audience(claims).count() == 1;
    let party = match claims.get("azp") {
        None => one,
        Some(_) => text(claims, "azp").is_some_and(|party| party == client),
    };
    let same = match (claims.get("nonce"), nonce) {
        (None, None) => true,
        (Some(_), Some(nonce)) => {
            let same = |own: &String| bool::from(own.as_bytes().ct_eq(nonce.as_bytes()));
            text(claims, "nonce").is_some_and(same)
        }
        (Some(_), None) | (None, Some(_)) => false,
    };
    party && same
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c String> {
    match claims.get(name)? {
        Value::String(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

/// Anything but "yes", which some issuers write as a text.
fn is_untrue(claim: &Value) -> bool {
    claim.as_bool() != Some(true) && claim.as_str() != Some("true")
}

/// One text, or a list of them.
fn audience(claims: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let claim = claims.get("aud");
    let one = claim.and_then(Value::as_str);
    let list = claim.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    one.into_iter().chain(list)
}

/// Seconds since 1970; what is there and is no number is an error, not absent.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, OidcError> {
    let Some(claim) = claims.get(name) else { return Ok(None) };
    let seconds = claim.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    seconds.map(Some).ok_or(OidcError::Malformed)
}

/// Whole seconds, saturating at the end of time.
fn moment(seconds: f64) -> Timestamp {
    // A float that is too big becomes the biggest number.
    Timestamp::from_second(seconds as i64).unwrap_or(Timestamp::MAX)
}

/// A claim of exactly that name, as namespaced ones have dots in theirs, or else what lies along
/// the path of that name.
fn find<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(claim) = claims.get(path) {
        return Some(claim);
    }
    let mut names = path.split('.');
    let first = claims.get(names.next()?)?;
    names.try_fold(first, |claim, name| claim.as_object()?.get(name))
}

/// The name in a claim: all of it, or what the one group of a pattern that matches all of it says.
fn name<'c>(claim: &'c str, map: Option<&Regex>) -> Option<&'c str> {
    let Some(pattern) = map else { return Some(claim) };
    let captures = pattern.captures(claim)?;
    let whole = captures.get(0).is_some_and(|all| all.len() == claim.len());
    captures.get(1).filter(|_| whole).map(|group| group.as_str())
}

/// A list of texts, or one text: a single name, whatever is in it, as whoever may name a group
/// would else have it be two. Only the claims of OAuth that are words by definition are taken apart.
fn groups(claims: &Map<String, Value>, path: Option<&str>) -> Result<Vec<String>, OidcError> {
    let claim = path.and_then(|path| find(claims, path));
    let groups: Vec<String> = match claim {
        None => Vec::new(),
        Some(claim) => match (claim.as_array(), claim.as_str()) {
            (Some(list), _) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            (None, Some(words)) if matches!(path, Some("scope" | "scp")) => {
                words.split_whitespace().map(str::to_owned).collect()
            }
            (None, Some("")) => Vec::new(),
            (None, Some(name)) => vec![name.to_owned()],
            (None, None) => Vec::new(),
        },
    };
    if groups.len() > GROUPS_MAX { Err(OidcError::Malformed) } else { Ok(groups) }
}
