use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// An address range in CIDR form: `10.2.0.0/16`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// A network that could not be read.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum NetworkError {
    #[error("\"{0}\" is not a network such as 10.2.0.0/16 or fd00::/8")]
    Shape(String),
    #[error("\"{0}\" has bits set behind its prefix")]
    HostBits(String),
}

impl Network {
    /// Reads CIDR notation; a bare address is a network of one.
    ///
    /// # Errors
    /// [`NetworkError`] when it is none, or names an address inside the network instead of it.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let shape = || NetworkError::Shape(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| shape())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| shape())?
            }
            Some(_) => return Err(shape()),
            None => width,
        };
        if prefix > width {
            return Err(shape());
        }
        let network = Self { address, prefix };
        if network.cut(address) != bits(address) {
            return Err(NetworkError::HostBits(text.to_owned()));
        }
        Ok(network)
    }

    /// Whether the address lies inside. An IPv4 address mapped into IPv6 is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && self.cut(address) == bits(self.address)
    }

    /// Whether every address of `other` lies inside.
    pub fn covers(&self, other: &Self) -> bool {
        other.prefix >= self.prefix && self.contains(other.address)
    }

    /// The address with everything behind the prefix cleared.
    fn cut(&self, address: IpAddr) -> u128 {
        let width = if address.is_ipv4() { 32 } else { 128 };
        let host = u32::from(width - self.prefix.min(width));
        let mask = if host == 128 { 0 } else { u128::MAX << host };
        bits(address) & mask
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        Self::parse(&text)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.2.0.0/16", "10.2.255.1", "10.3.0.1"),
            ("10.2.0.1", "10.2.0.1", "10.2.0.2"),
            ("0.0.0.0/0", "192.0.2.1", "::1"),
            ("fd00::/8", "fd12::1", "fe00::1"),
            ("10.2.0.0/16", "::ffff:10.2.0.9", "::10.2.0.9"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
        ] {
            let network = Network::parse(network).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network} {outside}");
        }
    }

    #[test]
    fn a_network_covers_its_parts_and_not_what_it_is_a_part_of() {
        let network = |text| Network::parse(text).unwrap();
        let loopback = network("127.0.0.0/8");
        assert!(loopback.covers(&network("127.0.0.1")) && loopback.covers(&loopback));
        for wider in ["0.0.0.0/0", "126.0.0.0/7", "::/0", "::1"] {
            assert!(!loopback.covers(&network(wider)), "{wider}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.2.0.0/33", "10.2.0.0/", "10.2.0.0/+8", "10.2.0/16", "x/8"] {
            assert_eq!(Network::parse(text), Err(NetworkError::Shape(text.into())), "{text}");
        }
        assert!(matches!(Network::parse("10.2.0.1/16"), Err(NetworkError::HostBits(_))));
    }
}
