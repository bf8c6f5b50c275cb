//! Single values: sizes, durations, addresses, networks, words out of a list.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::model::{DurationError, parse_duration};

/// A size in bytes: a number and `B`, `KiB`, `MiB` or `GiB`. `MB` is refused, as people disagree
/// on what it means.
pub(super) fn size(text: &str) -> Result<u64, String> {
    const SHAPE: &str = "a size is a number and one of B, KiB, MiB, GiB, such as \"256MiB\"";
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| SHAPE.to_owned())?;
    let unit: u64 = match text[digits..].trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(SHAPE.to_owned()),
    };
    match number.checked_mul(unit) {
        Some(0) | None => Err("a size is more than nothing and fits into 64 bits".to_owned()),
        Some(bytes) => Ok(bytes),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error: DurationError| error.to_string())
}

/// An address to listen on.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "an address is IP:port, such as \"127.0.0.1:6432\" or \"[::1]:6432\"".to_owned()
    })
}

/// The host of `host`, `host:port` or `[address]:port`.
pub(super) fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']')? {
            (host, "") => (host, None),
            (host, port) => (host, Some(port.strip_prefix(':')?)),
        },
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let fits = !host.is_empty() && host.chars().all(plain);
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok());
    (fits && port_fits).then_some(host)
}

/// The port behind `host` in an authority that [`host_of`] understood; None: there is none.
pub(super) fn port_of(authority: &str, host: &str) -> Option<Result<u16, ()>> {
    let behind = authority.trim_start_matches('[').strip_prefix(host)?;
    let port = behind.trim_start_matches(']').strip_prefix(':')?;
    Some(port.parse().map_err(drop))
}

/// Whether what is sent to this host does not leave the machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(size("256MiB"), Ok(256 << 20));
        assert_eq!(size("1 GiB"), Ok(1 << 30));
        assert_eq!(size("512B"), Ok(512));
        for wrong in ["", "256", "256MB", "MiB", "-1KiB", "0MiB", "99999999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
