//! Addresses of pages that say whose they are.

use super::shape::{AT, Shape};
use super::{Hits, Signal, mail};

/// Names of parameters and of parts of paths behind which a person stands.
const PARAMETERS: &[&str] = &[
    "user",
    "userid",
    "user_id",
    "uid",
    "email",
    "mail",
    "token",
    "session",
    "sessionid",
    "sid",
    "customer",
    "customer_id",
    "customerid",
    "account",
    "account_id",
    "phone",
    "username",
    "member",
    "patient",
    "access_token",
    "auth",
    "key",
    "apikey",
    "api_key",
    "name",
    "login",
];
const FOLDERS: &[&str] = &[
    "users",
    "user",
    "profile",
    "profiles",
    "people",
    "members",
    "member",
    "customers",
    "u",
    "in",
    "accounts",
    "patients",
    "~",
];

pub(super) fn look(shape: &Shape<'_>, hits: &mut Hits) {
    let Some((scheme, rest)) = shape.text.split_once("://") else { return };
    let scheme_fits = (2..=20).contains(&scheme.len())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'));
    if !scheme_fits || rest.contains(' ') {
        return;
    }
    hits.tell(Signal::Url);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = path.split_once('/').unwrap_or((path, ""));
    let identifies = authority.contains('@')
        || query.split(['&', '#', ';']).any(names_somebody)
        || path_names_somebody(path)
        || shape.any(AT) && rest.split(['/', '=', '&', '?']).any(mail::is_address)
        || rest.contains("%40");
    hits.tell_if(Signal::UrlIdentifier, identifies);
}

fn names_somebody(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    !value.is_empty() && PARAMETERS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn path_names_somebody(path: &str) -> bool {
    let mut before = "";
    path.split('/').any(|part| {
        let identifies =
            !part.is_empty() && FOLDERS.iter().any(|folder| before.eq_ignore_ascii_case(folder));
        before = part;
        identifies || part.len() > 1 && part.starts_with(['@', '~'])
    })
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    #[test]
    fn pages_of_somebody_and_of_nobody() {
        for url in [
            "https://example.com/users/4711",
            "https://example.com/reset?token=abc",
            "https://example.com/?a=1&email=jane%40example.com",
            "https://social.example/@jane",
            "postgres://jane:secret@db/shop",
        ] {
            assert!(look(url).has(Signal::UrlIdentifier), "{url}");
        }
        for url in ["https://example.com/products/4711", "https://example.com/?page=2", "a: b/c"] {
            assert!(!look(url).has(Signal::UrlIdentifier), "{url}");
        }
    }
}
