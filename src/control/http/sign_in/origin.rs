//! Which page a request comes from, as browsers say it. Programs say nothing.

use axum::http::{HeaderMap, Method, header};

/// Whether nothing is changed by it.
pub(super) fn is_safe(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// Browsers send a password or a certificate that they know along with what other sites' pages ask
/// for, and say that it is so.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let word = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (word("sec-fetch-site"), word("origin")) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == word("host")
        }
        (None, None) => true,
    }
}

/// Whether it says that at all, as every browser of today does of a form.
pub(super) fn says_where_from(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN)
}

/// Whether a link on another site's page led here. With such a request browsers send no cookie of
/// ours.
pub(super) fn is_led_here(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    matches!(site, Some("cross-site" | "same-site"))
}

/// Whether a script of one of our pages asks, which shows its own form for signing in.
pub(super) fn is_fetch(headers: &HeaderMap) -> bool {
    let mode = headers.get("sec-fetch-mode").and_then(|mode| mode.to_str().ok());
    matches!(mode, Some("cors" | "same-origin" | "no-cors"))
}

/// Whether somebody wants to look at it.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::headers;
    use super::*;

    #[test]
    fn pages_of_other_sites_are_told_from_programs_and_from_ours() {
        for (pairs, same) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://k:1"), ("host", "k:1")], false),
            (&[("origin", "http://k:1"), ("host", "k:1")], true),
            (&[("origin", "http://k:1"), ("host", "k:2")], false),
            (&[("origin", "null"), ("host", "k:2")], false),
            (&[("origin", "null")], false),
        ] {
            assert_eq!(is_same_origin(&headers(pairs)), same, "{pairs:?}");
        }
    }

    #[test]
    fn browsers_want_pages_and_programs_do_not() {
        for (accept, page) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("Text/HTML ; q=1", true),
            ("*/*", false),
            ("application/json", false),
            ("text/htmlx", false),
        ] {
            assert_eq!(wants_page(&headers(&[("accept", accept)])), page, "{accept}");
        }
        assert!(!wants_page(&headers(&[])));
    }
}
