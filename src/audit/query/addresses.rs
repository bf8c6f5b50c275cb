//! Addresses that are asked for: one, or a network.

use std::net::IpAddr;
use std::str::FromStr;

/// `10.1.2.3`, `10.1.0.0/16`, `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    of: IpAddr,
    prefix_bits: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an address nor a network such as 10.1.0.0/16")]
pub struct AddressesError;

impl Addresses {
    /// The only address of it, if there is but one.
    pub(super) fn only(self) -> Option<IpAddr> {
        (self.prefix_bits == bits(self.of)).then_some(self.of)
    }

    pub fn contain(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let rest = u32::from(bits(self.of) - self.prefix_bits);
        let network = |address: IpAddr| number(address).checked_shr(rest).unwrap_or(0);
        bits(address) == bits(self.of) && network(address) == network(self.of)
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for Addresses {
    type Err = AddressesError;

    fn from_str(text: &str) -> Result<Self, AddressesError> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let of: IpAddr = address.parse().map_err(|_| AddressesError)?;
        let of = if prefix.is_none() { of.to_canonical() } else { of };
        let prefix_bits = match prefix {
            None => bits(of),
            Some(prefix) => prefix.parse().map_err(|_| AddressesError)?,
        };
        if prefix_bits > bits(of) { Err(AddressesError) } else { Ok(Self { of, prefix_bits }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses() {
        for (asked, address, holds) in [
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("10.1.2.3", "::ffff:10.1.2.3", true),
            ("::ffff:10.1.2.3", "10.1.2.3", true),
            ("10.1.0.0/16", "10.1.255.1", true),
            ("10.1.0.0/16", "10.2.0.1", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.1.2.3", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let asked: Addresses = asked.parse().unwrap();
            assert_eq!(asked.contain(address.parse().unwrap()), holds, "{asked:?} {address}");
        }
        for wrong in ["", "10.1.2", "10.1.2.3/33", "10.1.2.3/", "::1/129", "localhost"] {
            assert_eq!(wrong.parse::<Addresses>(), Err(AddressesError), "{wrong}");
        }
    }
}
