//! Listening: on loopback, or where a container reaches it.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::StartError;

/// Tells every server to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Returns when it is time, also when the one who would say so is gone.
    pub(crate) async fn wait(mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Binds a port; 0 takes any.
pub(crate) async fn bind(
    what: &'static str,
    ip: IpAddr,
    port: u16,
) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(ip, port);
    TcpListener::bind(address).await.map_err(|cause| StartError::Port { what, address, cause })
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
pub(crate) async fn bind_port(
    what: &'static str,
    ip: IpAddr,
    port: Port,
) -> Result<TcpListener, StartError> {
    match port {
        Port::Exactly(port) => bind(what, ip, port).await,
        Port::Preferred(port) => match bind(what, ip, port).await {
            Err(StartError::Port { cause, .. }) if cause.kind() == ErrorKind::AddrInUse => {
                bind(what, ip, 0).await
            }
            bound => bound,
        },
    }
}

/// Serves `router` until it is told to stop, and lets requests that run finish.
pub(crate) fn serve(listener: TcpListener, router: Router, stop: Stop) -> JoinHandle<()> {
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.wait()).await;
        if let Err(error) = served {
            tracing::error!(%error, "a server ended");
        }
    })
}

/// The URL of what listens there, for a caller on this machine.
pub(crate) fn url(listener: &TcpListener) -> Result<String, StartError> {
    let mut address: SocketAddr = listener
        .local_addr()
        .map_err(|error| StartError::Part { what: "a listener", cause: error.to_string() })?;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    Ok(format!("http://{address}"))
}
