//! Randomness as an argument: identifiers, agent keys and nonces are drawn from a [`Random`] that
//! the caller hands in. (The MPC library draws its own from the operating system.)

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

/// The source of randomness failed. Nothing can be done but to stop.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct RandomError;

type Fill = dyn Fn(&mut [u8]) -> Result<(), RandomError> + Send + Sync;

/// Where random bytes come from. Cheap to clone.
#[derive(Clone)]
pub struct Random(Arc<Fill>);

impl Random {
    /// The operating system's generator, through AWS-LC.
    #[must_use]
    pub fn system() -> Self {
        let source = SystemRandom::new();
        Self::from_fn(move |bytes| source.fill(bytes).map_err(|_| RandomError))
    }

    /// A source that fills the slice it is given.
    pub fn from_fn(
        fill: impl Fn(&mut [u8]) -> Result<(), RandomError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(fill))
    }

    /// `N` random bytes.
    ///
    /// # Errors
    /// When the source fails.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0; N];
        (self.0)(&mut bytes)?;
        Ok(bytes)
    }

    /// Fills `bytes`.
    ///
    /// # Errors
    /// When the source fails.
    pub fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        (self.0)(bytes)
    }

    /// A random (version 4) UUID.
    ///
    /// # Errors
    /// When the source fails.
    pub fn uuid(&self) -> Result<Uuid, RandomError> {
        Ok(uuid::Builder::from_random_bytes(self.bytes()?).into_uuid())
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}
