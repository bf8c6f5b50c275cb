//! `ip`: the bits behind a prefix cleared, the netmask no longer than the prefix.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::kind::Network;
use super::{ApplyError, Format};

#[derive(Clone, Copy, Debug)]
pub(super) struct Prefixes {
    pub(super) v4: u8,
    pub(super) v6: u8,
}

/// `PGSQL_AF_INET` and `PGSQL_AF_INET6` of PostgreSQL's `utils/inet.h`, the wire's numbers.
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 3;

pub(super) fn mask(
    prefixes: Prefixes,
    kind: Network,
    format: Format,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ApplyError> {
    let address = match format {
        Format::Text => Address::read_text(value),
        Format::Binary => Address::read_binary(kind, value),
    };
    let masked = address.ok_or(ApplyError::Malformed)?.cut(prefixes);
    match format {
        Format::Text => masked.write_text(out).map_err(|_| ApplyError::Malformed),
        Format::Binary => {
            masked.write_binary(kind, out);
            Ok(())
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Address {
    V4 { bits: u32, mask_len: u8 },
    V6 { bits: u128, mask_len: u8 },
}

impl Address {
    fn read_text(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let (address, mask_len) = match text.split_once('/') {
            Some((address, digits)) => (address, Some(read_mask_len(digits)?)),
            None => (text, None),
        };
        if address.contains(':') {
            let bits = address.parse::<Ipv6Addr>().ok()?.to_bits();
            let mask_len = mask_len.unwrap_or(128);
            (mask_len <= 128).then_some(Self::V6 { bits, mask_len })
        } else {
            let bits = address.parse::<Ipv4Addr>().ok()?.to_bits();
            let mask_len = mask_len.unwrap_or(32);
            (mask_len <= 32).then_some(Self::V4 { bits, mask_len })
        }
    }

    /// Family, netmask's bits, whether it is a cidr, length of the address, the address.
    fn read_binary(kind: Network, value: &[u8]) -> Option<Self> {
        let (&[family, mask_len, is_cidr, length], address) = value.split_first_chunk::<4>()?;
        if is_cidr != cidr_flag(kind) || usize::from(length) != address.len() {
            return None;
        }
        match family {
            FAMILY_V4 if mask_len <= 32 => {
                Some(Self::V4 { bits: u32::from_be_bytes(address.try_into().ok()?), mask_len })
            }
            FAMILY_V6 if mask_len <= 128 => {
                Some(Self::V6 { bits: u128::from_be_bytes(address.try_into().ok()?), mask_len })
            }
            _ => None,
        }
    }

    fn cut(self, prefixes: Prefixes) -> Self {
        match self {
            Self::V4 { bits, mask_len } => {
                let kept = u32::MAX.checked_shl(32 - u32::from(prefixes.v4)).unwrap_or(0);
                Self::V4 { bits: bits & kept, mask_len: mask_len.min(prefixes.v4) }
            }
            Self::V6 { bits, mask_len } => {
                let kept = u128::MAX.checked_shl(128 - u32::from(prefixes.v6)).unwrap_or(0);
                Self::V6 { bits: bits & kept, mask_len: mask_len.min(prefixes.v6) }
            }
        }
    }

    /// A cut address always shows its netmask: it is shorter than the whole address.
    fn write_text(self, out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::V4 { bits, mask_len } => {
                write!(out, "{}/{mask_len}", Ipv4Addr::from_bits(bits))
            }
            Self::V6 { bits, mask_len } => {
                write_v6(bits, out)?;
                write!(out, "/{mask_len}")
            }
        }
    }

    fn write_binary(self, kind: Network, out: &mut Vec<u8>) {
        match self {
            Self::V4 { bits, mask_len } => {
                out.extend_from_slice(&[FAMILY_V4, mask_len, cidr_flag(kind), 4]);
                out.extend_from_slice(&bits.to_be_bytes());
            }
            Self::V6 { bits, mask_len } => {
                out.extend_from_slice(&[FAMILY_V6, mask_len, cidr_flag(kind), 16]);
                out.extend_from_slice(&bits.to_be_bytes());
            }
        }
    }
}

fn cidr_flag(kind: Network) -> u8 {
    match kind {
        Network::Inet => 0,
        Network::Cidr => 1,
    }
}

fn read_mask_len(digits: &str) -> Option<u8> {
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// As PostgreSQL prints it (`pg_inet_net_ntop`), which differs from Rust's `Display` for addresses
/// such as `::10.1.2.3`: the first longest run of two or more zero words becomes `::`, and the
/// last two words are dotted after six zero words, or five and `ffff`.
fn write_v6(bits: u128, out: &mut Vec<u8>) -> io::Result<()> {
    let words = Ipv6Addr::from_bits(bits).segments();
    let (start, length) = longest_zero_run(&words);
    let dotted = start == 0
        && (length == 6 || (length == 7 && words[7] != 1) || (length == 5 && words[5] == 0xffff));
    let mut index = 0;
    while index < 8 {
        if length > 0 && index == start {
            out.extend_from_slice(if index + length == 8 { b"::" } else { b":" });
            index += length;
            continue;
        }
        if index > 0 {
            out.push(b':');
        }
        if dotted && index == 6 {
            return write!(out, "{}", Ipv4Addr::from_bits(bits as u32));
        }
        write!(out, "{:x}", words[index])?;
        index += 1;
    }
    Ok(())
}

/// Where the first longest run of zero words begins and its length; (0, 0) without one of two.
fn longest_zero_run(words: &[u16; 8]) -> (usize, usize) {
    let (mut best, mut run) = ((0, 0), 0);
    for (index, word) in words.iter().enumerate() {
        run = if *word == 0 { run + 1 } else { 0 };
        if run >= 2 && run > best.1 {
            best = (index + 1 - run, run);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(v4: u8, v6: u8, value: &str) -> Result<String, ApplyError> {
        let mut out = Vec::new();
        mask(Prefixes { v4, v6 }, Network::Inet, Format::Text, value.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn addresses_are_cut_to_their_network() {
        for (v4, v6, value, expected) in [
            (24, 48, "10.2.3.4", "10.2.3.0/24"),
            (24, 48, "10.2.3.4/8", "10.2.3.0/8"),
            (0, 0, "10.2.3.4", "0.0.0.0/0"),
            (20, 48, "192.168.255.1/32", "192.168.240.0/20"),
            (24, 48, "2001:db8:1:2::3", "2001:db8:1::/48"),
            (24, 64, "2001:db8::3/32", "2001:db8::/32"),
            (24, 0, "fe80::1", "::/0"),
            (24, 120, "::10.1.2.3", "::10.1.2.0/120"),
            (24, 112, "::ffff:10.1.2.3", "::ffff:10.1.0.0/112"),
            (24, 127, "1:0:0:2:0:0:0:3", "1:0:0:2::2/127"),
            (24, 127, "1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:6/127"),
        ] {
            assert_eq!(text(v4, v6, value).as_deref(), Ok(expected), "{value}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for value in ["", "10.2.3", "10.2.3.4/33", "10.2.3.4/", "::1/129", "10.2.3.4/+8", "x"] {
            assert_eq!(text(24, 48, value), Err(ApplyError::Malformed), "{value}");
        }
        for value in [
            &b""[..],
            &[2, 32, 0, 4, 1, 2, 3],
            &[2, 33, 0, 4, 1, 2, 3, 4],
            &[3, 32, 0, 4, 1, 2, 3, 4],
            &[2, 32, 1, 4, 1, 2, 3, 4],
            &[2, 32, 0, 4, 1, 2, 3, 4, 5],
        ] {
            let mut out = Vec::new();
            let prefixes = Prefixes { v4: 24, v6: 48 };
            let masked = mask(prefixes, Network::Inet, Format::Binary, value, &mut out);
            assert_eq!(masked, Err(ApplyError::Malformed));
        }
    }
}
