//! Networks that a tenant key may be used from.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use domain::ids::IdError;
use serde::{Deserialize, Serialize};

/// The number of networks that a key may list.
pub const MAX_CIDRS: usize = 20;

/// A network in CIDR notation, such as `203.0.113.0/24` or `2001:db8::/32`. An address without a
/// length is that address alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

impl Cidr {
    /// Whether the network has an address. An IPv4 address that is written as IPv6
    /// (`::ffff:203.0.113.7`) is that IPv4 address.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                prefix(own.to_bits().into(), 32, self.length)
                    == prefix(other.to_bits().into(), 32, self.length)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                prefix(own.to_bits(), 128, self.length) == prefix(other.to_bits(), 128, self.length)
            }
            _ => false,
        }
    }
}

impl Cidr {
    /// Whether the network has every address of another one.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.length <= other.length && self.contains(other.address)
    }
}

/// The first bits of an address of so many bits.
fn prefix(bits: u128, of: u8, length: u8) -> u128 {
    // A shift by the whole width leaves nothing.
    bits.checked_shr(u32::from(of - length)).unwrap_or_default()
}

impl FromStr for Cidr {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let read = || {
            let (address, length) = match text.split_once('/') {
                Some((address, length)) => (address, Some(length)),
                None => (text, None),
            };
            let address: IpAddr = address.parse().ok()?;
            let width = if address.is_ipv4() { 32 } else { 128 };
            let length = match length {
                // No sign and no leading zero.
                Some(length) if length == "0" || !length.starts_with(['0', '+']) => {
                    length.parse::<u8>().ok()?
                }
                Some(_) => return None,
                None => width,
            };
            let is_mapped = address.to_canonical() != address;
            let cidr = Self { address, length };
            (length <= width && !is_mapped && cidr.is_aligned(width)).then_some(cidr)
        };
        read().ok_or(IdError::new(
            "invalid network: expected CIDR notation, such as 203.0.113.0/24, without bits after \
             the prefix",
        ))
    }
}

impl Cidr {
    /// Whether no bit is set after the prefix, as in a mistyped network.
    fn is_aligned(self, width: u8) -> bool {
        let bits: u128 = match self.address {
            IpAddr::V4(address) => address.to_bits().into(),
            IpAddr::V6(address) => address.to_bits(),
        };
        bits.trailing_zeros() >= u32::from(width - self.length)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl TryFrom<String> for Cidr {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(network: &str, address: &str) -> bool {
        network.parse::<Cidr>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn network_contains_its_addresses_alone() {
        assert!(has("203.0.113.0/24", "203.0.113.0") && has("203.0.113.0/24", "203.0.113.255"));
        assert!(!has("203.0.113.0/24", "203.0.112.255") && !has("203.0.113.0/24", "203.0.114.0"));
        assert!(has("203.0.113.7", "203.0.113.7") && !has("203.0.113.7", "203.0.113.6"));
        assert!(has("0.0.0.0/0", "255.255.255.255") && !has("0.0.0.0/0", "::1"));
        assert!(has("::/0", "2001:db8::1") && !has("::/0", "203.0.113.7"));
        assert!(has("2001:db8::/32", "2001:db8:ffff::1") && !has("2001:db8::/32", "2001:db9::"));
        assert!(has("2001:db8::1/128", "2001:db8::1") && !has("2001:db8::1/128", "2001:db8::"));
        // A listener of both families shows IPv4 peers so.
        assert!(has("203.0.113.0/24", "::ffff:203.0.113.9"));
        assert!(!has("203.0.113.0/24", "::ffff:203.0.114.9"));
    }

    #[test]
    fn network_covers_its_parts_and_no_wider_one() {
        let covers =
            |own: &str, other: &str| own.parse::<Cidr>().unwrap().covers(other.parse().unwrap());
        assert!(covers("203.0.113.0/24", "203.0.113.0/24"));
        assert!(covers("203.0.113.0/24", "203.0.113.64/26") && covers("::/0", "2001:db8::1"));
        assert!(
            !covers("203.0.113.0/24", "203.0.0.0/16") && !covers("203.0.113.0/24", "0.0.0.0/0")
        );
        assert!(!covers("203.0.113.0/24", "203.0.114.0/25") && !covers("0.0.0.0/0", "::/0"));
    }

    #[test]
    fn text_that_is_not_cidr_is_refused() {
        for text in [
            "",
            "/",
            "203.0.113.0/",
            "203.0.113.0/33",
            "203.0.113.0/-1",
            "203.0.113.0/+8",
            "203.0.113.0/024",
            "203.0.113.1/24",
            "203.0.113/24",
            "2001:db8::/129",
            "2001:db8::1/64",
            "::ffff:203.0.113.0/120",
            "example.com",
            "203.0.113.0/24 ",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text:?}");
        }
        for text in ["203.0.113.0/24", "0.0.0.0/0", "::/0", "2001:db8::/32", "128.0.0.0/1"] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
        }
        assert_eq!("10.0.0.1".parse::<Cidr>().unwrap().to_string(), "10.0.0.1/32");
    }
}
