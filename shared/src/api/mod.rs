//! The HTTP contract: identifiers, request bodies, responses, errors, and the shell around every
//! endpoint's router.

pub mod body;
pub mod error;
pub mod ids;
pub mod responses;
pub mod shell;
