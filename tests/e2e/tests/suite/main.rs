//! The service from end to end, in one program, because linking is most of what tests cost to
//! build. `cargo test -p e2e --test suite crash::` runs one part.

mod aster_v1_client;
mod attacks;
mod audit;
mod calls;
mod client;
mod contract;
mod crash;
mod custody;
mod drills;
mod errors;
mod expiry;
mod hostile;
mod hostile_bodies;
mod hostile_exchange;
mod hostile_http;
mod idempotency;
mod idempotency_crash;
mod interrupted;
mod jobs;
mod keygen;
mod lifecycle;
mod limits;
mod list;
mod manners;
mod random;
mod refresh;
mod refresh_attacks;
mod refresh_late;
mod registration;
mod seals;
mod storage;
mod structure;
mod supply_chain;
mod tenants;
