//! What a request carries to say who sends it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::{Secret, Timestamp};

/// The cookie of a session over TLS. Browsers take one of such a name only over TLS, from the very
/// host, for all of it, so neither a neighbour nor whoever sits in between can plant one.
const COOKIE_TLS: &str = "__Host-keyhole";

/// That of a session on this machine without TLS.
const COOKIE_PLAIN: &str = "keyhole";

/// The name, without `__Host-`, of what a browser carries through a sign-in at an issuer.
const FLOW: &str = "keyhole-sign-in";

/// Where a script of ours says what a form says in a field.
const FORM_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// In which way others could read a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control::http) enum Way {
    /// Not at all: it goes over TLS only.
    Tls,
    /// It stays on this machine.
    Near,
}

/// Something that says who sends a request.
#[derive(Debug)]
pub(super) enum Credential {
    Password {
        user: String,
        password: Secret,
    },
    Bearer(Secret),
    /// What browsers send by themselves.
    Cookie(Secret),
}

/// None: nothing. A header that is there and cannot be read hides any cookie.
pub(super) fn credential(headers: &HeaderMap, way: Way) -> Option<Credential> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        let name = if way == Way::Tls { COOKIE_TLS } else { COOKIE_PLAIN };
        return cookie(headers, name).map(|token| Credential::Cookie(Secret::new(token)));
    };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        return Some(Credential::Password {
            user: user.to_owned(),
            password: Secret::new(password),
        });
    }
    let token = rest.trim();
    let is_token = scheme.eq_ignore_ascii_case("bearer")
        && !token.is_empty()
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_token.then(|| Credential::Bearer(Secret::new(token)))
}

/// What proves that one of our pages sends it, if a script does.
pub(super) fn form_token(headers: &HeaderMap) -> Option<&str> {
    headers.get(FORM_TOKEN)?.to_str().ok()
}

/// What a browser has kept of a sign-in that it began.
pub(in crate::control::http) fn flow(headers: &HeaderMap, way: Way) -> Option<String> {
    cookie(headers, &flow_name(way)).map(str::to_owned)
}

/// The value of the only cookie of that name.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mut own = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
    // Of two, nobody can say whose is whose.
    own.next().filter(|_| own.next().is_none()).filter(|value| !value.is_empty())
}

fn flow_name(way: Way) -> String {
    let prefix = if way == Way::Tls { "__Host-" } else { "" };
    format!("{prefix}{FLOW}")
}

/// The cookie of a session, until it ends. None: no such token can be a cookie.
pub(in crate::control::http) fn session_cookie(
    token: &Secret,
    way: Way,
    now: Timestamp,
    until: Timestamp,
) -> Option<HeaderValue> {
    let name = if way == Way::Tls { COOKIE_TLS } else { COOKIE_PLAIN };
    let secs = until.duration_since(now).as_secs().max(0);
    set(name, token.expose(), &format!("SameSite=Strict; Max-Age={secs}"), way)
}

/// Has the browser forget its session.
pub(in crate::control::http) fn no_session_cookie(way: Way) -> Option<HeaderValue> {
    let name = if way == Way::Tls { COOKIE_TLS } else { COOKIE_PLAIN };
    set(name, "", "SameSite=Strict; Max-Age=0", way)
}

/// What a browser carries through a sign-in, and sends when the issuer's page leads back here.
pub(in crate::control::http) fn flow_cookie(
    sealed: &str,
    way: Way,
    secs: u64,
) -> Option<HeaderValue> {
    set(&flow_name(way), sealed, &format!("SameSite=Lax; Max-Age={secs}"), way)
}

fn set(name: &str, value: &str, attributes: &str, way: Way) -> Option<HeaderValue> {
    let secure = if way == Way::Tls { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; {attributes}{secure}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::super::tests::headers;
    use super::*;

    fn read(pairs: &[(&'static str, &'static str)], way: Way) -> String {
        match credential(&headers(pairs), way) {
            None => "nothing".to_owned(),
            Some(Credential::Password { user, password }) => {
                format!("password {user} {}", password.expose())
            }
            Some(Credential::Bearer(token)) => format!("bearer {}", token.expose()),
            Some(Credential::Cookie(token)) => format!("cookie {}", token.expose()),
        }
    }

    #[test]
    fn a_header_says_who_and_else_a_cookie() {
        for (pairs, found) in [
            (&[("authorization", "basic YWxpY2U6YTpi")][..], "password alice a:b"),
            (&[("authorization", "Bearer a.b-c")], "bearer a.b-c"),
            (&[("authorization", "bearer  abc ")], "bearer abc"),
            (&[("cookie", "a=b; keyhole=x.y; c=d")], "cookie x.y"),
            (&[("authorization", "Bearer abc"), ("cookie", "keyhole=x")], "bearer abc"),
            (&[("authorization", "Digest abc"), ("cookie", "keyhole=x")], "nothing"),
            (&[("authorization", "Basic")], "nothing"),
            (&[("authorization", "Basic ???")], "nothing"),
            (&[("authorization", "Basic YWxpY2U=")], "nothing"),
            (&[("authorization", "Bearer ")], "nothing"),
            (&[("authorization", "Bearer a b")], "nothing"),
            (&[("cookie", "keyhole=x; keyhole=y")], "nothing"),
            (&[("cookie", "keyhole=")], "nothing"),
            (&[("cookie", "xkeyhole=x; keyhole")], "nothing"),
            (&[("cookie", "__Host-keyhole=x")], "nothing"),
            (&[], "nothing"),
        ] {
            assert_eq!(read(pairs, Way::Near), found, "{pairs:?}");
        }
        assert_eq!(read(&[("cookie", "keyhole=x")], Way::Tls), "nothing");
        assert_eq!(read(&[("cookie", "__Host-keyhole=x")], Way::Tls), "cookie x");
    }

    #[test]
    fn cookies_are_for_us_alone() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let cookie = |way| session_cookie(&Secret::new("khs_x.y"), way, at(0), at(60)).unwrap();
        assert_eq!(
            cookie(Way::Tls),
            "__Host-keyhole=khs_x.y; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure"
        );
        assert_eq!(
            cookie(Way::Near),
            "keyhole=khs_x.y; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"
        );
        assert!(cookie(Way::Tls).is_sensitive());
        assert!(no_session_cookie(Way::Tls).unwrap().to_str().unwrap().contains("Max-Age=0"));
        let flow = flow_cookie("a.b", Way::Tls, 600).unwrap();
        assert!(flow.to_str().unwrap().starts_with("__Host-keyhole-sign-in=a.b; Path=/; HttpOnly"));
        assert!(session_cookie(&Secret::new("a\nb"), Way::Tls, at(0), at(60)).is_none());
    }
}
