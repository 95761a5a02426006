//! Listening: on loopback, or where a container reaches it. Every listener of this program is bound
//! and served here, behind the check of `hosts`.

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

/// Tells every server to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns the sender that stops every server, and the receiving end.
    #[must_use]
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Returns when it is time, also when the one who would say so is gone.
    pub async fn wait(mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// A port that is bound, with the names that requests may call it by. There is no way to accept its
/// connections without the check of these names.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    hosts: Hosts,
}

impl Listener {
    /// The address that is bound.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same listener with further names.
    #[must_use]
    pub fn allow(mut self, allowed: &[AllowedHost]) -> Self {
        self.hosts.allow(allowed);
        self
    }

    /// The socket, and the router behind the check.
    pub(crate) fn guard(self, router: Router, callers: Callers) -> (TcpListener, Router) {
        (self.socket, guarded(router, self.hosts, callers))
    }
}

/// Binds a port; 0 takes any.
///
/// # Errors
/// When the port is taken, or may not be used.
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
    /// This one, or a start that fails; 0 takes any.
    Exactly(u16),
    /// This one, or any free one when it is busy.
    Preferred(u16),
}

impl Default for Port {
    fn default() -> Self {
        Self::Exactly(0)
    }
}

/// Binds a port, or a free one in place of a busy default.
///
/// # Errors
/// When no port can be bound.
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

/// Serves programs until it is told to stop, and lets requests that run finish.
pub fn serve(listener: Listener, router: Router, stop: Stop) -> JoinHandle<()> {
    run(listener.guard(router, Callers::Programs), stop)
}

/// Serves a page and what it reads, as [`serve`] does programs.
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

/// The URL of what listens there, for a caller on this machine.
#[must_use]
pub fn url(listener: &Listener) -> String {
    let mut address = listener.address();
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{address}")
}
