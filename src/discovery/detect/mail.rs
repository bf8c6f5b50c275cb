//! Electronic mail.

use super::shape::Shape;
use super::{Hits, Signal};

pub(super) fn look(shape: &Shape<'_>, hits: &mut Hits) {
    hits.tell_if(Signal::Email, is_address(strip_display_name(shape.text)));
}

/// `Jane Doe <jane@example.com>` without the name, and without `mailto:`.
fn strip_display_name(text: &str) -> &str {
    let inner = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((_, address)) => address,
        None => text,
    };
    inner.strip_prefix("mailto:").unwrap_or(inner)
}

/// An addr-spec of RFC 5322 as it occurs: a dot-atom and a domain name with two labels.
pub(super) fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    if local.is_empty() || local.len() > 64 || domain.len() > 253 {
        return false;
    }
    let atom = |byte: u8| {
        byte.is_ascii_alphanumeric() || byte >= 0x80 || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
    };
    let local_fits = local.bytes().all(atom)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    local_fits && is_domain(domain)
}

/// Two labels at least; the last is no number.
pub(super) fn is_domain(domain: &str) -> bool {
    let mut labels = 0;
    let mut last = "";
    for label in domain.split('.') {
        let fits = !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b >= 0x80);
        if !fits {
            return false;
        }
        labels += 1;
        last = label;
    }
    labels >= 2 && last.len() >= 2 && !last.bytes().any(|byte| byte.is_ascii_digit())
        || labels >= 2 && last.starts_with("xn--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_only_has_the_sign() {
        for address in [
            "jane.doe@example.com",
            "o'neil+tag@mail.example.co.uk",
            "jörg@münchen.example",
            "user@xn--mnchen-3ya.example",
        ] {
            assert!(is_address(address), "{address}");
        }
        for other in [
            "@jane",
            "jane@",
            "jane@localhost",
            "a@b.c",
            "2 @ 3.50",
            "git@github.com:a/b.git",
            "jane@@example.com",
            ".jane@example.com",
            "v1.2@3.4",
            "jane doe@example.com",
        ] {
            assert!(!is_address(other), "{other}");
        }
        assert!(is_address(strip_display_name("Jane <jane@example.com>")));
    }
}
