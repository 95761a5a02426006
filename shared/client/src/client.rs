//! How a client is made.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

use crate::{Clock, IdempotencyKey, Retry, Secret};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client cannot be made of this.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// No URL of an API.
    #[error("the URL must be https://, or http:// on loopback, with no query, name or password")]
    Url,
    /// No text that a header may hold.
    #[error("the API key has characters that no header may hold")]
    ApiKey,
    /// TLS could not be set up.
    #[error("the HTTP client could not be made: {0}")]
    Http(String),
}

/// Makes a [`Client`] with other settings.
#[derive(Clone, Debug)]
pub struct Builder {
    pub(crate) base: Url,
    /// Marked as sensitive: it is in no log of the HTTP library.
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

    /// What is sent again, and how long a call may take.
    #[must_use]
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Another clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// No `Idempotency-Key` but those of [`Client::with_key`]. A call that changes something is
    /// then sent again only when it cannot have been done: without a connection, and with 429.
    #[must_use]
    pub const fn without_keys(mut self) -> Self {
        self.keyed = false;
        self
    }

    /// Another HTTP client, for example one behind a proxy. It should follow no redirects: it would
    /// take the API key with it.
    #[must_use]
    pub fn http(mut self, http: reqwest::Client) -> Self {
        self.http = Some(http);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn build(self) -> Result<Client, SetupError> {
        let http = match self.http.clone() {
            Some(http) => http,
            None => http().map_err(SetupError::Http)?,
        };
        Ok(Client::of(self, http))
    }
}

/// A client of one deployment, with one API key. Cheap to clone: clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) settings: Arc<Builder>,
    pub(crate) http: reqwest::Client,
    pub(crate) key: Option<IdempotencyKey>,
}

impl Client {
    /// A client of the API at this URL: `https://…`, with the stage if it has one.
    ///
    /// # Errors
    /// When the text is not a URL, the URL is neither `https` nor on loopback, or the key cannot be a
    /// header value.
    pub fn new(url: &str, api_key: &Secret) -> Result<Self, SetupError> {
        Self::builder(url, api_key)?.build()
    }

    /// A client with other settings.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn builder(url: &str, api_key: &Secret) -> Result<Builder, SetupError> {
        Builder::new(url, api_key)
    }

    pub(crate) fn of(settings: Builder, http: reqwest::Client) -> Self {
        Self { settings: Arc::new(settings), http, key: None }
    }

    /// This client for one request, under this `Idempotency-Key`: to send again what failed, also
    /// after a restart of this program. Another request under it is refused.
    #[must_use]
    pub fn with_key(&self, key: IdempotencyKey) -> Self {
        Self { key: Some(key), ..self.clone() }
    }
}

/// Without redirects, proxies and the machine's own list of authorities.
#[expect(clippy::disallowed_methods, reason = "this crate links nothing of the service's")]
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
    fn a_key_goes_out_over_tls_or_stays_on_the_machine() {
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
    fn a_client_does_not_show_its_key() {
        let key = Secret::new("hdx_secret");
        let builder = Builder::new("https://a.example", &key).unwrap();
        let client = builder.clone().build().unwrap();
        for text in [format!("{key:?}"), format!("{builder:?}"), format!("{client:?}")] {
            assert!(!text.contains("hdx_secret"), "{text}");
        }
    }
}
