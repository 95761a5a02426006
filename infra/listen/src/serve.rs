//! Binding and serving ports, on loopback or on an address that a container's clients reach. Every
//! listener of the program is behind the check in `hosts`.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use domain::clock::Clock;
use domain::random::Random;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::ListenError;
use crate::hosts::{AllowedHost, Callers, Hosts, guarded};

/// Signal that stops every server.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns the sender that stops every server, and a receiver.
    #[must_use]
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Returns after the signal, or when its sender is dropped.
    pub async fn wait(mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// A bound port, with the names that requests may use. Its connections can only be accepted behind
/// the check of these names.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    hosts: Hosts,
}

impl Listener {
    /// Returns the bound address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the listener with additional names.
    #[must_use]
    pub fn allow(mut self, allowed: &[AllowedHost]) -> Self {
        self.hosts.allow(allowed);
        self
    }

    /// Returns the socket, and the router behind the check.
    pub(crate) fn guard(self, router: Router, callers: Callers) -> (TcpListener, Router) {
        (self.socket, guarded(router, self.hosts, callers))
    }
}

/// Binds a port; 0 picks a free port.
///
/// # Errors
/// Returns an error when the port is in use or may not be used.
pub async fn bind(what: &'static str, ip: IpAddr, port: u16) -> Result<Listener, ListenError> {
    let asked = SocketAddr::new(ip, port);
    let failed = |cause| ListenError { what, address: asked, cause };
    let socket = TcpListener::bind(asked).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok(Listener { socket, address, hosts: Hosts::new(address) })
}

/// A port that may have a default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Port {
    /// This port, or an error; 0 picks a free port.
    Exactly(u16),
    /// This port, or any free port when it is in use.
    Preferred(u16),
}

impl Default for Port {
    fn default() -> Self {
        Self::Exactly(0)
    }
}

/// Binds a port, or a free port when the default is in use.
///
/// # Errors
/// Returns an error when no port can be bound.
pub async fn bind_port(
    what: &'static str,
    ip: IpAddr,
    port: Port,
) -> Result<Listener, ListenError> {
    match port {
        Port::Exactly(port) => bind(what, ip, port).await,
        Port::Preferred(port) => match bind(what, ip, port).await {
            Err(ListenError { cause, .. }) if cause.kind() == ErrorKind::AddrInUse => {
                bind(what, ip, 0).await
            }
            bound => bound,
        },
    }
}

/// Serves programs until `stop`, and completes requests in progress.
pub fn serve(listener: Listener, router: Router, stop: Stop) -> JoinHandle<()> {
    run(listener.guard(router, Callers::Programs), stop)
}

/// Serves a page and its data in the same way.
pub fn serve_page(
    listener: Listener,
    router: Router,
    (clock, random): (Clock, Random),
    stop: Stop,
) -> JoinHandle<()> {
    run(listener.guard(router, Callers::Clients(clock, random)), stop)
}

fn run((socket, router): (TcpListener, Router), stop: Stop) -> JoinHandle<()> {
    tokio::spawn(async move {
        let served = axum::serve(socket, router).with_graceful_shutdown(stop.wait()).await;
        if let Err(error) = served {
            tracing::error!(%error, "a server ended");
        }
    })
}

/// Returns the URL of a listener for a caller on this machine.
#[must_use]
pub fn url(listener: &Listener) -> String {
    let mut address = listener.address();
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{address}")
}
