//! Tests input that no honest client, exchange or endpoint sends.

mod bodies;
mod exchange;
mod http;
mod messages;
