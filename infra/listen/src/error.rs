//! The error of a port that cannot be bound.

/// A port is taken, or may not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {what}: {cause}")]
pub struct ListenError {
    /// The part that listens there.
    pub what: &'static str,
    /// The address.
    pub address: std::net::SocketAddr,
    /// The operating system's error.
    pub cause: std::io::Error,
}
