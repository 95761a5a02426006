//! Recovery without any stack: the commands that the holders of the recovery keys run on a machine
//! without a network.
//!
//! [`key`] makes and opens recovery keys, [`file`](mod@file) reads and writes the files that go
//! between the stacks and the holders, [`check`] verifies records, [`transport`] encrypts halves to a new
//! stack, and [`wallet`] puts a single wallet's key together. [`new_file`] writes small files.

pub mod check;
pub mod error;
pub mod export;
pub mod file;
pub mod key;
pub mod keystore;
pub mod new_file;
mod pem;
pub mod report;
pub mod transport;
pub mod wallet;
