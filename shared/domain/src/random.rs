//! Randomness as an argument: identifiers, agent keys and nonces are drawn from a [`Random`] that
//! the caller passes in. (The MPC library draws its own from the operating system.)

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

/// The source of randomness failed. The caller must stop.
#[derive(Debug, thiserror::Error)]
#[error("the random number generator failed")]
pub struct RandomError;

type Fill = dyn Fn(&mut [u8]) -> Result<(), RandomError> + Send + Sync;

/// A source of random bytes. Cheap to clone.
#[derive(Clone)]
pub struct Random(Arc<Fill>);

impl Random {
    /// Returns the operating system's generator, through AWS-LC.
    #[must_use]
    pub fn system() -> Self {
        let source = SystemRandom::new();
        Self::from_fn(move |bytes| source.fill(bytes).map_err(|_| RandomError))
    }

    /// Makes a source from a function that fills its slice.
    pub fn from_fn(
        fill: impl Fn(&mut [u8]) -> Result<(), RandomError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(fill))
    }

    /// Returns `N` random bytes.
    ///
    /// # Errors
    /// Fails when the source fails.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0; N];
        (self.0)(&mut bytes)?;
        Ok(bytes)
    }

    /// Fills `bytes`.
    ///
    /// # Errors
    /// Fails when the source fails.
    pub fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        (self.0)(bytes)
    }

    /// Returns a random (version 4) UUID.
    ///
    /// # Errors
    /// Fails when the source fails.
    pub fn uuid(&self) -> Result<Uuid, RandomError> {
        Ok(uuid::Builder::from_random_bytes(self.bytes()?).into_uuid())
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}
