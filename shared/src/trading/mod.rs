//! Trading with the registered keys.

pub mod decimal;
