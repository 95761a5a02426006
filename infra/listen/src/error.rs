//! The error for a port that cannot be bound.

/// The port is in use, or may not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {what}: {cause}")]
pub struct ListenError {
    /// Name of the part.
    pub what: &'static str,
    /// Address.
    pub address: std::net::SocketAddr,
    /// Error of the operating system.
    pub cause: std::io::Error,
}
