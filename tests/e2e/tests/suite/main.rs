//! The service from end to end, in one program, because linking is most of what tests cost to
//! build. `cargo test -p e2e --test suite crash::` runs one topic.

mod api;
mod audit;
mod crash;
mod credentials;
mod custody;
mod exchanges;
mod hostile;
mod leak;
mod refresh;
mod webhooks;
