//! The TLS settings of every client. The roots are compiled in (Mozilla's list, which Lambda's own
//! system also has), so a function reads no file for them and makes them once.

use std::sync::{Arc, OnceLock};

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

/// Returns the TLS settings, made once.
///
/// # Errors
/// Fails when the cryptography library supports none of the protocol's versions.
pub fn client_config() -> Result<ClientConfig, rustls::Error> {
    static MADE: OnceLock<ClientConfig> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made.clone());
    }
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let made = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MADE.get_or_init(|| made).clone())
}

#[cfg(test)]
mod tests {
    /// The roots that certify AWS's services: "Amazon Trust Services",
    /// <https://www.amazontrust.com/repository/>.
    #[test]
    fn roots_include_those_of_aws() {
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
