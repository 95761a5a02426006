//! End-to-end tests of the whole service in one binary, because linking takes most of the build
//! time. `cargo test -p e2e --test suite crash::` runs one topic.

mod api;
mod audit;
mod crash;
mod credentials;
mod custody;
mod exchanges;
mod fairness;
mod hostile;
mod leak;
mod payments;
mod refresh;
mod trading;
mod webhooks;
