//! Binding and serving ports, on loopback or on an address that a container's clients reach. Every
//! listener of the program is behind the check in `hosts`.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use domain::clock::Clock;
use domain::random::Random;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::ListenError;
use crate::hosts::{AllowedHost, Callers, Hosts, guarded};

/// Maximum number of connections that wait to be accepted. The standard library's value.
const BACKLOG: u32 = 128;

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

/// A port that this process reserves for a child process. The child binds it with
/// [`bind_reserved`]. While no child listens, no other program receives the port.
#[derive(Debug)]
pub struct Reservation {
    _socket: TcpSocket,
    address: SocketAddr,
}

impl Reservation {
    /// Reserves a port; 0 picks a free port.
    ///
    /// # Errors
    /// Returns an error when the port is in use or may not be used.
    pub async fn new(what: &'static str, ip: IpAddr, port: u16) -> Result<Self, ListenError> {
        // Finds the port without sharing: a shared bind would not notice another reservation.
        let address = bind(what, ip, port).await?.address();
        let failed = |cause| ListenError { what, address, cause };
        // Without SO_REUSEADDR, which would let any program bind the port while no child listens.
        let socket = shared_socket(address, false).map_err(failed)?;
        Ok(Self { _socket: socket, address })
    }

    /// Returns the reserved port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }
}

/// Binds a port that the parent process reserved; 0 picks a free port.
///
/// # Errors
/// Returns an error when the port is in use by another program.
pub fn bind_reserved(what: &'static str, ip: IpAddr, port: u16) -> Result<Listener, ListenError> {
    let asked = SocketAddr::new(ip, port);
    let failed = |cause| ListenError { what, address: asked, cause };
    let socket = shared_socket(asked, true).and_then(|socket| socket.listen(BACKLOG));
    let socket = socket.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok(Listener { socket, address, hosts: Hosts::new(address) })
}

/// Returns a bound socket that shares its port with other sockets of this user.
fn shared_socket(address: SocketAddr, reuse: bool) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseport(true)?;
    // Lets the child bind the port while connections of the previous child are closing.
    socket.set_reuseaddr(reuse)?;
    socket.bind(address)?;
    Ok(socket)
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

#[cfg(test)]
mod tests {
    use super::{Reservation, bind, bind_reserved};
    use std::io::ErrorKind;
    use std::net::{IpAddr, Ipv4Addr};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn reserved_port_goes_to_the_child_only() {
        let reserved = Reservation::new("a test", HERE, 0).await.unwrap();
        let port = reserved.port();
        let refused = |cause: std::io::Error| assert_eq!(cause.kind(), ErrorKind::AddrInUse);
        for _ in 0..2 {
            refused(bind("another", HERE, port).await.unwrap_err().cause);
            refused(Reservation::new("another stack", HERE, port).await.unwrap_err().cause);
            let child = bind_reserved("the child", HERE, port).unwrap();
            assert_eq!(child.address().port(), port);
            refused(bind("another", HERE, port).await.unwrap_err().cause);
            // A connection that the ended child served.
            let client = tokio::net::TcpStream::connect((HERE, port)).await.unwrap();
            drop(child);
            drop(client);
        }
        drop(reserved);
        assert!(bind_reserved("a child without a parent", HERE, 0).unwrap().address().port() > 0);
    }
}
