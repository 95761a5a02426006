//! The life of an exchange credential: an agent key that is made here, approved by a wallet, and
//! known to the exchange.

mod register;

pub use register::{RegisterError, Registered, Registrar};
