//! Addresses of computers.

use std::net::Ipv6Addr;

use super::shape::{COLON, DIGIT, DOT, SLASH, Shape};
use super::{Hits, Signal};

/// A version's parts are small numbers; among four parts of an address one is nearly always above.
const VERSION_PART_MAX: u32 = 60;

pub(super) fn look(shape: &Shape<'_>, hits: &mut Hits) {
    let text = shape.text;
    if shape.only(DIGIT | DOT | SLASH) && shape.digits >= 4 {
        if let Some(largest) = ipv4(strip_prefix_length(text)) {
            hits.tell(Signal::Ipv4);
            hits.tell_if(Signal::Ipv4Large, largest > VERSION_PART_MAX);
        }
        return;
    }
    if mac(text) {
        hits.tell(Signal::Mac);
        return;
    }
    if shape.any(COLON) && text.len() <= 49 {
        let colons = text.bytes().filter(|byte| *byte == b':').count();
        let fits = colons >= 2
            && (colons == 7 || text.contains("::"))
            && strip_prefix_length(text).parse::<Ipv6Addr>().is_ok();
        hits.tell_if(Signal::Ipv6, fits);
        return;
    }
    if text.len() == 36 && shape.any(DIGIT) {
        hits.tell_if(Signal::Uuid, uuid(text.as_bytes()));
    }
}

/// `10.2.0.0/16` without what the network's length says.
fn strip_prefix_length(text: &str) -> &str {
    match text.split_once('/') {
        Some((address, length)) if length.parse::<u8>().is_ok_and(|length| length <= 128) => {
            address
        }
        _ => text,
    }
}

/// The largest part.
pub(super) fn ipv4(text: &str) -> Option<u32> {
    let (mut parts, mut largest) = (0, 0);
    for part in text.split('.') {
        let fits = (1..=3).contains(&part.len()) && (part.len() == 1 || !part.starts_with('0'));
        let value: u32 = part.parse().ok().filter(|value| fits && *value <= 255)?;
        parts += 1;
        largest = largest.max(value);
    }
    (parts == 4).then_some(largest)
}

/// Six groups of two, or three of four as Cisco writes them.
fn mac(text: &str) -> bool {
    let bytes = text.as_bytes();
    let hexadecimal = |byte: &u8| byte.is_ascii_hexdigit();
    match bytes.len() {
        17 => {
            let separator = bytes[2];
            matches!(separator, b':' | b'-')
                && bytes.chunks(3).all(|group| {
                    group[..2].iter().all(hexadecimal)
                        && group.get(2).is_none_or(|byte| *byte == separator)
                })
        }
        14 => bytes.chunks(5).all(|group| {
            group[..4].iter().all(hexadecimal) && group.get(4).is_none_or(|byte| *byte == b'.')
        }),
        _ => false,
    }
}

fn uuid(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    #[test]
    fn addresses_and_what_looks_like_them() {
        for address in ["192.168.1.77", "8.8.4.4", "10.2.0.0/16", "203.0.113.255"] {
            assert!(look(address).has(Signal::Ipv4), "{address}");
        }
        for address in ["2001:db8::1", "fe80::1/64", "2001:db8:0:0:0:0:0:1"] {
            assert!(look(address).has(Signal::Ipv6), "{address}");
        }
        for address in ["00:1B:44:11:3A:B7", "00-1b-44-11-3a-b7", "001b.4411.3ab7"] {
            assert!(look(address).has(Signal::Mac), "{address}");
        }
        for other in ["1.2.3", "1.2.3.256", "01.02.03.04", "12:30:00", "1:2:3:4", "1.2.3.4.5"] {
            let hits = look(other);
            assert!(!hits.has(Signal::Ipv4) && !hits.has(Signal::Ipv6), "{other}");
        }
        assert!(!look("1.2.3.4").has(Signal::Ipv4Large));
        assert!(look("0190163d-8694-739b-aea5-966c26f8ad91").has(Signal::Uuid));
    }
}
