//! Settings from environment variables. Names contain units, and an error at start names the
//! variable.

use url::{Host, Url};

/// Why a setting cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The variable is not set.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// The variable's value is invalid. The value is not shown.
    #[error("{name} must be {want}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// The expectation.
        want: &'static str,
    },
}

/// The source of settings.
#[derive(Clone, Copy)]
pub struct Env<'a>(pub &'a dyn Fn(&str) -> Option<String>);

impl std::fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Env")
    }
}

impl Env<'_> {
    /// Returns an optional variable; empty counts as absent.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// Returns a required variable.
    ///
    /// # Errors
    /// Returns an error that names the variable.
    pub fn required(&self, name: &'static str) -> Result<String, ConfigError> {
        self.optional(name).ok_or(ConfigError::Missing(name))
    }

    /// Parses a variable with `parse` if it is set. `want` states the expectation.
    ///
    /// # Errors
    /// Returns an error that names the variable.
    pub fn parsed<T>(
        &self,
        name: &'static str,
        want: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        match self.optional(name) {
            None => Ok(None),
            Some(text) => parse(&text).map(Some).ok_or(ConfigError::Invalid { name, want }),
        }
    }

    /// Parses a number within a range if it is set.
    ///
    /// # Errors
    /// Returns an error that names the variable.
    pub fn number(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<Option<u32>, ConfigError> {
        self.parsed(name, "a number within its range", |text| {
            text.parse().ok().filter(|number| range.contains(number))
        })
    }

    /// Parses a base URL as [`parse_url`] does.
    ///
    /// # Errors
    /// Returns an error that names the variable.
    pub fn url(&self, name: &'static str) -> Result<Url, ConfigError> {
        parse_url(&self.required(name)?)
            .ok_or(ConfigError::Invalid { name, want: "an https URL, or http on loopback" })
    }
}

/// Parses an exchange's base URL: https, or http on loopback, without a query.
#[must_use]
pub fn parse_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (safe && plain).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_must_be_https_or_loopback() {
        for (url, taken) in [
            ("https://api.hyperliquid.xyz", true),
            ("http://127.0.0.1:3001", true),
            ("http://localhost:3001/", true),
            ("http://[::1]:3001", true),
            ("http://api.hyperliquid.xyz", false),
            ("http://127.0.0.1.evil.example", false),
            ("https://user:secret@api.example", false),
            ("https://api.example?x=1", false),
            ("ftp://127.0.0.1", false),
            ("api.hyperliquid.xyz", false),
            ("", false),
        ] {
            assert_eq!(parse_url(url).is_some(), taken, "{url}");
        }
    }
}
