//! How every HTTP client of ours begins: the exchanges' and the webhooks'. AWS's has the same TLS.
//!
//! No redirects, no proxies, and TLS roots that are compiled in (Mozilla's list, which Lambda's own
//! system has, too): a function reads no file for them, and makes them once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be made: {0}")]
pub struct HttpSetupError(String);

impl From<reqwest::Error> for HttpSetupError {
    fn from(error: reqwest::Error) -> Self {
        Self(error.to_string())
    }
}

/// The settings of TLS, made once.
pub(crate) fn tls() -> Result<ClientConfig, HttpSetupError> {
    static MADE: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made.clone());
    }
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let made = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpSetupError(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MADE.get_or_init(|| made).clone())
}

/// The time that a call may take is still to be set.
///
/// # Errors
/// When TLS cannot be set up.
#[expect(clippy::disallowed_methods, reason = "the one place that builds an HTTP client")]
pub fn client_builder() -> Result<reqwest::ClientBuilder, HttpSetupError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls()?)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("hyperdex-keys/", env!("CARGO_PKG_VERSION"))))
}

/// A client that is made with the first call, for those whose holders answer much without one.
/// Copies share it, and its connections.
#[derive(Clone, Debug)]
pub(crate) struct LazyClient {
    call_timeout: Duration,
    made: Arc<OnceLock<reqwest::Client>>,
}

impl LazyClient {
    /// How long the whole of a call may take.
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

#[cfg(test)]
mod tests {
    /// AWS's services are certified by these, and no other: "Amazon Trust Services",
    /// <https://www.amazontrust.com/repository/>.
    #[test]
    fn aws_own_roots_are_among_them() {
        let names: Vec<String> = webpki_roots::TLS_SERVER_ROOTS
            .iter()
            .map(|root| String::from_utf8_lossy(&root.subject).into_owned())
            .collect();
        for name in [
            "Amazon Root CA 1",
            "Amazon Root CA 2",
            "Amazon Root CA 3",
            "Amazon Root CA 4",
            "Starfield Services Root Certificate Authority - G2",
        ] {
            assert!(names.iter().any(|subject| subject.contains(name)), "{name}");
        }
    }
}
