//! Construction of a client.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

use crate::{Clock, IdempotencyKey, Retry, Secret};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a client cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The URL is not the URL of an API.
    #[error("invalid URL: expected https, or http on loopback, without query, user or password")]
    Url,
    /// The tenant key is not a valid header value.
    #[error("invalid tenant key: expected characters that are valid in an HTTP header")]
    ApiKey,
    /// TLS could not be set up.
    #[error("the HTTP client could not be made: {0}")]
    Http(String),
}

/// Makes a [`Client`] with custom settings.
#[derive(Clone, Debug)]
pub struct Builder {
    pub(crate) base: Url,
    /// Marked as sensitive, so that the HTTP library does not log it.
    pub(crate) key: HeaderValue,
    pub(crate) retry: Retry,
    pub(crate) clock: Clock,
    pub(crate) keyed: bool,
    http: Option<reqwest::Client>,
}

impl Builder {
    pub(crate) fn new(url: &str, api_key: &Secret) -> Result<Self, SetupError> {
        let base: Url = url.parse().map_err(|_| SetupError::Url)?;
        let at_home = match base.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        let is_private = base.scheme() == "https" || base.scheme() == "http" && at_home;
        let is_plain = base.query().is_none()
            && base.fragment().is_none()
            && base.username().is_empty()
            && base.password().is_none();
        if !(is_private && is_plain && base.has_host()) {
            return Err(SetupError::Url);
        }
        let mut key = HeaderValue::from_str(api_key.expose()).map_err(|_| SetupError::ApiKey)?;
        key.set_sensitive(true);
        let (retry, clock) = (Retry::default(), Clock::system());
        Ok(Self { base, key, retry, clock, keyed: true, http: None })
    }

    /// Sets which calls are retried, and how long a call may take.
    #[must_use]
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sends no `Idempotency-Key` except those of [`Client::with_key`]. A call that changes
    /// something is then retried only when it cannot have been processed: without a connection,
    /// and after 429.
    #[must_use]
    pub const fn without_keys(mut self) -> Self {
        self.keyed = false;
        self
    }

    /// Sets the HTTP client, for example one behind a proxy. It should not follow redirects,
    /// because it would send the tenant key along.
    #[must_use]
    pub fn http(mut self, http: reqwest::Client) -> Self {
        self.http = Some(http);
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// Fails when TLS cannot be set up.
    pub fn build(self) -> Result<Client, SetupError> {
        let http = match self.http.clone() {
            Some(http) => http,
            None => http().map_err(SetupError::Http)?,
        };
        Ok(Client::of(self, http))
    }
}

/// A client of one deployment with one tenant key. Clones are cheap and share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) settings: Arc<Builder>,
    pub(crate) http: reqwest::Client,
    pub(crate) key: Option<IdempotencyKey>,
}

impl Client {
    /// Makes a client of the API at this URL: `https://…`, with the stage if it has one.
    ///
    /// # Errors
    /// Fails when the text is not a URL, the URL is neither `https` nor on loopback, or the key is
    /// not a valid header value.
    pub fn new(url: &str, api_key: &Secret) -> Result<Self, SetupError> {
        Self::builder(url, api_key)?.build()
    }

    /// Makes a client with custom settings.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn builder(url: &str, api_key: &Secret) -> Result<Builder, SetupError> {
        Builder::new(url, api_key)
    }

    pub(crate) fn of(settings: Builder, http: reqwest::Client) -> Self {
        Self { settings: Arc::new(settings), http, key: None }
    }

    /// Returns this client for one request under this `Idempotency-Key`. Use it to retry a failed
    /// request, also after a restart of your program. The service refuses a different request
    /// under the same key.
    #[must_use]
    pub fn with_key(&self, key: IdempotencyKey) -> Self {
        Self { key: Some(key), ..self.clone() }
    }
}

/// Makes an HTTP client without redirects, proxies and the machine's own certificate authorities.
#[expect(clippy::disallowed_methods, reason = "this crate does not link the service's crates")]
fn http() -> Result<reqwest::Client, String> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("hyperdex-client/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_without_tls_off_loopback_is_rejected() {
        let key = Secret::new("hdx_secret");
        for url in
            ["https://a.example", "https://a.example/v1/", "http://127.0.0.1:1", "http://[::1]:1"]
        {
            assert!(Builder::new(url, &key).is_ok(), "{url}");
        }
        for url in [
            "http://a.example",
            "http://10.0.0.1",
            "http://localhost.example",
            "ftp://a.example",
            "https://a.example?x=1",
            "https://name:word@a.example",
            "data:text/plain,a",
            "a",
        ] {
            assert_eq!(Builder::new(url, &key).err(), Some(SetupError::Url), "{url}");
        }
        let split = Builder::new("https://a.example", &Secret::new("a\nb"));
        assert_eq!(split.err(), Some(SetupError::ApiKey));
    }

    #[test]
    fn client_debug_hides_the_tenant_key() {
        let key = Secret::new("hdx_secret");
        let builder = Builder::new("https://a.example", &key).unwrap();
        let client = builder.clone().build().unwrap();
        for text in [format!("{key:?}"), format!("{builder:?}"), format!("{client:?}")] {
            assert!(!text.contains("hdx_secret"), "{text}");
        }
    }
}
