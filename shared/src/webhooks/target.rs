//! The allowed destinations of webhooks. Tenants choose the URLs, which could otherwise make the
//! service call its own network (server-side request forgery).
//!
//! A URL is checked when it is created, and again at each delivery. The connected address decides:
//! [`Guard`] resolves names for the HTTP client and returns only public addresses. A name that
//! resolves differently a moment later therefore gains nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use platform::env::{ConfigError, Env};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::store::MAX_URL;

/// The allowed addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Targets {
    /// Public addresses: https, port 443, by hostname.
    Public,
    /// On the local stack, also this machine's loopback, with http and any port.
    PublicAndLoopback,
}

impl Targets {
    /// Reads `WEBHOOK_TARGETS`: `public`, or `public-and-loopback`.
    ///
    /// # Errors
    /// Returns an error that names the variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let name = "WEBHOOK_TARGETS";
        match env.required(name)?.as_str() {
            "public" => Ok(Self::Public),
            "public-and-loopback" => Ok(Self::PublicAndLoopback),
            _ => Err(ConfigError::Invalid { name, want: "public or public-and-loopback" }),
        }
    }

    /// Parses a URL.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    pub fn parse(self, text: &str) -> Result<Url, &'static str> {
        if text.len() > MAX_URL {
            return Err("url must have at most 512 characters");
        }
        // A URL parser would silently remove these.
        if text.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
            return Err("url must have no spaces in it");
        }
        let url = Url::parse(text).map_err(|_| "url must be a URL")?;
        // The stored form, with other letters as %XX.
        if url.as_str().len() > MAX_URL {
            return Err("url must have at most 512 characters");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("url must have no user and no password in it");
        }
        if url.fragment().is_some() {
            return Err("url must have no # in it");
        }
        if self == Self::PublicAndLoopback && is_loopback(&url) {
            return if matches!(url.scheme(), "http" | "https") {
                Ok(url)
            } else {
                Err("url must begin with https:// or http://")
            };
        }
        if url.scheme() != "https" {
            return Err("url must begin with https://");
        }
        if url.port().is_some() {
            return Err("url must have no port: 443 is always used");
        }
        match url.host() {
            Some(Host::Domain(name)) if name.trim_end_matches('.').contains('.') => Ok(url),
            Some(Host::Domain(_)) => Err("url must name a public host"),
            _ => Err("url must name a host, not an address"),
        }
    }

    fn takes(self, address: IpAddr) -> bool {
        is_public(address) || (self == Self::PublicAndLoopback && address.is_loopback())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Blocks of IPv4 that are not public, with their length in bits
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>).
const NOT_PUBLIC_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// In IPv6, 2000::/3 is public, except these blocks, some of which contain an IPv4 address
/// (<https://www.iana.org/assignments/iana-ipv6-special-registry>).
const NOT_PUBLIC_V6: [([u16; 2], u32); 4] = [
    // 2001::/23: Teredo, benchmarks, ORCHID and similar.
    ([0x2001, 0x0000], 23),
    ([0x2001, 0x0db8], 32),
    // 6to4.
    ([0x2002, 0x0000], 16),
    ([0x3fff, 0x0000], 20),
];

/// Returns whether an address is public.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    let is_in = |(block, length): &([u8; 4], u32)| {
        (bits ^ u32::from_be_bytes(*block)) >> (32 - length) == 0
    };
    !NOT_PUBLIC_V4.iter().any(is_in)
}

/// Addresses mapped to IPv6 are outside 2000::/3.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let bits = (u32::from(first) << 16) | u32::from(second);
    let is_in = |([first, second], length): &([u16; 2], u32)| {
        (bits ^ ((u32::from(*first) << 16) | u32::from(*second))) >> (32 - length) == 0
    };
    first >> 13 == 1 && !NOT_PUBLIC_V6.iter().any(is_in)
}

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// The resolver of hostnames.
#[derive(Clone)]
pub struct Lookup(Arc<dyn Fn(String) -> Found + Send + Sync>);

impl std::fmt::Debug for Lookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lookup")
    }
}

impl Lookup {
    /// Returns the system's resolver.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(|name| async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }

    /// Makes a resolver from `find`.
    pub fn from_fn<F>(find: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |name| Box::pin(find(name))))
    }
}

/// The name has no allowed address.
#[derive(Debug, thiserror::Error)]
#[error("the host has no public address")]
pub(super) struct NotPublic;

/// Resolves names for the HTTP client, and removes addresses that are not allowed.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) targets: Targets,
    pub(super) lookup: Lookup,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.lookup.0)(name.as_str().to_owned());
        let targets = self.targets;
        Box::pin(async move {
            let found = found.await?;
            let taken: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| targets.takes(*address))
                // Port 0 means the URL's port.
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if taken.is_empty() {
                return Err(NotPublic.into());
            }
            Ok::<Addrs, _>(Box::new(taken.into_iter()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_public_addresses_are_detected() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378::1",
            "2001:db8::1",
            "2001:1ff::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "3fff:fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.167.255.255",
            "192.169.0.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "2001:200::1",
            "2003::1",
            "2606:4700::1111",
            "2a00:1450::200e",
            "3ffe::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn url_must_be_https_with_host_name_and_default_port() {
        for url in [
            "https://hooks.example.com/in?a=b",
            "https://example.com:443/",
            "HTTPS://EXAMPLE.com",
            "https://bücher.example/",
        ] {
            assert!(Targets::Public.parse(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "example.com",
            "http://example.com",
            "ftp://example.com",
            "https://",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://metadata/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://169.254.169.254/latest/meta-data",
            "https://8.8.8.8/",
            "https://u@example.com/",
            "https://u:p@example.com/",
            "https://example.com:8443/",
            "https://example.com/#x",
            "https://exa mple.com/",
            "https://example.com/\n",
            "\thttps://example.com/",
            "file:///etc/passwd",
            "https://127.0.0.1.:443/",
            "https://%31%32%37.0.0.1/",
        ] {
            assert!(Targets::Public.parse(url).is_err(), "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(500));
        assert!(Targets::Public.parse(&long).is_err());
    }

    #[test]
    fn loopback_is_allowed_on_a_local_stack_only() {
        for url in ["http://127.0.0.1:4000/", "http://localhost:4000/in", "https://[::1]:9/"] {
            assert!(Targets::Public.parse(url).is_err(), "{url}");
            assert!(Targets::PublicAndLoopback.parse(url).is_ok(), "{url}");
        }
        for url in ["http://192.168.0.1/", "http://example.com/", "ftp://localhost/"] {
            assert!(Targets::PublicAndLoopback.parse(url).is_err(), "{url}");
        }
    }
}
