//! The common settings of the HTTP clients for exchanges and webhooks: no redirects, no proxies, no
//! automatic retries, and the same TLS as the AWS clients.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use platform::env::ConfigError;
use platform::tls;
use reqwest::redirect::Policy;

/// Timeout of a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// TLS cannot be set up.
    #[error("the HTTP client could not be made")]
    Tls(#[from] rustls::Error),
    /// The client's settings contradict each other.
    #[error("the HTTP client could not be made")]
    Client(#[from] reqwest::Error),
}

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A setting is missing or cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Http(#[from] HttpSetupError),
}

/// Returns a builder with these settings. The caller sets the timeout of a call.
///
/// A request is written to at most one connection. The connection pool moves a request to another
/// connection only before its first byte is written.
///
/// # Errors
/// Fails when TLS cannot be set up.
#[expect(clippy::disallowed_methods, reason = "the one place that builds an HTTP client")]
pub fn client_builder() -> Result<reqwest::ClientBuilder, HttpSetupError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config()?)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .user_agent(concat!("hyperdex-keys/", env!("CARGO_PKG_VERSION"))))
}

/// A client that is made with the first call, because many requests do not use it. Copies share it
/// and its connections.
#[derive(Clone, Debug)]
pub(crate) struct LazyClient {
    call_timeout: Duration,
    made: Arc<OnceLock<reqwest::Client>>,
}

impl LazyClient {
    /// Wraps the settings; `call_timeout` covers a whole call.
    pub(crate) fn new(call_timeout: Duration) -> Self {
        Self { call_timeout, made: Arc::default() }
    }

    pub(crate) fn get(&self) -> Result<&reqwest::Client, HttpSetupError> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let made = client_builder()?.timeout(self.call_timeout).build()?;
        Ok(self.made.get_or_init(|| made))
    }
}
