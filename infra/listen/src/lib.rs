//! Listening on this machine. This crate binds and serves every socket of the local programs,
//! behind the check of the `Host` header.

mod clients;
mod error;
mod hosts;
mod serve;

pub use clients::{ClientBounds, Peer, serve_clients, whole};
pub use error::ListenError;
pub use hosts::{AllowedHost, AllowedHostError};
pub use serve::{
    Listener, Port, Reservation, Stop, bind, bind_port, bind_reserved, serve, serve_page, url,
};
